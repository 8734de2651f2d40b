"""A simulated Swarm with its clock in the test's hand, and the two ways to rebuild its ingress."""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from overlayweb.domain import specs
from overlayweb.domain.specs import Spec
from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.world import World

Document = dict[str, Any]
STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
API = {"20.10.24": "1.41", "26.1.5": "1.45", "28.5.2": "1.51", "29.0.0": "1.52"}
CALL_SECONDS = 0.01
"""What one call of a client takes."""


class Driver:
    """Three nodes, the first one the manager, unless told otherwise; the ingress is on all of them."""

    def __init__(
        self, *, seed: int = 7, engine: str = "28.5.2", nodes: int = 3, world: World | None = None, **options: Any
    ) -> None:
        if world is not None:  # one that is there already
            self.world = world
            return
        self.world = World(seed=seed, engine_version=engine, api_version=API[engine], started_at=STARTED_AT, **options)
        for number in range(nodes):
            self.world.add_node(f"node{number + 1}")
        self.spend(5)

    @property
    def names(self) -> list[str]:
        return self.world.node_names

    def spend(self, seconds: float) -> None:
        """Let time pass."""
        self.world.advance(self.world.now + seconds)

    def until(self, condition: Callable[[], object], *, within: float = 60.0, every: float = 0.1) -> float:
        """Let time pass until the condition holds; returns how long that took."""
        since = self.world.now
        while not condition():
            assert self.world.now - since < within, f"not within {within} s"
            self.spend(every)
        return self.world.now - since

    # -- services

    def create(self, spec: Document) -> str:
        self.spend(CALL_SECONDS)
        return str(self.world.create_service(spec)["ID"])

    def mix(self, specifications: Iterable[Document]) -> dict[str, str]:
        """Create the services and wait until all run; ids by name."""
        ids = {spec["Name"]: self.create(spec) for spec in specifications}
        self.spend(1)  # a global service wants no tasks before it has any
        self.until(self.whole)
        return ids

    def spec(self, ref: str) -> Document:
        return copy.deepcopy(self.world.service(ref)["Spec"])

    def update(self, ref: str, spec: Document) -> None:
        """Replace the spec."""
        self.spend(CALL_SECONDS)
        self.world.update_service(ref, self.world.service(ref)["Version"]["Index"], spec)

    def change(self, ref: str, **parts: Any) -> None:
        """Replace top-level parts of the spec."""
        self.update(ref, {**self.spec(ref), **parts})

    def tasks(self, ref: str) -> list[Document]:
        service_id = self.world.service(ref)["ID"]
        return [row for row in self.world.tasks() if row["ServiceID"] == service_id]

    def states(self, ref: str) -> Counter[str]:
        """States of the tasks that are meant to run."""
        return Counter(row["Status"]["State"] for row in self.tasks(ref) if row["DesiredState"] == "running")

    def weak(self) -> list[str]:
        """Services that do not run at full strength, or are being updated."""
        found = []
        for row in self.world.services(status=True):
            status = row["ServiceStatus"]
            updating = row.get("UpdateStatus", {}).get("State") in {"updating", "rollback_started"}
            if status["RunningTasks"] != status["DesiredTasks"] or updating:
                found.append(f"{row['Spec']['Name']} {status['RunningTasks']}/{status['DesiredTasks']}")
        return found

    def whole(self) -> bool:
        return not self.weak()

    # -- networks

    def ingress(self, view: str = "") -> list[Document]:
        return [row for row in self.world.networks(view) if row["Ingress"]]

    def held(self) -> dict[str, list[str]]:
        """Which ingress networks each node holds itself, as ids; one that does not answer is left out."""
        manager, *workers = self.names
        held = {name: [row["Id"] for row in self.ingress(name)] for name in workers if self.world.answers(name)}
        if self.world.answers(manager):
            held[manager] = [row["Id"] for row in self.ingress(manager) if self._is_local(row["Id"])]
        return held

    def _is_local(self, network_id: str) -> bool:
        return "Peers" in self.world.network(network_id, self.names[0])

    def peers(self, network_id: str) -> set[str]:
        """Addresses of the peers that the manager sees; none while its own node does not hold the network."""
        return {row["IP"] for row in self.world.network(network_id).get("Peers", ())}

    @property
    def addresses(self) -> set[str]:
        return {row["Status"]["Addr"] for row in self.world.nodes()}

    def create_ingress(self, subnet: str, **extra: Any) -> str:
        self.spend(CALL_SECONDS)
        config = {"Config": [{"Subnet": subnet}]}
        body = {"Name": "ingress", "Driver": "overlay", "Ingress": True, "CheckDuplicate": True, "IPAM": config}
        return str(self.world.create_network({**body, **extra})["Id"])

    def create_overlay(self, name: str, subnet: str = "", **extra: Any) -> str:
        self.spend(CALL_SECONDS)
        config = {"IPAM": {"Config": [{"Subnet": subnet}]}} if subnet else {}
        return str(self.world.create_network({"Name": name, "Driver": "overlay", **config, **extra})["Id"])

    def allocated(self, network_id: str) -> bool:
        return any(row["Id"] == network_id and row["Driver"] for row in self.world.networks())

    def nudge(self, value: str, names: Iterable[str] = ()) -> None:
        """Change a label on each node."""
        for row in self.world.nodes():
            if not names or row["Description"]["Hostname"] in names:
                self.spend(CALL_SECONDS)
                fresh = self.world.node(row["ID"])
                spec = {**fresh["Spec"], "Labels": {**fresh["Spec"]["Labels"], "nudge": value}}
                self.world.update_node(row["ID"], fresh["Version"]["Index"], spec)

    def set_availability(self, name: str, availability: str) -> None:
        row = self.world.node(name)
        self.world.update_node(name, row["Version"]["Index"], {**row["Spec"], "Availability": availability})


