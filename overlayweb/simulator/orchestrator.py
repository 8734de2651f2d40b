"""The leader's orchestrator: as many Swarm tasks as each service wants, old rows reaped, updates set going.

Source: swarmkit, manager/orchestrator/{replicated,global,taskreaper}.
"""

from collections.abc import Callable

from overlayweb.simulator.records import Document, Node, Service, State, SwarmTask
from overlayweb.simulator.restarts import Restarts
from overlayweb.simulator.scheduler import constraints, meets
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times
from overlayweb.simulator.updater import Updates

HISTORY = 5
"""Rows kept of each slot, running ones included: Swarm's default TaskHistoryRetentionLimit."""

Slot = list[SwarmTask]


class Orchestrator:
    """Watches services, nodes and Swarm tasks, and writes Swarm tasks."""

    def __init__(self, store: Store, times: Times) -> None:
        self._store = store
        self._times = times
        self.restarts = Restarts(store, times, make=new_task)
        self.updates = Updates(store, times, self.restarts, make=new_task)
        self.running: Callable[[], bool] = lambda: True
        self._reaping: set[tuple[str, int, str]] = set()
        store.watch(Service, self._service_changed)
        store.watch(Node, self._node_changed)
        store.watch(SwarmTask, self._task_changed)

    def restart(self) -> None:
        """Look at everything, as a new leader does."""
        self.updates.drop()
        for service in [*self._store.services.values()]:
            self._reconcile(service)
        for swarm_task in [*self._store.tasks.values()]:
            self._task_changed(swarm_task, gone=False)

    def _service_changed(self, service: Service, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if not self.running():
            return
        if not gone:
            if service.id in self._store.services:
                self._reconcile(service)
            return
        self.updates.cancel(service.id)
        for swarm_task in self._tasks(service.id):
            self._want(swarm_task, State.REMOVE)

    def _node_changed(self, node: Node, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if not self.running() or gone:
            return
        if not _usable(node):
            for swarm_task in [*self._store.tasks_by_node.get(node.id, {}).values()]:
                self._leave(swarm_task)
        for service in [*self._store.services.values()]:
            if _is_global(service.spec):
                self._reconcile(service)

    def _leave(self, swarm_task: SwarmTask) -> None:
        """Take a Swarm task off a node that is down or drained, and start another one elsewhere."""
        service = self._store.services.get(swarm_task.service_id)
        if service is None or not swarm_task.wanted or swarm_task.state.ended:
            return
        if _is_global(service.spec):
            self._want(swarm_task, State.SHUTDOWN)
        else:
            self.restarts.replace(swarm_task, service)

    def _task_changed(self, swarm_task: SwarmTask, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if not self.running():
            return
        if not gone:
            self._tend(swarm_task)
        self.restarts.task_changed(swarm_task)
        self.updates.task_changed(swarm_task)

    def _tend(self, swarm_task: SwarmTask) -> None:
        if not swarm_task.service_id:
            return  # a container that some engine runs: nobody's but that engine's
        service = self._store.services.get(swarm_task.service_id)
        if swarm_task.state.ended or not swarm_task.wanted:
            self._reap_later(swarm_task)
        if service is None:
            if swarm_task.desired is not State.REMOVE:
                self._want(swarm_task, State.REMOVE)
        elif swarm_task.state.ended and swarm_task.wanted:
            if _is_global(service.spec) and not self._belongs(service, swarm_task.node_id):
                self._want(swarm_task, State.SHUTDOWN)
            else:
                self.restarts.replace(swarm_task, service)

    # -- as many as are wanted

    def _reconcile(self, service: Service) -> None:
        slots = self._global_slots(service) if _is_global(service.spec) else self._replicated_slots(service)
        self.updates.update(service, slots)

    def _replicated_slots(self, service: Service) -> list[Slot]:
        wanted = _replicas(service.spec)
        slots = self._slots(service.id)
        for number in sorted(slots, key=lambda number: _worth(slots[number]))[wanted:]:
            for swarm_task in slots.pop(number):
                self._want(swarm_task, State.REMOVE)
        number = 0
        for _ in range(wanted - len(slots)):
            number = next(free for free in range(number + 1, wanted + len(slots) + 2) if free not in slots)
            self._store.add(new_task(self._store, service, slot=number))
        return [slots[number] for number in sorted(slots)]

    def _slots(self, service_id: str) -> dict[int, Slot]:
        slots: dict[int, Slot] = {}
        for swarm_task in self._tasks(service_id):
            if swarm_task.wanted:
                slots.setdefault(swarm_task.slot, []).append(swarm_task)
        return slots

    def _global_slots(self, service: Service) -> list[Slot]:
        here: dict[str, Slot] = {}
        for swarm_task in self._tasks(service.id):
            if swarm_task.wanted:
                here.setdefault(swarm_task.node_id, []).append(swarm_task)
        fitting = [node for node in self._store.nodes.values() if self._belongs(service, node.id)]
        slots = [(node, here.pop(node.id, [])) for node in fitting]
        for swarm_task in (row for slot in here.values() for row in slot):
            self._want(swarm_task, State.SHUTDOWN)
        # On a paused node what is there stays as it is, and is not updated either.
        active = [(node, slot) for node, slot in slots if node.availability == "active"]
        for node, slot in active:
            if not slot:
                self._store.add(new_task(self._store, service, node_id=node.id))
        return [slot for _, slot in active if slot]

    def _belongs(self, service: Service, node_id: str) -> bool:
        node = self._store.nodes.get(node_id)
        return node is not None and _usable(node) and meets(node, constraints(service.template))

    def _tasks(self, service_id: str) -> list[SwarmTask]:
        return [*self._store.tasks_by_service.get(service_id, {}).values()]

    def _want(self, swarm_task: SwarmTask, desired: State) -> None:
        if swarm_task.desired.rank < desired.rank:
            swarm_task.desired = desired
            self._store.write(swarm_task)

    # -- old rows

    def _reap_later(self, swarm_task: SwarmTask) -> None:
        key = (swarm_task.service_id, swarm_task.slot, swarm_task.node_id if swarm_task.is_global else "")
        if key not in self._reaping:
            self._reaping.add(key)
            self._store.agenda.after(self._times.reap, self._reap, key)

    def _reap(self, key: tuple[str, int, str]) -> None:
        self._reaping.discard(key)
        service_id, slot, node_id = key
        rows = [row for row in self._tasks(service_id) if row.slot == slot and (not node_id or row.node_id == node_id)]
        for row in rows:
            if row.desired is State.REMOVE and (row.state.ended or row.state.rank < State.ASSIGNED.rank):
                self._store.remove(row)
        rows = [row for row in rows if row.id in self._store.tasks]
        surplus = len(rows) - HISTORY
        for row in sorted(rows, key=lambda row: row.state_at):
            if surplus <= 0:
                return
            if not row.wanted and (row.state.ended or row.state.rank < State.ASSIGNED.rank):
                self._store.remove(row)
                surplus -= 1


def new_task(store: Store, service: Service, *, slot: int = 0, node_id: str = "") -> SwarmTask:
    """A Swarm task of the service's present spec, not yet in the store: for a slot, or for a node if it is global."""
    made = SwarmTask(
        id=store.names.swarm_id(),
        service_id=service.id,
        spec=service.template,
        spec_version=service.spec_version,
        desired=State.RUNNING,
        slot=slot,
        is_global=bool(node_id),
    )
    if node_id:
        store.place(made, node_id)
    return made


def _is_global(spec: Document) -> bool:
    return "Global" in spec["Mode"] or "GlobalJob" in spec["Mode"]


def _replicas(spec: Document) -> int:
    mode = spec["Mode"]
    if "ReplicatedJob" in mode:
        return int((mode["ReplicatedJob"] or {}).get("TotalCompletions", 1))
    return int((mode.get("Replicated") or {}).get("Replicas", 1))


def _usable(node: Node) -> bool:
    return node.state == "ready" and node.availability != "drain"


def _worth(slot: Slot) -> tuple[int, int]:
    """Slots that run stay when there are too many, then those with the lowest numbers."""
    running = any(row.state is State.RUNNING for row in slot)
    return (0 if running else 1), slot[0].slot
