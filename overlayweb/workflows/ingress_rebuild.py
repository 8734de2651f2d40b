"""Rebuild the ingress network: the eight steps, each safe to run again from anywhere.

The order is the proven one (docs/architecture.md): record everything durably, take every service off the ingress,
wait until each container verifiably left it, only then remove it; create, publish again, nudge every node, verify
peers last. Nothing here trusts that a call took effect: each step looks first.

Ways back: before the removal the specs are put back (PUT_BACK); after it the same steps run again with the old
settings as the target (RESTORE).
"""

from collections.abc import Callable
from functools import partial

from overlayweb.domain import ingress_plans, turns
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import IngressPlan, Plan, PlannedStep, Strategy
from overlayweb.domain.swarm import Network
from overlayweb.engine.errors import NotFound, Refused
from overlayweb.models import Event, JobService
from overlayweb.workflows import approved, ingress_network, peers, problems, release, snapshots
from overlayweb.workflows.runner import Context, OperatorNeededError, StepFailedError
from overlayweb.workflows.strength import GIVEN_UP_SECONDS, Strength

LOOK_SECONDS = 0.05
"""Between two looks while everything is dark, or little is left to start; one costs the manager a few milliseconds."""

FEW = 2
"""Of more services that start at once news can wait: looks would take the processor from their containers."""

DRAIN_MARGIN_SECONDS = 120.0
ALLOCATE_SECONDS = 5.0
CREATE_TRIES = 3
PUBLISH_MARGIN_SECONDS = 60.0
LATE_SECONDS = 3.0 * GIVEN_UP_SECONDS
"""More patience while containers are on their way. One that joins several networks may be held up at each."""

PEERS_SECONDS = 45.0
STRENGTH_SECONDS = 10.0
MENDED_SECONDS = 30.0

State = JobService.State


class IngressRebuild:
    """The workflow, as the runner knows it."""

    kind = ingress_plans.KIND

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps forward; on the way back the same ones with the old ingress as their target."""
        if current_pass is Pass.FORWARD:
            return plan.steps
        if not IngressPlan.of(plan).ingress_id:
            return (PlannedStep(name="remove", title=_BACK_TITLES["remove"], expected_seconds=1.0),)
        wanted = ("publish", "verify") if current_pass is Pass.PUT_BACK else _RESTORE
        by_name = {step.name: step for step in plan.steps}
        return tuple(
            PlannedStep(name=name, title=_BACK_TITLES[name], expected_seconds=by_name[name].expected_seconds)
            for name in wanted
            if name in by_name
        )

    def run(self, name: str, context: Context) -> str:
        """Run one of the eight steps, named in the plan."""
        return _STEPS[name](context)

    def way_back(self, context: Context) -> Pass | None:
        """By what is there: the old ingress untouched, or gone. Nothing written yet: no way back is needed."""
        found = ingress_network.existing(context)
        touched = any(map(release.was_touched, context.job.services.all()))
        if not touched and not context.job.point_passed and not ingress_network.any_of_ours(context, found):
            return None
        ids = {network.id for network in found}
        return Pass.PUT_BACK if ingress_network.plan_of(context).ingress_id in ids else Pass.RESTORE

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        return "Putting every service back" if way is Pass.PUT_BACK else "Bringing the old ingress back"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the cluster."""
        plan = IngressPlan.of(plan)
        if current_pass is Pass.FORWARD:
            return f"The ingress is {plan.after.subnet} now and every service has its ports back"
        if current_pass is Pass.PUT_BACK:
            return "The ingress was not touched and every service has its ports back"
        if not plan.ingress_id:
            return "The new ingress is removed again; there is none, as before"
        return f"The old ingress {plan.before.subnet} is back and every service has its ports back"


def check(context: Context) -> str:
    """Recompute the plan under the lock: it must be what was approved, and have no blocker."""
    swarm = context.engine.observe()
    approved.hold(context, swarm)
    return f"Nothing moved since the plan was made; {len(swarm.nodes)} nodes are ready"


def record(context: Context) -> str:
    """Save every affected service whole, before anything changes."""
    if context.job.services.exists():
        return _recorded(context.job.services.count())
    swarm = context.engine.observe()
    by_id = {service.id: service for service in swarm.services}
    rows = []
    for effect in context.plan.effects:
        service = by_id.get(effect.service_id)
        if service is None or service.spec.digest != effect.spec_digest:
            raise StepFailedError(f"{effect.service_name} changed since the plan was checked. Plan again.")
        rows.append(snapshots.of_service(context, swarm, service, effect))
    said = _recorded(len(rows))
    context.ledger.record(rows, step=context.step, message=said)
    return said


