"""Readiness on the demo's Swarm: what is measured appears, tokens come and go, forms follow what is typed."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.people import PASSWORD, person
from tests.support import installations, ports
from tests.support.installations import Installation

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.slow, pytest.mark.timeout(300)]

TOKEN = re.compile(r"--token SWMTKN-1-\w+-(\w+)")


@pytest.fixture(scope="module")
def demo() -> Iterator[Installation]:
    for data in installations.data_folder():
        with installations.up(data, ports.free_port(), OVERLAYWEB_DEMO="1") as running:
            running.wait_for("Overlayweb runs at")
            yield running


def test_an_administrator_checks_joins_and_rotates(demo: Installation, browser: Browser) -> None:
    found = re.search(r"http\S+/setup/\S+", demo.wait_for("Ana Ferreira"))
    assert found
    with person(browser, "Ana") as ana:
        ana.page.goto(found.group())
        ana.page.get_by_label("Password", exact=True).fill(PASSWORD)
        ana.page.get_by_label("Password again").fill(PASSWORD)
        ana.page.get_by_role("button", name="come in").click()
        ana.page.get_by_role("link", name="Readiness").click()
        ana.sees("Manager of a Swarm")
        ana.page.get_by_role("button", name="Check now").click()
        ana.sees("The nodes of the demo are simulated, so no port is tried")
        expect(ana.page.get_by_text("checked never")).to_have_count(0)
        ana.page.get_by_role("link", name="nftables").click()
        ana.sees(re.compile("nft 'insert rule inet filter input"))

        ana.page.get_by_role("link", name="Join an engine").click()
        first = _shown_token(ana.page)
        ana.page.get_by_role("link", name="Rotate the worker's token").click()
        ana.page.get_by_role("button", name="Rotate the worker's token now").click()
        ana.sees("Rotated the token for workers")
        expect(ana.page.get_by_text(first)).to_have_count(0)
        second = _shown_token(ana.page)
        assert second != first
        ana.page.get_by_role("button", name="Hide the token").click()
        expect(ana.page.get_by_text("--token TOKEN")).to_be_visible()

        ana.page.goto(ana.page.url.replace("/join", "/bridge"))
        ana.field("Node").fill("fra-w1")
        ana.field("Subnet").press_sequentially("10.20.0.0/24", delay=10)
        ana.sees(re.compile("overlaps .*Lisbon office"))
        ana.field("Subnet").clear()
        ana.field("Subnet").press_sequentially("172.30.0.0/20", delay=10)
        ana.sees(re.compile("docker network create --subnet 172.30.0.0/20"))
        assert not ana.complaints


def _shown_token(page: Page) -> str:
    page.get_by_role("button", name="Show the worker's token").click()
    command = page.get_by_text(TOKEN).first
    expect(command).to_be_visible()
    found = TOKEN.search(command.inner_text())
    assert found
    return found.group(1)
