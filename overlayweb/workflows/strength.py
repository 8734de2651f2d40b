"""Waiting until services are as strong as they were, or shall be."""

from collections.abc import Sequence

from overlayweb.models import JobService
from overlayweb.workflows import ingress_network, peers, release
from overlayweb.workflows.runner import Context

State = JobService.State


class Strength:
    """Follows the starting services; nudges nodes that have not joined while it waits."""

    def __init__(self, context: Context, rows: Sequence[JobService]) -> None:
        self.context = context
        self.rows = rows
        self.nets = ingress_network.current_ids(context)
        self._asked_for_peers = context.now()

    def __call__(self) -> str:
        """What is still waited for, in words; "" when every service is at full strength."""
        release.watch_starting(self.context, self.rows, self.context.engine.swarm_tasks_to_run(), self.nets)
        waiting = [row for row in self.rows if row.state == State.STARTING]
        if not waiting:
            return ""
        if (now := self.context.now()) - self._asked_for_peers >= peers.NUDGE_EVERY:
            self._asked_for_peers = now
            peers.nudge_again(self.context, self.nets)
        return "Waiting for " + ", ".join(f"{r.name} ({r.containers_now} of {r.containers_before})" for r in waiting)
