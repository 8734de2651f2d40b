"""Services off the ingress and back on it: the one way in which a workflow writes a service's spec.

Each write: observe → already so? → commit the intent → act → record. What somebody else changed meanwhile is
merged, never overwritten.
"""

from collections.abc import Callable, Iterable

from overlayweb.domain import specs
from overlayweb.domain.plans import Strategy
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Service, SwarmTask
from overlayweb.engine.errors import NotFound, VersionConflict
from overlayweb.models import Event, JobService
from overlayweb.workflows.runner import Context

MAX_CONFLICTS = 20
"""Swarm bumps versions by itself; each conflict is read again. So many in a row mean that somebody fights us."""

State = JobService.State


def off_ingress(row: JobService) -> Callable[[Spec], Spec]:
    """What the row's strategy makes of a spec."""
    return specs.held if row.strategy == Strategy.STOP else specs.unpublished


def on_ingress(row: JobService) -> Callable[[Spec], Spec]:
    """The spec with its ports back, all tasks at once."""
    return lambda spec: specs.starting(spec, was_held=row.strategy == Strategy.STOP)


def was_touched(row: JobService) -> bool:
    """Whether anything was, or may have been, written to the service."""
    return bool(row.intent)


def write(context: Context, row: JobService, make: Callable[[Spec], Spec]) -> bool:
    """Bring the service to ``make(target)``, where the target is the snapshot merged with others' edits.

    Returns whether the engine had to be asked. Raises VersionConflict when somebody keeps changing it.
    """
    for _ in range(MAX_CONFLICTS):
        service = context.engine.service(row.service_id)
        if service is None:
            _gone(context, row)
            return False
        keep_edits(context, row, service)
        goal = make(row.target_spec)
        changed = service.spec != goal
        if changed:
            context.ledger.change_service(row, step=context.step, intent=goal.text)
            try:
                context.engine.update_service(service_id=row.service_id, version=service.version, spec=goal)
            except (VersionConflict, NotFound):
                continue  # look again
        context.ledger.change_service(row, step=context.step, intent=goal.text, written=goal.text)
        return changed
    raise VersionConflict(f"{row.name} keeps changing while it is updated. Stop whatever else updates it.")


def keep_edits(context: Context, row: JobService, service: Service) -> None:
    """Find out whether somebody else changed the spec since we wrote it, and take the change into the row's target."""
    known = [Spec(text) for text in (row.intent, row.written) if text]
    if any(specs.same(spec, service.spec) for spec in known):
        return
    base = min(known, key=lambda spec: len(specs.differences(spec, service.spec)))
    paths = specs.differences(base, service.spec)
    target = specs.merged(base=base, current=service.spec, target=row.target_spec)
    if specs.same(target, service.spec):
        target = service.spec  # nothing of ours is left to take out: zeros that the engine wrote are no difference
    context.ledger.change_service(
        row,
        step=context.step,
        message=f"{row.name} was changed by somebody else meanwhile ({', '.join(paths)}). The change is kept.",
        level=Event.Level.WARNING,
        target=target.text,
        written=service.spec.text,
        intent=row.intent and service.spec.text,
        edited=sorted({*row.edited, *paths}),
    )


def _gone(context: Context, row: JobService) -> None:
    if row.state != State.GONE:
        context.ledger.change_service(
            row,
            step=context.step,
            message=f"{row.name} was removed by somebody else meanwhile; nothing is left to put back.",
            level=Event.Level.WARNING,
            state=State.GONE,
        )


def watch_leaving(
    context: Context, rows: Iterable[JobService], swarm_tasks: Iterable[SwarmTask], nets: tuple[str, ...]
) -> None:
    """Follow the released services: how many containers of each are still on one of the networks."""
    left: dict[str, int] = {}
    for swarm_task in swarm_tasks:
        if swarm_task.may_be_on(*nets):
            left[swarm_task.service_id] = left.get(swarm_task.service_id, 0) + 1
    for row in rows:
        if row.state != State.RELEASING:
            continue
        containers = left.get(row.service_id, 0)
        if not containers:
            context.ledger.change_service(
                row,
                step=context.step,
                message=f"{row.name}: no container is on the ingress any more",
                state=State.OFF,
                off_at=context.now(),
                containers_now=0,
            )
        elif containers != row.containers_now:
            context.ledger.change_service(row, step=context.step, containers_now=containers)


def watch_starting(
    context: Context, rows: Iterable[JobService], swarm_tasks: Iterable[SwarmTask], nets: tuple[str, ...]
) -> None:
    """Follow the published services: how many containers of each run on one of the networks."""
    running: dict[str, int] = {}
    for swarm_task in swarm_tasks:
        runs = swarm_task.state == "running" and swarm_task.desired_state == "running"
        if runs and swarm_task.may_be_on(*nets):
            running[swarm_task.service_id] = running.get(swarm_task.service_id, 0) + 1
    for row in rows:
        if row.state != State.STARTING:
            continue
        containers = running.get(row.service_id, 0)
        if containers >= row.containers_before:
            context.ledger.change_service(
                row,
                step=context.step,
                message=f"{row.name}: {containers} of {row.containers_before} containers run on the ingress",
                state=State.RUNNING,
                running_at=context.now(),
                containers_now=containers,
            )
        elif containers != row.containers_now:
            context.ledger.change_service(row, step=context.step, containers_now=containers)
