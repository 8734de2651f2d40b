"""Overlays on a real three-node Swarm, from the browser: made, connected, drifted from, replaced and deleted.

One story: each test goes on where the one before it ended.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, expect

from overlayweb.domain.swarm import Network, Service
from tests.browser.people import Person, chromium, person
from tests.browser.test_main_job import come_in, ended, watch
from tests.lab import image
from tests.lab import services as lab_services
from tests.lab.services import SECOND, replicated
from tests.lab.swarm import Lab
from tests.support import installations, ports
from tests.support.installations import Installation
from tests.workflows.rig import observe

pytestmark = [pytest.mark.requires("dockerd", "chromium"), pytest.mark.timeout(300)]

NET, OUTSIDE, BOX = "shop_data", "made_outside", "shell"
SEEN_MS = 90_000
"""A whole look comes once a minute; news of networks and services come at once."""


@dataclass
class Stage:
    """The lab, the installation in front of it, and two people with a browser each."""

    lab: Lab
    installed: Installation
    ana: Person
    ben: Person

    def at(self, place: str) -> str:
        """The address of a page of the cluster."""
        return f"{self.installed.address}/clusters/local/{place}"

    def open_network(self, name: str) -> None:
        """Ana opens the page of a network from the list."""
        self.ana.page.goto(self.at(f"networks/?q={name}"))
        self.ana.page.locator("#found").get_by_role("link", name=name, exact=True).click()

    def look_again(self) -> None:
        """Ana has the cluster looked at now."""
        self.ana.page.goto(self.at(""))
        self.ana.page.get_by_role("button", name="Look again").click()

    def carry_out(self, why: str) -> None:
        """Ana says why and asks, Ben approves, both see it done."""
        self.ana.page.get_by_label("Why").fill(why)
        self.ana.page.get_by_role("button", name="Ask for approval").click()
        self.ana.page.wait_for_url(re.compile(r"/changes/\d+/$"))
        change = self.ana.page.url
        self.ben.page.goto(change)
        self.ben.sees(why)
        self.ben.page.get_by_role("button", name=re.compile("Approve plan")).click()
        self.ben.page.wait_for_url(re.compile(r"/(jobs|changes)/\d+/$"))
        watch(self.ana, change)
        ended(self.ana)

    def network(self, name: str) -> Network | None:
        """The overlay as the engine itself shows it."""
        return next((row for row in observe(self.lab).networks if row.name == name), None)

    def service(self, name: str) -> Service:
        """The service as the engine itself shows it."""
        return next(row for row in observe(self.lab).services if row.name == name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def stage(lab: Lab, browser: Browser) -> Iterator[Stage]:
    lab.reset()
    ids = {}
    for name in ("web", "api"):
        spec = replicated(name, replicas=2)
        spec["UpdateConfig"] = {"Parallelism": 1, "Order": "start-first", "Monitor": SECOND, "FailureAction": "pause"}
        ids[name] = lab_services.create(lab.manager, spec)
    lab.wait_running(ids, timeout=60)
    for data in installations.data_folder():
        with (
            installations.up(data, ports.free_port(), DOCKER_HOST=lab.manager.socket) as installed,
            person(browser, "Ana") as ana,
            person(browser, "Ben", width=390, height=844) as ben,
        ):
            come_in(installed, ana, ben)
            yield Stage(lab, installed, ana, ben)
            assert ana.complaints + ben.complaints == []


def test_a_network_is_made_after_a_mistake(stage: Stage) -> None:
    ana = stage.ana
    ana.page.goto(stage.at("networks/"))
    ana.page.get_by_role("link", name="Create a network").click()
    ana.field("Name").press_sequentially(NET, delay=10)
    ana.field("Subnets").press_sequentially("192.168.60.0/25 10.1.1.1", delay=10)
    ana.field("MTU").press_sequentially("20", delay=10)
    expect(ana.page.locator("#verdict-subnets")).to_contain_text("overlaps")
    expect(ana.page.locator("#verdict-subnets")).to_contain_text("10.1.1.1")
    expect(ana.page.locator("#verdict-mtu")).to_contain_text("outside 576 to 9000")
    ana.page.get_by_label("Why").fill("In a hurry.")
    ana.page.get_by_role("button", name="Ask for approval").click()
    ana.sees(re.compile("to mend"))
    expect(ana.field("Name")).to_have_value(NET)
    refused = ana.complaints.pop()
    assert "422" in refused, "the console says that the form was not taken, and nothing else"

    ana.field("MTU").fill("1450")
    ana.page.get_by_label("Attachable").check()
    ana.page.get_by_role("button", name="Pick a block").click()
    picked = ana.field("Subnets").input_value()
    ana.sees(re.compile(rf"docker network create --driver overlay --attachable --subnet {re.escape(picked)}"))
    stage.carry_out("The shop needs one.")
    made = stage.network(NET)
    assert made is not None
    assert (made.allocated, made.attachable, made.mtu, made.ipam[0].subnet) == (True, True, "1450", picked)
    assert "com.overlayweb.job" in dict(made.labels)
    stage.open_network(NET)
    ana.sees("registered; present on 0 of 3 nodes")


def test_services_are_connected_and_seen_in_the_matrix(stage: Stage) -> None:
    ana = stage.ana
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Connect services").click()
    for name in ("api", "web"):
        ana.page.get_by_role("checkbox", name=name).check()
    ana.page.get_by_label("Aliases of api").fill("backend")
    expect(ana.page.locator("#preview")).to_contain_text("api")
    stage.carry_out("The shop talks to its data.")
    found = stage.network(NET)
    assert found is not None
    assert stage.service("api").network_ids == stage.service("web").network_ids == (found.id,)
    (attached,) = stage.service("api").spec.document()["TaskTemplate"]["Networks"]
    assert attached == {"Target": found.id, "Aliases": ["backend"]}
    ana.page.goto(stage.at("reach"))
    expect(ana.page.locator("table.who tbody tr").filter(has_text="api")).to_contain_text("attached")
    ana.page.get_by_role("link", name="api", exact=True).click()
    expect(ana.page.get_by_role("row").filter(has_text=NET)).to_contain_text("backend")
    expect(ana.page.get_by_role("row").filter(has_text=NET)).to_contain_text("web")


def test_a_standalone_container_is_connected_by_the_form(stage: Stage) -> None:
    ana, node = stage.ana, stage.lab.manager
    box = node.cli("run", "--detach", "--name", "helper", image.IMAGE, "sleep", "600").strip()
    stage.look_again()
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Connect containers").click()
    ana.sees("Not asked: node2, node3.")
    ana.page.get_by_role("checkbox", name="helper on node1").check()
    expect(ana.page.locator("#preview")).to_contain_text("docker network connect")
    stage.carry_out("To look at the queue.")
    found = stage.network(NET)
    assert found is not None
    assert box in stage.lab.containers_on(found.id)["node1"]
    node.cli("rm", "--force", "helper")


def test_a_standalone_container_is_shown_and_keeps_the_network(stage: Stage) -> None:
    ana, node = stage.ana, stage.lab.nodes[1]
    box = node.cli("run", "--detach", "--name", BOX, "--network", NET, image.IMAGE, "sleep", "600").strip()
    stage.look_again()
    stage.open_network(NET)
    expect(ana.page.get_by_role("row").filter(has_text=box[:12])).to_contain_text("node2")
    ana.sees(f"docker network disconnect {NET} {box[:12]}")
    ana.page.get_by_role("link", name="Delete…").click(force=True)  # it leads to what is in the way
    for words in ("api is attached", "web is attached", f"Standalone container {box[:12]} on node2"):
        expect(ana.page.locator("#in-use")).to_contain_text(words)
    node.cli("rm", "--force", BOX)


def test_what_was_made_outside_is_drift_and_can_be_adopted(stage: Stage) -> None:
    ana = stage.ana
    lab_services.create_overlay(stage.lab.manager, OUTSIDE)
    ana.page.goto(stage.at("drift"))
    row = ana.page.locator("section.drift").filter(has_text=OUTSIDE)
    for _ in range(30):
        if row.count():
            break
        ana.page.wait_for_timeout(500)
        ana.page.reload()
    expect(row).to_contain_text("Nobody approved it")
    row.get_by_text("Adopt: this is how it shall be").click()
    row.get_by_label("Why it shall stay so").fill("The monitoring team owns it.")
    row.get_by_role("button", name="Adopt as found").click()
    expect(ana.page.locator("section.drift").filter(has_text=OUTSIDE)).to_have_count(0)
    assert stage.network(OUTSIDE) is not None


def test_a_setting_that_docker_cannot_change_is_changed_under_the_same_name(stage: Stage) -> None:
    ana, before = stage.ana, stage.network(NET)
    stage.look_again()
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Replace…").click()
    ana.page.get_by_label(re.compile(f"Keep the name {NET}")).check()
    ana.field("MTU").fill("1400")
    expect(ana.page.locator("#preview")).to_contain_text("api")
    stage.carry_out("The provider's path is smaller.")
    after = stage.network(NET)
    assert before is not None
    assert after is not None
    assert (after.mtu, after.attachable, after.ipam) == ("1400", True, before.ipam)
    assert after.id != before.id
    (attached,) = stage.service("api").spec.document()["TaskTemplate"]["Networks"]
    assert attached == {"Target": after.id, "Aliases": ["backend"]}
    names = {row.name for row in observe(stage.lab).networks if row.scope == "swarm"}
    assert names == {"ingress", NET, OUTSIDE}


def test_addresses_and_readiness_show_the_real_swarm(stage: Stage) -> None:
    ana, found = stage.ana, stage.network(NET)
    assert found is not None
    ana.page.goto(stage.at("addresses"))
    expect(ana.page.get_by_role("row").filter(has_text=NET).first).to_contain_text(found.ipam[0].subnet)
    ana.page.goto(stage.at("readiness/"))
    ana.sees("Manager of a Swarm")
    ana.page.get_by_role("button", name="Check now").click()
    expect(ana.page.get_by_text("checked never")).to_have_count(0, timeout=SEEN_MS)
    for node in stage.lab.nodes:
        expect(ana.page.locator("table.reach tr").filter(has_text=node.name)).to_contain_text(node.address)


def test_what_nobody_uses_any_more_is_deleted(stage: Stage) -> None:
    ana = stage.ana
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Connect services").click()
    for name in ("api", "web"):
        ana.page.get_by_role("checkbox", name=name).uncheck()
    stage.carry_out("The shop moves out.")
    for name in ("api", "web"):
        assert stage.service(name).network_ids == ()
    stage.open_network(NET)
    for name in ("api", "web"):
        expect(ana.page.locator("#in-use")).to_contain_text(f"docker service update --detach {name}")
        stage.lab.manager.cli("service", "update", "--detach", name)
    stage.look_again()
    stage.open_network(NET)
    ana.page.get_by_role("link", name="Delete…").click()
    stage.carry_out("Nobody uses it.")
    assert stage.network(NET) is None
    ana.page.goto(f"{stage.installed.address}/history/")
    ana.sees(re.compile(f"Delete {NET}"))
