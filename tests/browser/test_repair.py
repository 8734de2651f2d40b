"""A wedged mesh repaired in the browser by two people, with a third one at the nodes who restarts what is named."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from overlayweb.domain import mesh
from overlayweb.domain.swarm import Swarm
from tests.browser.people import Person, person
from tests.browser.test_main_job import approve, come_in, ended, watch
from tests.lab import health, naive
from tests.lab import services as lab_services
from tests.lab.daemon import wait_until
from tests.lab.services import ingress_port, replicated
from tests.lab.swarm import Lab
from tests.support import installations, ports
from tests.workflows.rig import observe

pytestmark = [pytest.mark.requires("dockerd", "chromium"), pytest.mark.timeout(300)]

SUBNET = "10.78.0.0/24"
WHY = "The old subnet collides with the VPN."
"""What the reviewer looks for on the change's page."""


@pytest.fixture
def data() -> Iterator[Path]:
    yield from installations.data_folder()


@pytest.fixture
def before(lab: Lab) -> Swarm:
    """Two published services on a healthy lab, as seen before the careless script wedges it."""
    lab.reset()
    wanted = [replicated("web", ingress_port(8101), replicas=3), replicated("api", ingress_port(8102), replicas=2)]
    lab.wait_running({spec["Name"]: lab_services.create(lab.manager, spec) for spec in wanted}, timeout=60)
    healthy = observe(lab)
    naive.rebuild(lab.manager, subnet=SUBNET, gateway="10.78.0.1")
    wait_until(lambda: len(health.stale_ingress(lab.nodes)) == 3, what="every node to hold it", timeout=20)
    lab.calm()
    wait_until(lambda: mesh.recognise(observe(lab)).wedged, what="the wedge to show", timeout=20)
    return healthy


def ask(ana: Person, address: str) -> str:
    """Ana follows the banner's button, reads what is wrong and asks for the repair; returns the change's address."""
    ana.page.goto(f"{address}/history/")
    ana.sees(re.compile("The routing mesh is wedged"))
    ana.page.get_by_role("link", name="Plan a repair").click()
    for node in ("node1", "node2", "node3"):
        ana.sees(re.compile(f"Restart Docker on {node}"))
    ana.page.get_by_label("Why").fill(WHY)
    ana.page.get_by_role("button", name="Ask for approval").click()
    ana.page.wait_for_url(re.compile(r"/changes/\d+/$"))
    return ana.page.url


def obey(lab: Lab, ana: Person) -> list[str]:
    """Restart the engine that Ana's page names, as whoever has a shell there would, until it names no other one."""
    done: list[str] = []
    while len(done) < len(lab.nodes):
        known = "|".join(done) or "nobody"
        asked = ana.page.locator("#job-restarts h2").filter(has_not_text=re.compile(known)).first
        expect(asked).to_be_visible(timeout=60_000)
        node = next(node for node in lab.nodes if node.name in asked.inner_text())
        ana.sees("systemctl restart docker")
        node.restart()
        done.append(node.name)
    return done


def test_two_people_repair_a_wedged_mesh(lab: Lab, before: Swarm, browser: Browser, data: Path) -> None:
    with (
        installations.up(data, ports.free_port(), DOCKER_HOST=lab.manager.socket) as installed,
        person(browser, "Ana") as ana,
        person(browser, "Ben", width=390, height=844) as ben,
    ):
        come_in(installed, ana, ben)
        change = ask(ana, installed.address)
        approve(ben, change)
        watch(ana, change)
        assert obey(lab, ana)[-1] == lab.manager.name
        ended(ana)
        ana.sees(re.compile("The routing mesh is whole"))
        ana.page.goto(f"{installed.address}/clusters/local/ingress/")
        expect(ana.page.get_by_text("The routing mesh is wedged")).to_have_count(0)
        assert ana.complaints == []
    assert_whole(lab, before)


def assert_whole(lab: Lab, before: Swarm) -> None:
    """One ingress on every node, specs equal, every service at full strength, nothing wrong with the mesh."""
    lab.wait_running(timeout=10)
    now = observe(lab)
    assert mesh.recognise(now).findings == ()
    assert [network.ipam[0].subnet for network in now.ingress_networks] == [SUBNET]
    assert health.stale_ingress(lab.nodes) == {}
    assert {s.name: s.spec for s in now.services} == {s.name: s.spec for s in before.services}