def take_off(context: Context) -> str:
    """Take the services off the ingress, slow stoppers first, so that all have drained together."""
    rows = _rows(context, skip_untouched=False)
    nets = ingress_network.current_ids(context)
    for row in sorted(rows, key=lambda row: row.release_after_seconds):
        if row.state in {State.RELEASING, State.OFF, State.GONE} and context.current_pass is Pass.FORWARD:
            continue
        _wait_for_turn(context, row, rows, nets)
        context.pulse()
        changed = release.write(context, row, release.off_ingress(row))
        if row.state == State.GONE or (row.state == State.OFF and not changed):
            continue
        how = "held" if row.strategy == Strategy.STOP else "unpublished"
        context.ledger.change_service(
            row,
            step=context.step,
            message=f"{row.name} is {how}; {ingress_network.containers(row.containers_before)} to leave the ingress",
            state=State.RELEASING,
            released_at=row.released_at or context.now(),
            containers_now=row.containers_before,
        )
    return f"{len(rows)} of {len(rows)}"


def drain(context: Context) -> str:
    """Wait until every Swarm task has verifiably left the old ingress, on every node. Twice in a row."""
    rows = _rows(context, skip_untouched=False)
    nets = ingress_network.current_ids(context)
    if not nets:
        return "There is no ingress to leave"
    clean = 0

    def look() -> str:
        nonlocal clean
        swarm_tasks = context.engine.swarm_tasks()
        release.watch_leaving(context, rows, swarm_tasks, nets)
        there = [t for t in swarm_tasks if t.may_be_on(*nets)]
        if any(t.desired_state == "running" for t in there):  # it comes: what leaves is wanted no more
            ingress_network.refuse_published(context)
        waiting = ingress_network.still_on(context, [t.node_id for t in there])
        clean = 0 if waiting else clean + 1
        return waiting if waiting or clean > 1 else context.step.detail or "Looking once more"

    limit = context.step.expected_seconds + DRAIN_MARGIN_SECONDS
    if waiting := context.wait("drain", look, seconds=limit, every=LOOK_SECONDS):
        raise StepFailedError(f"Containers did not leave the ingress within {limit:.0f} s: {waiting}.")
    return "No container is on the old ingress, on any node"


def remove(context: Context) -> str:
    """Remove the ingress by its id, or one after the other where a repair found several. The point of no return."""
    gone = []
    while there := ingress_network.to_remove(context):
        ingress_network.refuse_while_used(context, there)
        _remove(context, there[0], is_first=len(there) == len(ingress_network.plan_of(context).ingress_ids))
        gone.append(f"{there[0].name} {ingress_network.subnet_of(there[0])} is gone")
    return ", ".join(gone) or "It is gone already"


def _remove(context: Context, target: Network, *, is_first: bool) -> None:
    """Remove it and wait until this manager has let go of it. ``is_first``: none that was planned is gone yet."""
    context.pulse()
    context.ledger.pass_point_of_no_return(context.step)
    context.ledger.intend(context.step, remove=target.id)
    try:
        context.engine.remove_network(target.id)
    except NotFound:
        pass  # gone, which is what we want
    except Refused as error:
        if context.current_pass is Pass.FORWARD and is_first:
            context.ledger.take_back_point(context.step)
        raise StepFailedError(f"The engine refuses to remove the ingress: {error}") from error
    waiting = context.wait(
        f"gone {target.id}",
        lambda: ingress_network.still_there(context, target),
        seconds=ingress_network.REMOVE_SECONDS,
        every=LOOK_SECONDS,
    )
    if waiting:
        raise StepFailedError(f"{waiting}. Restart dockerd on the manager, which holds on to it.")


def create(context: Context) -> str:
    """Create the ingress with the target's settings and wait until it is allocated."""
    settings = ingress_network.target_settings(context)
    while int(context.step.intent.get("unallocated", 0)) < CREATE_TRIES:
        network = ingress_network.created(context, settings)
        waiting = context.wait(
            f"allocated {network.id}",
            partial(ingress_network.unallocated, context, network),
            seconds=ALLOCATE_SECONDS,
            every=LOOK_SECONDS,
        )
        if not waiting:
            return f"{settings.name} {settings.subnet} is allocated"
        # A late allocation is never registered as the ingress: take it away and make another.
        context.ledger.say(f"{waiting}; it is removed again", step=context.step, level=Event.Level.WARNING)
        ingress_network.remove_again(context, network)
        if others := ingress_network.overlapping(context, settings.subnet):
            raise StepFailedError(f"Swarm cannot allocate {settings.subnet}: it overlaps {', '.join(others)}.")
        context.ledger.intend(context.step, unallocated=int(context.step.intent.get("unallocated", 0)) + 1)
    raise StepFailedError(
        f"Swarm accepted {settings.subnet} but did not allocate it, {CREATE_TRIES} times. "
        "Something that a manager does not show uses these addresses."
    )


