"""Two people in front of an installation, and the real Swarm behind it, for stories about overlays."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Browser, Locator, expect

from overlayweb.domain.swarm import Network, Service
from tests.browser.people import Person, person
from tests.browser.test_main_job import come_in, ended, watch
from tests.lab import services as lab_services
from tests.lab.services import SECOND, Port, replicated
from tests.lab.swarm import Lab
from tests.support import installations, ports
from tests.support.installations import Installation
from tests.workflows.rig import observe


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

    def reload_until(self, shown: Locator) -> Locator:
        """Ana reloads the page until it shows this."""
        for _ in range(60):  # news wait their turn on a busy machine
            if shown.count():
                break
            self.ana.page.wait_for_timeout(500)
            self.ana.page.reload()
        expect(shown).to_be_visible()
        return shown

    def carry_out(self, why: str) -> None:
        """Ana says why and asks, Ben approves, Ana sees it done."""
        self.begin(why)
        ended(self.ana)

    def begin(self, why: str) -> None:
        """Ana says why and asks, Ben approves, Ana watches the job."""
        self.ana.page.get_by_label("Why").fill(why)
        self.ana.page.get_by_role("button", name="Ask for approval").click()
        self.ana.page.wait_for_url(re.compile(r"/changes/\d+/$"))
        change = self.ana.page.url
        self.ben.page.goto(change)
        self.ben.sees(why)
        self.ben.page.get_by_role("button", name=re.compile("Approve plan")).click()
        self.ben.page.wait_for_url(re.compile(r"/(jobs|changes)/\d+/$"))
        watch(self.ana, change)

    def network(self, name: str) -> Network | None:
        """The overlay as the engine itself shows it."""
        return next((row for row in observe(self.lab).networks if row.name == name), None)

    def service(self, name: str) -> Service:
        """The service as the engine itself shows it."""
        return next(row for row in observe(self.lab).services if row.name == name)


def opened(lab: Lab, browser: Browser, **services: list[Port]) -> Iterator[Stage]:
    """A lab with these services, each with its ports, updated one container after the other, the new one first."""
    lab.reset()
    ids = {}
    for name, published in services.items():
        spec = replicated(name, *published, replicas=2)
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
