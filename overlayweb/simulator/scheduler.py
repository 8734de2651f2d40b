"""The leader's scheduler: pending Swarm tasks get a node, or words that say why none will do.

Source: swarmkit, manager/scheduler: filters in this order, then the node with the fewest tasks of the service.
"""

import re
from collections.abc import Callable

from overlayweb.simulator.records import Document, Node, State, SwarmTask
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times

_CONSTRAINT = re.compile(r"^\s*([\w.\-/]+)\s*(==|!=)\s*(.*?)\s*$")


class Scheduler:
    """Places what is pending, a moment after each change, and again whenever a node or a Swarm task changes."""

    def __init__(self, store: Store, times: Times) -> None:
        self._store = store
        self._times = times
        self._pending: dict[str, SwarmTask] = {}
        self._planned = False
        self.running: Callable[[], bool] = lambda: True
        store.watch(SwarmTask, self._task_changed)
        store.watch(Node, self._node_changed)

    def plan(self) -> None:
        """Look at what is pending in a moment."""
        if not self._planned and self._pending:
            self._planned = True
            self._store.agenda.after(self._times.schedule, self._run)

    def _task_changed(self, swarm_task: SwarmTask, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if swarm_task.state is State.PENDING and swarm_task.to_place and not gone:
            if swarm_task.id in self._pending:
                return
            self._pending[swarm_task.id] = swarm_task
            self.plan()
            return
        self._pending.pop(swarm_task.id, None)
        if gone or swarm_task.state.ended:
            self.plan()  # it has left room

    def _node_changed(self, _node: Node, _gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        self.plan()

    def _run(self) -> None:
        self._planned = False
        if not self.running():
            return
        hopeless: dict[tuple[str, int, str], str] = {}
        for swarm_task in [*self._pending.values()]:
            if swarm_task.state is not State.PENDING or not swarm_task.to_place:
                self._pending.pop(swarm_task.id, None)
                continue
            # What holds for one of a service holds for its like: they are looked at as a group.
            alike = (swarm_task.service_id, swarm_task.spec_version, swarm_task.node_id)
            why = hopeless.get(alike) or self._schedule(swarm_task)
            if why:
                hopeless[alike] = why
                self._explain(swarm_task, why)

    def _explain(self, swarm_task: SwarmTask, why: str) -> None:
        if swarm_task.error != why:
            swarm_task.error, swarm_task.message = why, "pending task scheduling"
            self._store.write(swarm_task)

    def _schedule(self, swarm_task: SwarmTask) -> str:
        """Give it a node; returns the words why there is none, "" when there is."""
        fixed = swarm_task.node_id
        nodes = [self._store.nodes[fixed]] if fixed in self._store.nodes else [*self._store.nodes.values()]
        fitting, why = self._sift(swarm_task, nodes)
        if not fitting:
            return why
        node = min(fitting, key=lambda node: self._load(node, swarm_task))
        self._pending.pop(swarm_task.id, None)
        self._store.place(swarm_task, node.id)
        words = "scheduler confirmed task can run on preassigned node" if fixed else "scheduler assigned task to node"
        self._store.set_state(swarm_task, State.ASSIGNED, message=words)
        return ""

    def _sift(self, swarm_task: SwarmTask, nodes: list[Node]) -> tuple[list[Node], str]:
        """The nodes that will do, or the engine's words for why none does."""
        failed: dict[str, int] = {}
        fitting = []
        for node in nodes:
            why = self._obstacle(node, swarm_task)
            if why:
                failed[why] = failed.get(why, 0) + 1
            else:
                fitting.append(node)
        reasons = "; ".join(_counted(why, count) for why, count in sorted(failed.items(), key=lambda row: -row[1]))
        return fitting, f"no suitable node ({reasons})" if reasons else "no suitable node"

    def _obstacle(self, node: Node, swarm_task: SwarmTask) -> str:
        if node.state != "ready" or node.availability != "active":
            return "{n} not available for new tasks"
        here = self._store.tasks_by_node.get(node.id, {}).values()
        others = [row for row in here if row is not swarm_task and not row.state.ended]
        return next((why for fits, why in _FILTERS if not fits(node, swarm_task, others)), "")

    def _load(self, node: Node, swarm_task: SwarmTask) -> tuple[int, int]:
        here = [row for row in self._store.tasks_by_node.get(node.id, {}).values() if row.wanted]
        return sum(row.service_id == swarm_task.service_id for row in here), len(here)


def constraints(template: Document) -> list[str]:
    """The placement constraints of a task template."""
    found: list[str] = (template.get("Placement") or {}).get("Constraints") or []
    return found


def meets(node: Node, wanted: list[str]) -> bool:
    """Whether the node meets every constraint."""
    return all(_meets(node, one) for one in wanted)


def _meets(node: Node, constraint: str) -> bool:
    match = _CONSTRAINT.match(constraint)
    if match is None:
        return False
    key, operator, value = match.groups()
    return (_fact(node, key).lower() == value.lower()) == (operator == "==")


def _fact(node: Node, key: str) -> str:
    if key.startswith("node.labels."):
        return str((node.spec.get("Labels") or {}).get(key.removeprefix("node.labels."), ""))
    facts = {
        "node.id": node.id,
        "node.hostname": node.name,
        "node.role": str(node.spec["Role"]),
        "node.platform.os": node.os,
        "node.platform.arch": "x86_64",
    }
    return facts.get(key, "")


def _meets_constraints(node: Node, swarm_task: SwarmTask, _others: list[SwarmTask]) -> bool:
    return meets(node, constraints(swarm_task.spec))


def _has_room(node: Node, swarm_task: SwarmTask, others: list[SwarmTask]) -> bool:
    for key, there_is in (("NanoCPUs", node.nano_cpus), ("MemoryBytes", node.memory_bytes)):
        wanted = _reserved(swarm_task, key)
        if wanted and (wanted > there_is or wanted + sum(_reserved(row, key) for row in others) > there_is):
            return False
    return True


def _reserved(swarm_task: SwarmTask, key: str) -> int:
    resources = swarm_task.spec.get("Resources") or {}
    return int((resources.get("Reservations") or {}).get(key) or 0)


def _right_platform(node: Node, swarm_task: SwarmTask, _others: list[SwarmTask]) -> bool:
    platforms = (swarm_task.spec.get("Placement") or {}).get("Platforms") or []
    return not platforms or any(row.get("OS", node.os) == node.os for row in platforms)


def _host_ports_free(_node: Node, swarm_task: SwarmTask, others: list[SwarmTask]) -> bool:
    wanted = _host_ports(swarm_task)
    return not wanted or not wanted & {port for row in others for port in _host_ports(row)}


def _below_most(_node: Node, swarm_task: SwarmTask, others: list[SwarmTask]) -> bool:
    most = (swarm_task.spec.get("Placement") or {}).get("MaxReplicas") or 0
    return not most or sum(row.service_id == swarm_task.service_id and row.wanted for row in others) < most


def _host_ports(swarm_task: SwarmTask) -> set[tuple[str, int]]:
    ports = (swarm_task.endpoint_spec or {}).get("Ports") or ()
    rows = (port for port in ports if port["PublishMode"] == "host" and port.get("PublishedPort"))
    return {(port["Protocol"], port["PublishedPort"]) for port in rows}


def _counted(why: str, count: int) -> str:
    return why.replace("{n}", f"{count} node{'' if count == 1 else 's'}")


_FILTERS = (
    (_has_room, "insufficient resources on {n}"),
    (_meets_constraints, "scheduling constraints not satisfied on {n}"),
    (_right_platform, "unsupported platform on {n}"),
    (_host_ports_free, "host-mode port already in use on {n}"),
    (_below_most, "max replicas per node limit exceed"),
)
