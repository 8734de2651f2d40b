"""Networks and services of the demo as somebody finds their way in them: typing, sorting, and news by themselves."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from overlayweb.domain.specs import Spec
from overlayweb.engine import connection
from tests.browser.people import PASSWORD, person
from tests.support import installations, ports
from tests.support.installations import Installation

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.slow, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def demo() -> Iterator[Installation]:
    for data in installations.data_folder():
        with installations.up(data, ports.free_port(), OVERLAYWEB_DEMO="1") as running:
            running.wait_for("Overlayweb runs at")
            yield running


def names(page: Page) -> list[str]:
    return page.locator("#found tbody tr th").all_inner_texts()


def go_to(page: Page, place: str) -> None:
    """By the rail."""
    page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name=place).click()


def scale(demo: Installation, name: str, replicas: int) -> None:
    """Somebody scales a service by the command line."""
    (socket,) = demo.data.glob("**/demo.sock")
    with connection.connect(connection.Endpoint(url=f"unix://{socket}")) as engine:
        service = next(service for service in engine.services() if service.name == name)
        document = service.spec.document()
        document["Mode"]["Replicated"]["Replicas"] = replicas
        engine.update_service(service_id=service.id, version=service.version, spec=Spec.of(document))


def test_lists_are_narrowed_sorted_and_kept_up_to_date(demo: Installation, browser: Browser) -> None:
    found = re.search(r"http\S+/setup/\S+", demo.wait_for("Dora Lima"))
    assert found
    with person(browser, "Dora") as dora:
        page = dora.page
        page.goto(found.group())
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD)
        page.get_by_role("button", name="come in").click()

        go_to(page, "Networks")
        expect(page.get_by_role("row").filter(has_text="analytics_lake")).to_contain_text("No addresses")
        page.get_by_label("Name, subnet, owner or id").press_sequentially("search")
        expect(page.locator("#found tbody tr")).to_have_count(2)
        page.locator("#found").get_by_role("link", name="Addresses").click()
        page.wait_for_url(re.compile(r"q=search.*sort=-used"))
        assert [name.split()[0] for name in names(page)] == ["search_mesh", "search_front"]
        page.get_by_label("Name, subnet, owner or id").fill("")
        expect(page.locator("#found tbody tr")).to_have_count(11)
        assert names(page)[0].startswith("search_mesh"), "still the fullest first"
        page.reload()
        assert names(page)[0].startswith("search_mesh"), "the address holds what is asked for"

        go_to(page, "Services")
        page.get_by_label("Name, image, port, network or id").press_sequentially("edge_dns")
        expect(page.locator("#found tbody tr")).to_have_count(1)
        expect(page.get_by_role("row").filter(has_text="edge_dns")).to_contain_text("2 of 2")
        scale(demo, "edge_dns", 3)
        expect(page.get_by_role("row").filter(has_text="edge_dns")).to_contain_text("3 of 3")
        expect(page.locator("#found")).to_contain_text("news")
        assert dora.complaints == []
