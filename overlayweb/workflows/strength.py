"""Waiting until services are as strong as they were, or shall be."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from overlayweb.domain.swarm import SwarmTask
from overlayweb.domain.wording import several
from overlayweb.models import JobService
from overlayweb.workflows import ingress_network, peers, release
from overlayweb.workflows.runner import Context

State = JobService.State

ON_ITS_WAY = frozenset({"preparing", "starting"})
"""States of a Swarm task whose node has begun with it."""

LATE = timedelta(seconds=10)
"""A container that starts for so long is told of, once for each service and step."""

_TOLD = "told late: "

GIVEN_UP_SECONDS = 30
"""For so long an engine that joins a network waits for another node's answer. Where both join one at the same moment
it may be lost (moby's networkdb, ``bulkSyncNode``; moby#47396; docs/architecture.md has the figures)."""


class Strength:
    """Follows the starting services; nudges nodes that have not joined while it waits."""

    def __init__(self, context: Context, rows: Sequence[JobService]) -> None:
        self.context = context
        self.rows = rows
        self.nets = ingress_network.current_ids(context)
        self._asked_for_peers = context.now()
        self._starting: dict[str, datetime] = {}

    def __call__(self) -> str:
        """What is still waited for, in words; "" when every service is at full strength."""
        swarm_tasks = self.context.engine.swarm_tasks_to_run()
        release.watch_starting(self.context, self.rows, swarm_tasks, self.nets)
        waiting = [row for row in self.rows if row.state == State.STARTING]
        if not waiting:
            return ""
        if (now := self.context.now()) - self._asked_for_peers >= peers.NUDGE_EVERY:
            self._asked_for_peers = now
            peers.nudge_again(self.context, self.nets)
        self._follow_late(waiting, [t for t in swarm_tasks if t.state in ON_ITS_WAY], now)
        return "Waiting for " + ", ".join(f"{r.name} ({r.containers_now} of {r.containers_before})" for r in waiting)

    def while_any_starts(self) -> str:
        """The same, but "" as soon as nothing of it is on its way: what cannot start is not worth more patience."""
        waiting = self()
        return waiting if self._starting else ""

    def _follow_late(self, waiting: Iterable[JobService], starting: Iterable[SwarmTask], now: datetime) -> None:
        step, ledger = self.context.step, self.context.ledger
        names = {row.service_id: row.name for row in waiting}
        there = [t for t in starting if t.service_id in names]
        self._starting = {t.id: self._starting.get(t.id, now) for t in there}
        late = [t for t in there if now - self._starting[t.id] >= LATE and _TOLD + t.service_id not in step.intent]
        if not late:
            return
        nodes = {node.id: node.hostname for node in self.context.engine.nodes()}
        for service_id in dict.fromkeys(t.service_id for t in late):
            where = dict.fromkeys(nodes.get(t.node_id, "?") for t in late if t.service_id == service_id)
            name = names[service_id]
            ledger.say(
                f"{name} has been starting on {several(where)} for {LATE.seconds} s. Its image, its program or its "
                "health check may take that long. Or its node waits for another one that joined a network at the same "
                f"moment: Docker goes on after {GIVEN_UP_SECONDS} s.",
                step=step,
                subject=name,
            )
            ledger.intend(step, **{_TOLD + service_id: True})  # the next slice does not say it again
