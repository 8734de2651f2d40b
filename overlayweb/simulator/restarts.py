"""Starting Swarm tasks in place of others: after a delay, and once the old one has stopped.

Source: swarmkit, manager/orchestrator/restart. The minute that is waited for an old Swarm task is its TaskTimeout: an
old one that is only pending never stops, so the whole minute passes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from overlayweb.simulator.records import Node, Service, State, SwarmTask
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times

SECOND = 1_000_000_000
"""Nanoseconds, in which specs tell times."""
_DURATION = re.compile(r"\d+")


class Make(Protocol):
    """Makes a Swarm task of a service's present spec."""

    def __call__(self, store: Store, service: Service, *, slot: int = 0, node_id: str = "") -> SwarmTask:
        """See ``orchestrator.new_task``."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class _Wait:
    """A Swarm task that waits for ``old`` to stop; ``then`` is called when it may start."""

    old: SwarmTask
    new: SwarmTask
    then: Callable[[], None]
    over: bool = False


class Restarts:
    """Replaces what ended, as the service's RestartPolicy says."""

    def __init__(self, store: Store, times: Times, *, make: Make) -> None:
        self._store = store
        self._times = times
        self._make = make
        self._waits: dict[str, list[_Wait]] = {}
        self._attempts: dict[tuple[str, int, str], int] = {}
        store.watch(Node, self._node_changed)

    def replace(self, swarm_task: SwarmTask, service: Service) -> None:
        """Shut the Swarm task down and start another in its slot, if the policy says so."""
        policy = service.template.get("RestartPolicy") or {}
        ended = swarm_task.state.ended
        if ended and not self._again(swarm_task, service):
            return  # its row stays as the slot's, ended as it is
        swarm_task.desired = State.SHUTDOWN
        self._store.write(swarm_task)
        node_id = swarm_task.node_id if swarm_task.is_global else ""
        new = self._make(self._store, service, slot=swarm_task.slot, node_id=node_id)
        new.desired = State.READY
        self._store.add(new)
        delay = policy.get("Delay", self._times.restart_delay * SECOND) / SECOND if ended else 0.0
        self._store.agenda.after(delay, self.start, new)

    def start_after(self, old: SwarmTask | None, new: SwarmTask, then: Callable[[], None]) -> None:
        """Let ``new`` run once ``old`` has stopped, its node is down, or a minute has passed."""
        if old is None or old.state.ended:
            self.start(new)
            then()
            return
        wait = _Wait(old=old, new=new, then=then)
        self._waits.setdefault(old.id, []).append(wait)
        self._store.agenda.after(self._times.old_task_patience, self._go, wait)

    def start(self, swarm_task: SwarmTask) -> None:
        """Let a Swarm task that is kept ready run."""
        if swarm_task.desired is State.READY and swarm_task.id in self._store.tasks:
            swarm_task.desired = State.RUNNING
            self._store.write(swarm_task)

    def task_changed(self, swarm_task: SwarmTask) -> None:
        """Let those run that waited for this one."""
        if swarm_task.state.ended:
            for wait in self._waits.pop(swarm_task.id, ()):
                self._go(wait)

    def _node_changed(self, node: Node, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if not gone and node.state != "down":
            return
        for waits in [*self._waits.values()]:
            for wait in waits:
                if wait.old.node_id == node.id:
                    self._go(wait)

    def _go(self, wait: _Wait) -> None:
        if not wait.over:
            wait.over = True
            self._waits.pop(wait.old.id, None)
            self.start(wait.new)
            wait.then()

    def _again(self, swarm_task: SwarmTask, service: Service) -> bool:
        policy = service.template.get("RestartPolicy") or {}
        condition = policy.get("Condition", "any")
        if "ReplicatedJob" in service.spec["Mode"] or "GlobalJob" in service.spec["Mode"]:
            condition = "none" if swarm_task.state is State.COMPLETE else "any"
        if condition == "none" or (condition == "on-failure" and swarm_task.state is State.COMPLETE):
            return False
        most = policy.get("MaxAttempts") or 0
        key = (
            service.id,
            swarm_task.slot,
            f"{swarm_task.node_id if swarm_task.is_global else ''}{service.spec_version}",
        )
        self._attempts[key] = self._attempts.get(key, 0) + 1
        return not most or self._attempts[key] <= most
