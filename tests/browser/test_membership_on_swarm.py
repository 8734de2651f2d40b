"""Two administrators make a Swarm of one real engine and let another join it, from the form to the job's live end."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from overlayweb.engine import connection
from overlayweb.engine.endpoints import Endpoint
from tests.browser.people import Person, chromium, person
from tests.browser.test_main_job import come_in, ended, watch
from tests.lab.daemon import Node
from tests.lab.swarm import Lab
from tests.support import installations, ports
from tests.support.installations import Installation

pytestmark = [pytest.mark.requires("dockerd", "chromium"), pytest.mark.slow, pytest.mark.timeout(300)]

POOL = "10.77.0.0/16"


@pytest.fixture
def outside(lab: Lab) -> Iterator[tuple[Node, Node]]:
    """Two engines that are in no Swarm."""
    lab.reset()
    first, second = lab.nodes[1:]
    for node in (first, second):
        node.cli("swarm", "leave", "--force")
    yield first, second
    lab.reset()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def installed(lab: Lab) -> Iterator[Installation]:
    for data in installations.data_folder():
        with installations.up(data, ports.free_port(), DOCKER_HOST=lab.manager.socket) as running:
            yield running


def register(installed: Installation, who: Person, name: str, node: Node) -> None:
    """Add the engine as a cluster, and wait until the page says what it is, by itself or once it is asked."""
    who.page.goto(f"{installed.address}/clusters/add")
    who.field("Name").fill(name)
    who.field("Address").fill(node.socket)
    who.page.locator("#main").get_by_role("button", name=re.compile("Add")).click()
    who.page.wait_for_url(lambda url: not url.endswith("/add"))
    who.page.goto(f"{installed.address}/clusters/{name}/readiness/")
    who.page.get_by_role("button", name="Check now").click()
    who.sees("In no Swarm")


def carry_out(ana: Person, ben: Person, why: str) -> None:
    """Ana says why and asks, Ben approves, Ana sees it done."""
    ana.page.get_by_label("Why").fill(why)
    ana.page.get_by_role("button", name="Ask for approval").click()
    ana.page.wait_for_url(re.compile(r"/changes/\d+/$"))
    change = ana.page.url
    expect(ana.page.get_by_text("another administrator has to approve it")).to_be_visible()
    ben.page.goto(change)
    ben.sees(why)
    ben.page.get_by_role("button", name=re.compile("Approve plan")).click()
    ben.page.wait_for_url(re.compile(r"/jobs/\d+/$"))
    watch(ana, change)
    ended(ana)


def test_two_administrators_make_a_swarm_and_let_an_engine_join(
    outside: tuple[Node, Node], installed: Installation, browser: Browser
) -> None:
    first, second = outside
    with person(browser, "Ana") as ana, person(browser, "Ben", width=390, height=844) as ben:
        come_in(installed, ana, ben)
        ana.page.goto(f"{installed.address}/people")
        ana.page.get_by_label("Role of Ben").select_option("admin")
        ana.page.get_by_role("button", name="Give Ben role").click()
        register(installed, ana, "rack", first)
        register(installed, ana, "spare", second)

        ana.page.goto(f"{installed.address}/clusters/rack/readiness/")
        ana.page.get_by_role("link", name="Make a Swarm").click()
        ana.field("Advertise address").press_sequentially(first.address, delay=10)
        ana.field("Default address pools").press_sequentially("172.17.0.0/16", delay=10)
        expect(ana.page.locator("#verdict-pools")).to_contain_text("overlaps")
        ana.field("Default address pools").fill(POOL)
        ana.field("Size of each network").press_sequentially("26", delay=10)
        expect(ana.page.locator("#preview")).to_contain_text("room for 1,024")
        carry_out(ana, ben, "The new rack.")
        ana.sees(f"{first.name} is the first manager of a new Swarm")

        ana.page.goto(f"{installed.address}/clusters/rack/readiness/")
        ana.page.get_by_role("link", name="Join an engine").click()
        ana.page.get_by_role("button", name="Ask for approval").click()
        expect(ana.page.locator("#verdict-joins")).to_contain_text("Choose the engine that joins")
        refused = ana.complaints.pop()
        assert "422" in refused, "the console says that the form was not taken, and nothing else"
        ana.field("Engine").select_option(label=f"spare at {second.socket}")
        ana.field("Its own address").press_sequentially(second.address, delay=10)
        expect(ana.page.locator("#preview")).to_contain_text(f"{second.name}, registered as spare")
        carry_out(ana, ben, "One worker more.")
        ana.sees(f"{second.name} is a worker of the Swarm, and ready")

        ana.page.goto(f"{installed.address}/clusters/rack/readiness/")
        for _ in range(20):  # the job rings for a look, which takes its turn
            if ana.page.get_by_text(f"{second.name} · linux").count():
                break
            ana.page.wait_for_timeout(500)
            ana.page.reload()
        ana.sees(f"{second.name} · linux")
        ana.sees("Let spare join as worker")
        assert ana.complaints + ben.complaints == []
    with connection.connect(Endpoint(url=first.socket)) as engine:
        made = engine.observe()
    assert (made.default_addr_pools, made.subnet_size) == ((POOL,), 26)
    assert {(node.hostname, node.role) for node in made.nodes} == {(first.name, "manager"), (second.name, "worker")}
