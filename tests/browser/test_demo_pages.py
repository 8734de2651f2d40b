"""What people do on the pages of the demo: connect a service, look things up, join engines, keep ranges free."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from overlayweb.domain.specs import Spec
from overlayweb.engine import connection
from tests.browser.demo import come_in
from tests.browser.people import TOKEN, person
from tests.support.installations import Installation

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.slow, pytest.mark.timeout(300)]

JOB_MS = 90_000
RANGES = "cidr,name,reason,owner\n10.34.0.0/15,partners,peered VPC,Network team\n"


def test_a_service_is_attached_from_the_matrix_on(demo: Installation, browser: Browser) -> None:
    with person(browser, "Ana") as ana:
        come_in(ana, demo, "Ana Ferreira")
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
    with person(browser, "Dora") as dora:
        page = dora.page
        come_in(dora, demo, "Dora Lima")

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
        assert dora.complaints == []


def test_an_administrator_checks_joins_and_rotates(demo: Installation, browser: Browser) -> None:
    with person(browser, "Ana") as ana:
        come_in(ana, demo, "Ana Ferreira")
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


def test_a_file_of_ranges_shows_what_lies_in_them(demo: Installation, browser: Browser) -> None:
    with person(browser, "Ana") as ana:
        page = ana.page
        come_in(ana, demo, "Ana Ferreira")

        page.get_by_role("link", name="Addresses", exact=True).click()
        fullest = page.locator("tbody").first.locator("tr").first
        expect(fullest).to_contain_text("search_mesh")
        expect(fullest).to_contain_text(re.compile(r"Tight 9\d %"))
        page.get_by_role("link", name="Reserved ranges…").click()
        page.get_by_label("Its text").fill(RANGES.replace("/15", "/14"))
        page.get_by_role("button", name="Show what it changes").click()
        expect(page.get_by_role("row").filter(has_text="10.34.0.0/14 has host bits set")).to_contain_text("2")

        page.get_by_label("CSV file").set_input_files(
            {"name": "ranges.csv", "mimeType": "text/csv", "buffer": RANGES.encode()}
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
