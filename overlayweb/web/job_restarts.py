"""Engines that a person restarts while a repair waits: who does what where, and what has been done."""

from collections.abc import Sequence
from dataclasses import dataclass

from overlayweb.domain import repair_plans
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import IngressPlan, NodeRestart, Plan
from overlayweb.models import Event, Job, Step
from overlayweb.web.job_clocks import Clock, Mark, between

VERIFY = "verify"
_TODO = Mark(name="todo", word="Not yet")
_NOW = Mark(name="needs_operator", word="Restart it now")
_DONE = Mark(name="succeeded", word="Back on its feet")
_LEFT = Mark(name="skipped", word="Not done")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRow:
    """One engine. ``clock``: how long the job has waited for it, or waited."""

    key: str
    number: int
    hostname: str
    address: str
    leader: bool
    command: str
    mark: Mark
    clock: Clock | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts:
    """All engines in the order in which they are restarted. ``now``: those that wait for somebody at this moment.

    ``next``: the node whose turn comes after them, "" when they are the last.
    """

    rows: tuple[RestartRow, ...] = ()
    now: tuple[RestartRow, ...] = ()
    next: str = ""


def read(job: Job, steps: Sequence[Step], plan: Plan) -> Restarts:
    """The engines of this job's repair. One query for a repair, none for other jobs."""
    if job.kind != repair_plans.KIND:
        return Restarts()
    by_name = {step.name: step for step in steps if step.of_pass == Pass.FORWARD}
    asked = [
        _row(job, number, restart, by_name.get(f"{repair_plans.RESTART_STEP}{number}"))
        for number, restart in enumerate((plan.restarts if isinstance(plan, IngressPlan) else ()), start=1)
    ]
    rows = (*asked, *_late(job, by_name.get(VERIFY), first=len(asked) + 1))
    following = next((row for row in rows if row.mark == _TODO), None)
    leader = " (the leader)" if following and following.leader else ""
    return Restarts(
        rows=rows,
        now=tuple(row for row in rows if row.mark == _NOW),
        next=f"{following.hostname}{leader}" if following else "",
    )


def waits(job: Job, steps: Sequence[Step]) -> bool:
    """Whether the job waits for somebody who restarts an engine."""
    names = (step.name for step in steps if step.started_at and not step.finished_at)
    return job.kind == repair_plans.KIND and not job.ended and any(map(_asks, names))


def _asks(name: str) -> bool:
    return name.startswith(repair_plans.RESTART_STEP)


def _row(job: Job, number: int, restart: NodeRestart, step: Step | None) -> RestartRow:
    return RestartRow(
        key=f"restart-{number}",
        number=number,
        hostname=restart.hostname,
        address=restart.address,
        leader=restart.leader,
        command=restart.command,
        mark=_mark(job, step),
        clock=_clock(job, step),
    )


def _mark(job: Job, step: Step | None) -> Mark:
    if step is not None and step.finished_at:
        return _DONE
    if job.ended:
        return _LEFT
    return _NOW if step is not None and step.started_at else _TODO


def _clock(job: Job, step: Step | None) -> Clock | None:
    if step is None or step.started_at is None:
        return None
    end = step.finished_at or (job.finished_at if job.ended else None)
    return Clock(seconds=between(step.started_at, end) or 0.0) if end else Clock(since=step.started_at)


def _late(job: Job, verify: Step | None, *, first: int) -> list[RestartRow]:
    """Nodes that turned out not to join only when everything else was done."""
    if verify is None or verify.started_at is None:
        return []
    said = Event.objects.filter(job=job, kind="restart", step=verify.ordinal).order_by("seq")
    return [
        RestartRow(
            key=f"late-{event.seq}",
            number=number,
            hostname=event.data["hostname"],
            address=event.data["address"],
            leader=False,
            command=event.data["command"],
            mark=_mark(job, verify),
            clock=None if verify.finished_at or job.ended else Clock(since=event.at),
        )
        for number, event in enumerate(said, start=first)
    ]
