"""The main job, as people do it: two browsers, `make up`'s own processes, a real three-node Swarm."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from overlayweb.domain.swarm import Swarm
from tests.browser.people import Person, person
from tests.lab.swarm import Lab
from tests.support import installations, ports
from tests.support.installations import Installation
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.workflows.rig import FEW, assert_whole, create_quick_mix, observe

pytestmark = [pytest.mark.requires("dockerd", "chromium"), pytest.mark.timeout(400)]

SUBNET = "10.77.0.0/16"
GATEWAY = "10.77.0.9"
MTU = "1450"
JOB_MS = 180_000
BROKER_SAID = {
    "redis": "private redis-server",
    "folder": "files in the data folder",
    "postgres": "the Redis of REDIS_URL",
}


@pytest.fixture
def data() -> Iterator[Path]:
    yield from installations.data_folder()


@pytest.fixture
def before(lab: Lab, request: pytest.FixtureRequest) -> Swarm:
    """The lab with a few services, or with the whole quick mix where a test asks for "all", as the engine shows it."""
    lab.reset()
    create_quick_mix(lab, only=FEW if getattr(request, "param", "") != "all" else ())
    return observe(lab)


def come_in(installed: Installation, ana: Person, ben: Person) -> None:
    """Ana opens the link that was printed; Ben comes by her invitation."""
    line = installed.wait_for("/setup/")
    found = re.search(r"http\S+/setup/\S+", line)
    assert found
    ana.make_first_account(found.group())
    ben.accept_invitation(ana.invite(installed.address, "Ben"))


def ask(installed: Installation, ana: Person) -> str:
    """Ana types the new settings, reads the plan and asks for approval; returns the change's address."""
    ana.page.goto(f"{installed.address}/clusters/local/ingress/customise")
    ana.fill_ingress(subnet=SUBNET, gateway=GATEWAY, mtu=MTU)
    ana.sees("longest time a port is dark")
    ana.page.get_by_label("Why").fill("The old subnet collides with the VPN.")
    ana.page.get_by_role("button", name="Ask for approval").click()
    ana.page.wait_for_url(re.compile(r"/changes/\d+/$"))
    return ana.page.url


def approve(ben: Person, change: str) -> None:
    """Ben reads the change and approves it."""
    ben.page.goto(change)
    ben.sees("The old subnet collides with the VPN.")
    ben.page.get_by_role("button", name=re.compile("Approve plan")).click()
    ben.page.wait_for_url(re.compile(r"/(jobs|changes)/\d+/$"))


def watch(ana: Person, change: str) -> None:
    """Ana opens the job from the change's page."""
    ana.page.goto(change)
    ana.page.get_by_role("link", name=re.compile(r"See job \d+")).click()
    ana.page.wait_for_url(re.compile(r"/jobs/\d+/$"))


def into_mid_job(installed: Installation, ana: Person, ben: Person) -> None:
    """From the printed link to the moment at which services leave the ingress, with Ana watching."""
    come_in(installed, ana, ben)
    change = ask(installed, ana)
    approve(ben, change)
    watch(ana, change)
    ana.sees(re.compile("is held"), ms=JOB_MS)


def assert_as_typed(lab: Lab) -> None:
    """What was typed, read back from the engine, past the product's own reading of it."""
    (ingress,) = [row for row in lab.manager.request("GET", "/networks") if row.get("Ingress")]
    assert ingress["IPAM"]["Config"] == [{"Subnet": SUBNET, "Gateway": GATEWAY}]
    assert ingress["Options"]["com.docker.network.driver.mtu"] == MTU


def ended(who: Person, word: str = "Done") -> None:
    """The page says how the job ended, without a reload."""
    expect(who.page.locator("#job-state")).to_contain_text(word, timeout=JOB_MS)


@pytest.mark.parametrize(
    ("before", "parts"),
    [
        pytest.param("all", "redis", marks=pytest.mark.requires("redis")),
        pytest.param("few", "folder"),
        pytest.param("few", "postgres", marks=pytest.mark.requires("redis", "postgres")),
    ],
    indirect=["before"],
)
def test_two_people_rebuild_the_ingress(
    lab: Lab, before: Swarm, browser: Browser, data: Path, parts: str, request: pytest.FixtureRequest
) -> None:
    more = {"DOCKER_HOST": lab.manager.socket}
    if parts == "folder":
        more["OVERLAYWEB_REDIS_SERVER"] = "no-such-program"
    if parts == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        redis: RedisServer = request.getfixturevalue("redis_server")
        more |= {"DATABASE_URL": server.new_database(), "REDIS_URL": redis.url}
    with (
        installations.up(data, ports.free_port(), **more) as installed,
        person(browser, "Ana") as ana,
        person(browser, "Ben", width=390, height=844) as ben,
    ):
        installed.wait_for(BROKER_SAID[parts])
        come_in(installed, ana, ben)
        change = ask(installed, ana)
        expect(ana.page.get_by_role("button", name=re.compile("Approve plan"))).to_have_count(0)
        approve(ben, change)
        watch(ana, change)
        expect(ana.page.locator("#job-state")).to_contain_text("Running")
        ana.sees(re.compile("is held; .* to leave the ingress"), ms=JOB_MS)
        watch(ben, change)
        for who in (ana, ben):
            ended(who)
            who.sees(re.compile("No container is on the old ingress"))
        ana.page.goto(f"{installed.address}/history/")
        ana.sees(re.compile(re.escape(SUBNET)))
        assert ana.complaints == []
        assert ben.complaints == []
    assert (data / "db.sqlite3").exists() == (parts != "postgres")
    assert_whole(lab, before=before, subnet=SUBNET)
    assert_as_typed(lab)


