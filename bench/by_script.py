"""The rebuild by a bare script that knows the proven order: everything at once, nothing recorded.

What Overlayweb is to be held against, with either strategy: the same restarts by the same API, without the ledger,
the approvals, the second look and the way back, and without releasing slow stoppers before quick ones.
"""

from collections.abc import Callable, Sequence
from functools import partial

import docker

from overlayweb.domain import specs
from overlayweb.domain.plans import IngressSettings, Strategy
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Service
from overlayweb.engine.swarm import ingress_body
from tests.lab import services as lab_services
from tests.lab.daemon import Node, wait_until
from tests.lab.health import ingress_ids
from tests.lab.swarm import Lab

STEP_SECONDS = 120.0
EVERY_SECONDS = 0.1
TRIES = 5
LEFT = frozenset({"shutdown", "failed", "complete", "rejected", "remove"})


def rebuild(
    *, lab: Lab, services: Sequence[Service], ingress_id: str, settings: IngressSettings, strategy: Strategy
) -> None:
    """Take all off, wait until they left, remove, create, publish all, wait until they run, put the specs back.

    Raises TimeoutError where a wait takes too long.
    """
    node = lab.manager
    targets = {service.id: specs.pinned(service.spec, service.ports) for service in services}
    was_held = strategy is Strategy.STOP
    wanted = _on(node, ingress_id).count("running")
    _write(node, targets, specs.held if was_held else specs.unpublished)
    _wait(lambda: not _on(node, ingress_id), "every container to leave")
    node.request("DELETE", f"/networks/{ingress_id}")
    _wait(lambda: not ingress_ids(node), "the old ingress to be gone")
    node.request("POST", "/networks/create", ingress_body(settings=settings, labels={}))
    _wait(lambda: _allocated(node), "the new ingress to be allocated")
    _nudge(lab, {"nudged": "by-script"})
    _write(node, targets, lambda spec: specs.starting(spec, was_held=was_held))
    new = ingress_ids(node)[0]
    _wait(lambda: _on(node, new).count("running") >= wanted, "every container to run")
    _write(node, targets, lambda spec: spec)
    _nudge(lab, {})


def _write(node: Node, targets: dict[str, Spec], make: Callable[[Spec], Spec]) -> None:
    for service_id, target in targets.items():
        _again(partial(lab_services.update, node, service_id, make(target).document()))


def _again(write: Callable[[], None]) -> None:
    """Write; read and write again while Swarm raised the version between the two."""
    for _ in range(TRIES):
        try:
            return write()
        except docker.errors.APIError as error:
            if "out of sequence" not in str(error):
                raise
    return write()


def _nudge(lab: Lab, labels: dict[str, str]) -> None:
    """Make every node look for the new ingress, those without a published service too."""
    for node in lab.nodes:
        _again(partial(lab_services.set_node_labels, lab.manager, node.name, labels))


def _wait(check: Callable[[], bool], what: str) -> None:
    wait_until(check, what=what, timeout=STEP_SECONDS, every=EVERY_SECONDS)


def _on(node: Node, network_id: str) -> list[str]:
    """States of the Swarm tasks that have not left the network."""
    rows = node.request("GET", "/tasks")
    on = [row for row in rows if any(a["Network"]["ID"] == network_id for a in row.get("NetworksAttachments") or [])]
    return [state for row in on if (state := str(row["Status"]["State"])) not in LEFT]


def _allocated(node: Node) -> bool:
    return any(row.get("Ingress") and row["Driver"] for row in node.request("GET", "/networks"))
