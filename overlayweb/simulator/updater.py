"""Updates of services: slot by slot, in parallel or not, judged while they go on, paused or rolled back.

Source: swarmkit, manager/orchestrator/update/updater.go. What decides whether a Swarm task is restarted is a comparison
of the service's task template and ports with its own, and there a change of placement alone hides a change of ports.
"""

from collections.abc import Callable
from functools import partial

from overlayweb.simulator.records import Document, Service, State, SwarmTask
from overlayweb.simulator.restarts import SECOND, Make, Restarts
from overlayweb.simulator.scheduler import constraints, meets
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times

Slot = list[SwarmTask]
_PAUSED = frozenset({"paused", "rollback_paused"})
_ROLLING_BACK = frozenset({"rollback_started", "rollback_paused"})


def is_dirty(service: Service, swarm_task: SwarmTask, store: Store) -> bool:
    """Whether the Swarm task has to be replaced by one of the service's present spec."""
    if swarm_task.spec_version == service.spec_version:
        return False
    wanted, own = service.template, swarm_task.spec
    if wanted is not own and wanted != own and _without_placement(wanted) == _without_placement(own):
        node = store.nodes.get(swarm_task.node_id)
        if node is not None and meets(node, constraints(wanted)):
            return False  # and its ports are not looked at
    endpoint = service.spec.get("EndpointSpec") or {}
    return wanted != own or (swarm_task.endpoint_spec is not None and endpoint != swarm_task.endpoint_spec)


def _without_placement(template: Document) -> Document:
    return {key: value for key, value in template.items() if key != "Placement"}


class Updates:
    """At most one update of each service at a time; another spec ends the one that goes on."""

    def __init__(self, store: Store, times: Times, restarts: Restarts, *, make: Make) -> None:
        self._store = store
        self._times = times
        self._restarts = restarts
        self._make = make
        self._going: dict[str, Update] = {}

    def update(self, service: Service, slots: list[Slot]) -> None:
        """Bring the slots to the service's spec, unless that is under way."""
        going = self._going.get(service.id)
        if going is not None:
            if going.spec == service.spec:
                return
            going.stop()
        if (service.update_status or {}).get("State") in _PAUSED:
            return
        dirty = [slot for slot in slots if self._dirty(service, slot)]
        if not dirty:
            if (service.update_status or {}).get("State") in {"updating", "rollback_started"}:
                complete(self._store, service)
            return
        self._going[service.id] = Update(self._store, self._times, self._restarts, self._make, service, dirty)
        self._going[service.id].begin(partial(self._ended, service.id))

    def cancel(self, service_id: str) -> None:
        """End the update of a service that is gone."""
        going = self._going.get(service_id)
        if going is not None:
            going.stop()

    def drop(self) -> None:
        """Forget all updates, as a leader that ends."""
        for going in [*self._going.values()]:
            going.stop()

    def task_changed(self, swarm_task: SwarmTask) -> None:
        """Tell the update of its service."""
        going = self._going.get(swarm_task.service_id)
        if going is not None:
            going.task_changed(swarm_task)

    def _ended(self, service_id: str, update: "Update") -> None:
        if self._going.get(service_id) is update:
            del self._going[service_id]

    def _dirty(self, service: Service, slot: Slot) -> bool:
        return len(slot) > 1 or any(is_dirty(service, row, self._store) for row in slot)


