"""The parts that no rebuild can do without, each measured by itself: one service, one container, nobody else moving.

Stop: from telling one service that ignores SIGTERM to let go, until its task has left. Remove: an ingress that nobody
is on. Create: until it is allocated. Start: one container, from the update until it runs on the new ingress.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import docker

from overlayweb.domain import specs
from overlayweb.domain.specs import Spec
from tests.lab import health, services
from tests.lab.daemon import Node, wait_until
from tests.lab.swarm import Lab

REPEAT = 3
_PORT = 8999
_LIMIT = 60.0
_EVERY = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Seconds of each part, medians."""

    stop: float
    remove: float
    create: float
    start: float

    @property
    def total(self) -> float:
        """One after the other."""
        return round(self.stop + self.remove + self.create + self.start, 2)


def measure(lab: Lab) -> Floor:
    """Measure all parts REPEAT times on an empty Swarm, which is left with the one service."""
    spec = services.slow_stopping("floor", services.ingress_port(_PORT), replicas=1)
    service_id = services.create(lab.manager, spec)
    lab.wait_running()
    parts = [_cycle(lab.manager, service_id, Spec.of(_service(lab.manager, service_id)["Spec"])) for _ in range(REPEAT)]
    medians = [round(statistics.median(values), 2) for values in zip(*parts, strict=True)]
    return Floor(stop=medians[0], remove=medians[1], create=medians[2], start=medians[3])


def _cycle(node: Node, service_id: str, spec: Spec) -> tuple[float, float, float, float]:
    old = health.ingress_ids(node)[0]
    stop = _timed(
        lambda: services.update(node, service_id, specs.held(spec).document()), lambda: not _states(node, old), "stop"
    )
    remove = _timed(
        lambda: node.request("DELETE", f"/networks/{old}"), lambda: not _ingresses(node) and _released(node, old), "go"
    )
    create = _timed(lambda: _create(node), lambda: any(row["Driver"] for row in _ingresses(node)), "be allocated")
    new, target = health.ingress_ids(node)[0], specs.starting(spec, was_held=True).document()
    start = _timed(
        lambda: services.update(node, service_id, target), lambda: _states(node, new) == ["running"], "start"
    )
    services.update(node, service_id, spec.document())
    return stop, remove, create, start


def _timed(act: Callable[[], object], done: Callable[[], bool], what: str) -> float:
    started = time.monotonic()
    act()
    wait_until(done, what=f"the part to {what}", timeout=_LIMIT, every=_EVERY)
    return time.monotonic() - started


def _states(node: Node, network_id: str) -> list[str]:
    """States of the Swarm tasks that have not left the network."""
    rows = node.request("GET", "/tasks")
    on = [row for row in rows if any(a["Network"]["ID"] == network_id for a in row.get("NetworksAttachments") or [])]
    return [state for row in on if (state := str(row["Status"]["State"])) not in {"shutdown", "failed", "complete"}]


def _ingresses(node: Node) -> list[dict[str, Any]]:
    return [row for row in node.request("GET", "/networks") if row.get("Ingress")]


def _released(node: Node, network_id: str) -> bool:
    try:
        node.request("GET", f"/networks/{network_id}")
    except docker.errors.NotFound:
        return True
    return False


def _create(node: Node) -> None:
    node.request("POST", "/networks/create", {"Name": "ingress", "Driver": "overlay", "Ingress": True})


def _service(node: Node, service_id: str) -> dict[str, Any]:
    return dict(node.request("GET", f"/services/{service_id}"))
