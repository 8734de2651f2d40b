"""The sweep: the one real guarantee that every job goes on, whatever became of its messages and workers."""

from datetime import datetime

from overlayweb.services import clusters, jobs, memberships, readiness


def sweep(*, now: datetime) -> None:
    """One tick: ring for jobs that nobody works on, ask for observations that are getting old, forget shown tokens."""
    jobs.ring_due(now=now)
    clusters.look_at_due(now=now)
    readiness.ask_due(now=now)
    memberships.forget_tokens(now=now)