@pytest.mark.requires("redis")
def test_redis_emptied_and_web_and_worker_killed_in_mid_job(
    lab: Lab, before: Swarm, browser: Browser, data: Path, redis_server: RedisServer
) -> None:
    more = {"DOCKER_HOST": lab.manager.socket, "REDIS_URL": redis_server.url}
    with (
        installations.up(data, ports.free_port(), **more) as installed,
        person(browser, "Ana") as ana,
        person(browser, "Ben") as ben,
    ):
        into_mid_job(installed, ana, ben)
        redis_server.stop()
        installations.kill(installed, "uvicorn")
        installations.kill(installed, "celery")  # whoever held the job's message: only the sweep knows of it now
        time.sleep(20)
        redis_server.start()
        redis_server.flush()
        ana.sees(re.compile("another one goes on from here"), ms=JOB_MS)
        ended(ana)
        ana.sees(re.compile("No container is on the old ingress"))
    assert_whole(lab, before=before, subnet=SUBNET)
    assert_as_typed(lab)


def test_the_worker_killed_in_mid_job(lab: Lab, before: Swarm, browser: Browser, data: Path) -> None:
    with (
        installations.up(data, ports.free_port(), DOCKER_HOST=lab.manager.socket) as installed,
        person(browser, "Ana") as ana,
        person(browser, "Ben") as ben,
    ):
        into_mid_job(installed, ana, ben)
        installations.kill(installed, "celery")
        began = time.monotonic()
        ana.sees(re.compile("another one goes on from here"))
        assert time.monotonic() - began < 15
        ended(ana)
    assert_whole(lab, before=before, subnet=SUBNET)
    assert_as_typed(lab)


def test_cancelled_in_the_browser(lab: Lab, before: Swarm, browser: Browser, data: Path) -> None:
    with (
        installations.up(data, ports.free_port(), DOCKER_HOST=lab.manager.socket) as installed,
        person(browser, "Ana") as ana,
        person(browser, "Ben") as ben,
    ):
        into_mid_job(installed, ana, ben)
        ana.page.get_by_text(re.compile("^Cancel")).first.click()
        ana.page.get_by_role("button", name=re.compile("Cancel|Put")).last.click()
        ended(ana, "Cancelled")
    assert_whole(lab, before=before, subnet="10.0.0.0/24")


def reads_each_verdict_beside_its_field(ana: Person) -> None:
    """What is wrong with each field stands beside that field, and nothing else does."""
    for field, words in {
        "subnet": "10.0.0.1/24 has host bits set.",
        "gateway": "192.168.9.9 is outside the subnet 10.0.0.0/24.",
        "mtu": "An MTU of 20 is outside 576 to 9000 bytes. Swarm takes it, and nodes then fail.",
    }.items():
        expect(ana.page.locator(f"#verdict-{field} .is-blocker .what")).to_have_text(f"Blocks: {words}")


def test_a_bad_form_names_every_mistake_and_loses_nothing(lab: Lab, browser: Browser, data: Path) -> None:
    lab.reset()
    before = observe(lab)
    with (
        installations.up(data, ports.free_port(), DOCKER_HOST=lab.manager.socket) as installed,
        person(browser, "Ana") as ana,
    ):
        ana.make_first_account(re.findall(r"http\S+/setup/\S+", installed.wait_for("/setup/"))[0])
        ana.page.goto(f"{installed.address}/clusters/local/ingress/customise")
        ana.fill_ingress(subnet="10.0.0.1/24", gateway="192.168.9.9", mtu="20")
        reads_each_verdict_beside_its_field(ana)
        ana.page.locator("#verdict-mtu").evaluate("verdict => verdict.setAttribute('data-before-submit', '')")
        ana.page.get_by_role("button", name="Ask for approval").click()
        expect(ana.page.locator("[data-before-submit]")).to_have_count(0)  # what is read now is the answer
        reads_each_verdict_beside_its_field(ana)
        assert ana.field("Subnet").input_value() == "10.0.0.1/24"
        assert ana.field("Gateway").input_value() == "192.168.9.9"
        assert ana.field("MTU").input_value() == "20"
    assert [row.id for row in observe(lab).ingress_networks] == [row.id for row in before.ingress_networks]
