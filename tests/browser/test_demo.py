"""The demo as somebody sees it who has read nothing but the terminal and the pages."""

import re

import docker
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.demo import come_in
from tests.browser.people import person
from tests.support.installations import Installation

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.slow, pytest.mark.timeout(300)]

JOB_MS = 110_000
SEEN_WITHIN_S = 75
"""An event brings it sooner; everything is listed once a minute."""


def is_marked(page: Page) -> None:
    expect(page.get_by_text("Demo", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("nothing real changes")).first).to_be_visible()


def test_from_the_printed_link_to_the_rebuilt_ingress(demo: Installation, browser: Browser) -> None:
    with person(browser, "Ana") as ana:
        come_in(ana, demo, "Ana Ferreira")
        ana.sees(re.compile("ingress 10.20.0.0/24 collides with reserved range Lisbon office"))
        ana.page.get_by_role("link", name="Move the ingress to 10.21.0.0/24").click()
        ana.sees("longest time a port is dark")
        ana.page.get_by_role("button", name="Ask for approval").click()
        ana.sees("Solo mode: you approve your own change.")
        is_marked(ana.page)
        ana.page.get_by_role("button", name=re.compile("Approve plan")).click()
        ana.page.wait_for_url(re.compile(r"/jobs/\d+/$"))
        is_marked(ana.page)
        expect(ana.page.locator("#job-state")).to_contain_text("Done", timeout=JOB_MS)
        for path in ("/", "/clusters/demo/ingress/", "/changes/", "/jobs/", "/history/", "/people", "/clusters/add"):
            ana.page.goto(demo.address + path)
            is_marked(ana.page)
        assert ana.complaints == []


def test_the_past_stands_in_the_history(demo: Installation, browser: Browser) -> None:
    with person(browser, "Bruno", width=390, height=844) as bruno:
        come_in(bruno, demo, "Bruno Costa")
        bruno.page.goto(f"{demo.address}/history/")
        is_marked(bruno.page)
        for subnet, outcome in (
            ("10.20.0.0/24", "Done"),
            ("10.21.0.0/23", "Cancelled"),
            ("10.36.0.0/22", "Failed"),
            ("10.64.0.0/16", "Rejected"),
        ):
            row = bruno.page.get_by_role("row").filter(has=bruno.page.get_by_role("link", name=subnet))
            expect(row).to_contain_text(outcome)
        bruno.page.get_by_role("link", name="10.36.0.0/22").click()
        bruno.sees(re.compile("The old ingress 10.20.0.0/24 is back and every service has its ports back"))


def test_the_four_people_have_the_rights_that_were_printed(demo: Installation, browser: Browser) -> None:
    lines = [demo.wait_for(name).split()[2:3] for name in ("Ana F", "Bruno C", "Carla N", "Dora L")]
    assert lines == [["administrator"], ["member"], ["member"], ["reader"]]
    with person(browser, "Carla") as carla, person(browser, "Dora") as dora:
        for who, name in ((carla, "Carla Nunes"), (dora, "Dora Lima")):
            come_in(who, demo, name)
            who.page.goto(f"{demo.address}/clusters/demo/ingress/")
            expect(who.page.get_by_role("link", name="People")).to_have_count(0)
        expect(carla.page.get_by_role("link", name="Customise…")).to_be_visible()
        expect(dora.page.get_by_role("link", name="Customise…")).to_have_count(0)
        dora.page.goto(f"{demo.address}/clusters/demo/ingress/customise")
        dora.sees(re.compile("You are a reader here"))


def test_the_sign_in_page_says_that_it_is_a_demo(demo: Installation, browser: Browser) -> None:
    with person(browser, "Nobody") as nobody:
        nobody.page.goto(f"{demo.address}/sign-in")
        is_marked(nobody.page)


def test_what_a_stranger_does_shows_as_drift_and_is_adopted(demo: Installation, browser: Browser) -> None:
    stranger = docker.APIClient(base_url=f"unix://{demo.data}/demo.sock", version="1.45")
    with person(browser, "Bruno") as bruno:
        come_in(bruno, demo, "Bruno Costa")
        bruno.page.goto(f"{demo.address}/clusters/demo/drift")
        expect(bruno.page.get_by_role("heading", name="Never recorded")).to_be_visible()
        stranger.create_network("sneaky", driver="overlay", attachable=True)
        heading = bruno.page.get_by_role("heading", name="Network sneaky was made outside")
        look_until(bruno.page, heading)
        bruno.page.get_by_text("Adopt: this is how it shall be").first.click()
        bruno.page.get_by_label("Why it shall stay so").first.fill("The night shift needs it.")
        bruno.page.get_by_role("button", name="Adopt as found").first.click()
        bruno.sees(re.compile("Adopted: this is how Network sneaky shall be"))
        expect(heading).to_have_count(0)
        stranger.remove_network("sneaky")
        look_until(bruno.page, bruno.page.get_by_role("heading", name="Network sneaky was removed outside"))
        assert bruno.complaints == []


def look_until(page: Page, wanted: Locator) -> None:
    """Have the cluster looked at, and wait until what somebody did shows."""
    here = page.url
    page.goto(here.removesuffix("drift"))
    page.get_by_role("button", name="Look again").click()
    for _ in range(SEEN_WITHIN_S):
        page.goto(here)
        if wanted.count():
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"{wanted} is not on {here}")