def published(driver: Driver) -> list[str]:
    """Ids of the services whose spec publishes through the ingress."""
    rows = driver.world.services()
    return [row["ID"] for row in rows if specs.publishes_through_ingress(Spec.of(row["Spec"]))]


def rebuild_carelessly(driver: Driver, subnet: str) -> str | None:
    """Unpublish, remove, create, publish: nothing waited for, refusals passed over. As tests/lab/naive.py."""
    before = {key: driver.spec(key) for key in published(driver)}
    for key, spec in before.items():
        driver.update(key, {**spec, "EndpointSpec": {"Mode": "vip"}})
    for row in driver.ingress():
        driver.world.remove_network(row["Id"])
    created = None
    for _ in range(50):
        try:
            created = driver.create_ingress(subnet, CheckDuplicate=False)
            break
        except ApiError as error:
            if error.status != 409:
                raise
        driver.spend(0.1)
    for key, spec in before.items():
        with suppress(ApiError):
            driver.update(key, spec)
    return created


def rebuild_in_order(driver: Driver, subnet: str, *, hold: bool = True) -> str:
    """The proven order: off, drained, removed, gone, created, allocated, nudged, published, restored."""
    before = {key: specs.pinned(Spec.of(driver.spec(key)), _chosen(driver, key)) for key in published(driver)}
    (old,) = driver.ingress()
    for key, spec in before.items():
        driver.update(key, (specs.held(spec) if hold else specs.unpublished(spec)).document())
    driver.until(lambda: drained(driver, old["Id"]))
    driver.world.remove_network(old["Id"])
    driver.until(lambda: old["Id"] not in {row["Id"] for row in driver.ingress()}, within=20)
    created = driver.create_ingress(subnet)
    driver.until(lambda: driver.allocated(created), within=5)
    driver.nudge("1")
    for key, spec in before.items():
        driver.update(key, specs.starting(spec, was_held=hold).document())
    driver.until(driver.whole)
    for key, spec in before.items():
        driver.update(key, spec.document())
    return created


def drained(driver: Driver, network_id: str) -> bool:
    """Whether no task may be on the network any more, as far as a manager shows it."""
    ended = {"complete", "shutdown", "failed", "rejected", "remove"}
    return not any(
        row.get("NodeID")
        and row["Status"]["State"] not in ended
        and network_id in {place["Network"]["ID"] for place in row.get("NetworksAttachments", ())}
        for row in driver.world.tasks()
    )


def _chosen(driver: Driver, key: str) -> list[Any]:
    endpoint = driver.world.service(key)["Endpoint"]
    return [*specs.ports_of(Spec.of({"EndpointSpec": {"Ports": endpoint.get("Ports", [])}}))]