def publish(context: Context) -> str:
    """Give every service its ports back and wait until each is as strong as before."""
    rows = _rows(context)
    look = Strength(context, rows)
    _put_on_in_turns(context, rows, look)

    def most_are_back() -> str:
        waiting = look()
        return waiting if sum(row.state == State.STARTING for row in rows) > FEW else ""

    limit = context.step.expected_seconds * 2 + PUBLISH_MARGIN_SECONDS
    context.wait("strength", most_are_back, seconds=limit, every=0.2)
    waiting = context.wait("strength", look, seconds=limit, every=LOOK_SECONDS)
    return waited_for_late(context, rows, look, waiting)


def waited_for_late(context: Context, rows: list[JobService], look: Strength, waiting: str) -> str:
    """What came of publishing; where something is still waited for, while any of it is starting."""
    if waiting:
        context.wait("late", look.while_any_starts, seconds=LATE_SECONDS, every=1.0)
        waiting = look()
    return f"Not at full strength yet: {waiting}" if waiting else f"{len(rows)} of {len(rows)}"


def _put_on_in_turns(context: Context, rows: list[JobService], look: Strength) -> None:
    """Slow stoppers have been dark longest and come first, before the nodes are nudged.

    Quick services follow one by one until those are back, then all together: containers that all start at once make
    each other slow (lab, nine services on two cores).
    """
    turn = turns.in_turns((row, row.release_after_seconds, row.target_spec) for row in rows)

    def slow_are_back() -> str:
        waiting = look()
        return waiting if any(row.state == State.STARTING for row in turn.slow) else ""

    for row in turn.slow:
        _put_on(context, row)
    if context.current_pass is not Pass.PUT_BACK:  # that one made no ingress
        peers.nudge(context)
    for row in turn.checked:
        _put_on(context, row)
    every = turns.TURNS_SECONDS / max(len(turn.others), 1)
    for row in turn.others:
        if row.state == State.OFF:
            context.wait(f"turn of {row.pk}", slow_are_back, seconds=every, every=min(every, 0.1))
        _put_on(context, row)


def _put_on(context: Context, row: JobService) -> None:
    """Give the service its ports back, unless it has them already or is gone."""
    if row.state in {State.GONE, State.RUNNING}:
        return
    context.pulse()
    release.write(context, row, release.on_ingress(row))
    if row.state not in {State.GONE, State.STARTING}:
        context.ledger.change_service(
            row, step=context.step, message=f"{row.name} is published again", state=State.STARTING, containers_now=0
        )


def verify(context: Context) -> str:
    """Restore every UpdateConfig, then hold the cluster against the snapshot; name what somebody has to do."""
    rows = _rows(context)
    for row in rows:
        if row.state != State.GONE:
            context.pulse()
            release.write(context, row, lambda spec: spec)
    nets = ingress_network.current_ids(context)
    context.wait("peers", lambda: peers.waiting_for(context, nets), seconds=PEERS_SECONDS, every=0.5)
    peers.take_nudges_off(context)
    # Whoever says "go on" has just mended something: what starts because of that gets the time to.
    patience = MENDED_SECONDS if context.step.attempts > 1 else STRENGTH_SECONDS
    context.wait("strength", Strength(context, rows), seconds=patience)
    wrong = [*problems.of_ingress(context), *problems.of_peers(context, nets), *problems.of_services(context, rows)]
    if wrong:
        raise OperatorNeededError(wrong)
    kept = sum(bool(row.edited) for row in rows)
    same = f"{len(rows) - kept} of {len(rows)} specs equal the snapshot"
    return f"{same}; {kept} keep what somebody else changed" if kept else same


def _rows(context: Context, *, skip_untouched: bool = True) -> list[JobService]:
    rows = list(context.job.services.all())
    return [row for row in rows if release.was_touched(row) or not skip_untouched]


def _recorded(count: int) -> str:
    return f"{count} {'service' if count == 1 else 'services'} and the old ingress, saved before anything changes"


def _wait_for_turn(context: Context, row: JobService, rows: list[JobService], nets: tuple[str, ...]) -> None:
    """Wait until the row's time has come, following those that are released already."""
    if context.current_pass is not Pass.FORWARD:
        return
    started = context.step.started_at or context.now()
    while (left := row.release_after_seconds - (context.now() - started).total_seconds()) > 0:
        if row.release_after_seconds > turns.SLOWER_SECONDS:
            said = f"{row.name} stops quickly and stays up until the slow ones are ready"
            context.ledger.progress(context.step, said)
        release.watch_leaving(context, rows, context.engine.swarm_tasks(), nets)
        context.sleep(min(left, 0.5))


_STEPS: dict[str, Callable[[Context], str]] = {
    "check": check,
    "record": record,
    "release": take_off,
    "drain": drain,
    "remove": remove,
    "create": create,
    "publish": publish,
    "verify": verify,
}
_RESTORE = ("release", "drain", "remove", "create", "publish", "verify")
_BACK_TITLES = {
    "release": "Take services off the new ingress",
    "drain": "Wait until every node let go",
    "remove": "Remove the new ingress",
    "create": "Create the old ingress again",
    "publish": "Bring services back",
    "verify": "Verify and restore settings",
}