class Update:
    """One update: workers take slots one by one; afterwards it is watched for a while, then called complete."""

    def __init__(
        self, store: Store, times: Times, restarts: Restarts, make: Make, service: Service, slots: list[Slot]
    ) -> None:
        self._store = store
        self._restarts = restarts
        self._make = make
        self._service = service
        self.spec = service.spec
        self._queue = [*slots]
        self._total = len(slots)
        self._workers = 0
        self._stopped = False
        self._ended: Callable[[Update], None] = lambda _update: None
        self._awaited: dict[str, Callable[[], None]] = {}
        self._started_at: dict[str, float | None] = {}
        self._failed: set[str] = set()
        status = (service.update_status or {}).get("State", "")
        config = service.spec.get("RollbackConfig" if status in _ROLLING_BACK else "UpdateConfig")
        self._config: Document = {"Parallelism": 1} if config is None else config
        self._monitor = (self._config.get("Monitor") or times.update_monitor * SECOND) / SECOND

    def begin(self, ended: "Callable[[Update], None]") -> None:
        """Note the start and set the workers going. ``ended`` is called with this update when it is over."""
        self._ended = ended
        if self._service.update_status is None:
            note(self._store, self._service, "updating", "update in progress", started=True)
        self._workers = min(self._config.get("Parallelism") or self._total, self._total)
        for _ in range(self._workers):
            self._next_slot()

    def stop(self) -> None:
        """End here: what was begun goes on by itself, nothing more is begun."""
        if not self._stopped:
            self._stopped = True
            self._awaited.clear()
            self._ended(self)

    def task_changed(self, swarm_task: SwarmTask) -> None:
        """Go on where this one was waited for; judge it if it failed."""
        if self._stopped:
            return
        if swarm_task.state.rank >= State.RUNNING.rank:
            then = self._awaited.pop(swarm_task.id, None)
            if then is not None:
                self._started_at[swarm_task.id] = self._store.now
                then()
        if swarm_task.state.ended:
            self._judge(swarm_task)

    # -- workers

    def _next_slot(self) -> None:
        if self._stopped:
            return
        if not self._queue:
            self._workers -= 1
            if self._workers == 0:
                self._store.agenda.after(self._monitor, self._complete)
            return
        self._work_on(self._queue.pop(0))

    def _slot_done(self) -> None:
        delay = (self._config.get("Delay") or 0) / SECOND
        self._store.agenda.after(delay, self._next_slot)

    def _work_on(self, slot: Slot) -> None:
        slot = [row for row in slot if row.id in self._store.tasks and row.wanted] or slot
        clean = [row for row in slot if not is_dirty(self._service, row, self._store) and row.wanted]
        if clean:
            self._use(min(clean, key=lambda row: row.desired is not State.RUNNING), slot)
            return
        first = slot[0]
        node_id = first.node_id if first.is_global else ""
        new = self._make(self._store, self._service, slot=first.slot, node_id=node_id)
        new.desired = State.READY
        self._started_at[new.id] = None
        self._store.add(new)
        if self._config.get("Order") == "start-first":
            self._awaited[new.id] = partial(self._started_first, slot, new)
            self._restarts.start_after(None, new, _nothing)
        else:
            self._awaited[new.id] = self._slot_done
            self._restarts.start_after(self._shut_down(slot), new, _nothing)

    def _use(self, existing: SwarmTask, slot: Slot) -> None:
        old = self._shut_down([row for row in slot if row is not existing])
        if existing.desired is State.RUNNING:
            self._slot_done()
        else:
            self._restarts.start_after(old, existing, self._slot_done)

    def _started_first(self, slot: Slot, new: SwarmTask) -> None:
        if new.state is State.RUNNING:
            self._shut_down(slot)
        self._slot_done()

    def _shut_down(self, slot: Slot) -> SwarmTask | None:
        last = None
        for row in slot:
            if row.wanted and row.id in self._store.tasks:
                row.desired = State.SHUTDOWN
                self._store.write(row)
                last = row
        return last

    # -- judgement

    def _judge(self, swarm_task: SwarmTask) -> None:
        action = self._config.get("FailureAction") or "pause"
        if action == "continue" or swarm_task.id in self._failed or swarm_task.id not in self._started_at:
            return
        started = self._started_at[swarm_task.id]
        if started is not None and self._store.now - started > self._monitor:
            return
        self._failed.add(swarm_task.id)
        if len(self._failed) / self._total <= (self._config.get("MaxFailureRatio") or 0):
            return
        self._act(action, swarm_task)

    def _act(self, action: str, failed: SwarmTask) -> None:
        rolling_back = (self._service.update_status or {}).get("State") == "rollback_started"
        self.stop()
        because = f"due to failure or early termination of task {failed.id}"
        if rolling_back:
            note(self._store, self._service, "rollback_paused", f"rollback paused {because}")
        elif action == "rollback" and self._service.previous_spec is not None:
            roll_back(self._store, self._service, f"update rolled back {because}")
        else:
            note(self._store, self._service, "paused", f"update paused {because}")

    def _complete(self) -> None:
        if not self._stopped:
            self.stop()
            complete(self._store, self._service)


def note(store: Store, service: Service, state: str, message: str, *, started: bool = False) -> None:
    """Write what the update has come to."""
    before = service.update_status or {}
    since = store.moment(store.now) if started else before.get("StartedAt", store.moment(store.now))
    service.update_status = {"State": state, "StartedAt": since, "Message": message}
    store.write(service)


def complete(store: Store, service: Service) -> None:
    """Write that the update, or the rollback, is complete."""
    if service.update_status is None or service.id not in store.services:
        return
    word = "rollback" if service.update_status["State"] in _ROLLING_BACK else "update"
    state = "rollback_completed" if word == "rollback" else "completed"
    done = {"State": state, "CompletedAt": store.moment(store.now), "Message": f"{word} completed"}
    service.update_status = {**service.update_status, **done}
    store.write(service)


def roll_back(store: Store, service: Service, message: str) -> None:
    """Put the previous spec back by Swarm's own decision; there is none to go back to afterwards."""
    if service.previous_spec is not None:
        service.spec, service.spec_version = service.previous_spec, service.previous_spec_version
        service.previous_spec, service.previous_spec_version = None, 0
    note(store, service, "rollback_started", message)


def _nothing() -> None:
    """Nothing follows."""
