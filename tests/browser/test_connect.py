"""From the matrix to a service, and from there onto another network: plan, approval, job, all on the demo."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import PASSWORD, person
from tests.support import installations, ports
from tests.support.installations import Installation

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.slow, pytest.mark.timeout(240)]

JOB_MS = 90_000


@pytest.fixture(scope="module")
def demo() -> Iterator[Installation]:
    for data in installations.data_folder():
        with installations.up(data, ports.free_port(), OVERLAYWEB_DEMO="1") as running:
            running.wait_for("Overlayweb runs at")
            yield running


def test_a_service_is_attached_from_the_matrix_on(demo: Installation, browser: Browser) -> None:
    link = re.search(r"http\S+/setup/\S+", demo.wait_for("Ana Ferreira"))
    assert link
    with person(browser, "Ana") as ana:
        ana.page.goto(link.group())
        ana.page.get_by_label("Password", exact=True).fill(PASSWORD)
        ana.page.get_by_label("Password again").fill(PASSWORD)
        ana.page.get_by_role("button", name="come in").click()
        ana.page.goto(f"{demo.address}/clusters/demo/services/")
        ana.page.get_by_role("link", name="Who reaches whom").click()
        ana.page.get_by_label("Service or stack").fill("wiki")
        rows = ana.page.locator("table.who tbody tr")
        expect(rows).to_have_count(2)
        rows.get_by_role("link", name="office_wiki", exact=True).click()
        ana.page.get_by_role("link", name="Change networks").click()
        free = ana.page.locator(".link").filter(has_not=ana.page.locator(".badge")).filter(has_text="10.").first
        network = free.locator("label").first.inner_text().strip()
        free.get_by_role("checkbox").check()
        expect(ana.page.locator("#preview")).to_contain_text(f"+ {network}")
        ana.page.get_by_label("Why").fill("Somebody has to reach it.")
        ana.page.get_by_role("button", name="Ask for approval").click()
        ana.page.get_by_role("button", name=re.compile("Approve plan")).click()
        ana.page.wait_for_url(re.compile(r"/jobs/\d+/$"))
        expect(ana.page.locator("#job-state")).to_contain_text("Done", timeout=JOB_MS)
        assert ana.complaints == []
