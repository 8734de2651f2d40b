"""The address space of the demo, looked into square by square, and a registry that comes from a file."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import PASSWORD, person
from tests.support import installations, ports
from tests.support.installations import Installation

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.slow, pytest.mark.timeout(200)]

FILE = "cidr,name,reason,owner\n10.34.0.0/15,partners,peered VPC,Network team\n"


@pytest.fixture(scope="module")
def demo() -> Iterator[Installation]:
    for data in installations.data_folder():
        with installations.up(data, ports.free_port(), OVERLAYWEB_DEMO="1") as running:
            running.wait_for("Overlayweb runs at")
            yield running


def test_a_file_of_ranges_shows_what_lies_in_them(demo: Installation, browser: Browser) -> None:
    found = re.search(r"http\S+/setup/\S+", demo.wait_for("Ana Ferreira"))
    assert found
    with person(browser, "Ana") as ana:
        page = ana.page
        page.goto(found.group())
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD)
        page.get_by_role("button", name="come in").click()

        page.get_by_role("link", name="Addresses", exact=True).click()
        fullest = page.locator("tbody").first.locator("tr").first
        expect(fullest).to_contain_text("search_mesh")
        expect(fullest).to_contain_text(re.compile(r"Tight 9\d %"))
        page.get_by_role("link", name="Reserved ranges…").click()
        page.get_by_label("Its text").fill(FILE.replace("/15", "/14"))
        page.get_by_role("button", name="Show what it changes").click()
        expect(page.get_by_role("row").filter(has_text="10.34.0.0/14 has host bits set")).to_contain_text("2")

        page.get_by_label("CSV file").set_input_files(
            {"name": "ranges.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
        )
        page.get_by_role("button", name="Show what it changes").click()
        expect(page.get_by_role("row").filter(has_text="partners")).to_contain_text("New")
        page.get_by_role("button", name="Import 1 new and 0 changed").click()
        expect(page.get_by_role("row").filter(has_text="10.34.0.0/15").first).to_contain_text("Network team")

        page.get_by_role("link", name="Show in the address space").click()
        expect(page.get_by_role("row").filter(has_text="office_tools Overlay")).to_contain_text(
            "collides with partners"
        )
        page.get_by_role("link", name="10.34.0.0/16: ").click()
        expect(page.get_by_role("heading", name="Address space")).to_be_visible()
        expect(page.get_by_text("65,536 of 65,536 addresses held")).to_be_visible()
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert ana.complaints == []
