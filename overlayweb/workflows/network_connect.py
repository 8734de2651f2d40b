"""Give services other networks or ports: one service after the other, each by its own update config.

Each service is followed until it is at full strength on its networks and off the others; then the next begins. Where
Swarm stops an update, or time is up, every service that was written gets back what it had (PUT_BACK). What somebody
else changes meanwhile is kept. Each step looks first, so that it can be run again from anywhere.
"""

from collections.abc import Callable, Iterable

from overlayweb.domain import attaching, connect_plans, specs
from overlayweb.domain.connect_plans import ConnectPlan
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.links import Publication
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.domain.specs import Spec, differences, same
from overlayweb.domain.swarm import Mode, Service, SwarmTask
from overlayweb.domain.wording import counted
from overlayweb.models import Event, JobService
from overlayweb.workflows import approved, release, snapshots
from overlayweb.workflows.runner import Context, OperatorNeededError, StepFailedError

State = JobService.State

TIMES_EXPECTED = 3.0
MARGIN_SECONDS = 180.0
_UNDER_WAY = frozenset({"updating", "rollback_started"})
_STOPPED = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})
"""States in which Swarm does not carry an update of ours on: what it started failed."""
_STOPPED_BACK = frozenset({"paused", "rollback_paused"})
"""On the way back Swarm's own rollback is welcome."""
_WROTE = "wrote"


class NetworkConnect:
    """The workflow, as the runner knows it."""

    kind = connect_plans.KIND

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps forward; on the way back each service is updated once more, and verified."""
        if current_pass is Pass.FORWARD:
            return plan.steps
        by_name = {step.name: step for step in plan.steps}
        seconds = by_name["connect"].expected_seconds
        back = PlannedStep(name="connect", title="Give services back what they had", expected_seconds=seconds)
        return back, by_name["verify"]

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        return _STEPS[name](context)

    def way_back(self, context: Context) -> Pass | None:
        """Nothing written: no way back is needed."""
        return Pass.PUT_BACK if any(map(release.was_touched, context.job.services.all())) else None

    def turning(self, way: Pass) -> str:  # noqa: ARG002  # there is one way
        """What is said when the job turns back."""
        return "Giving every service that was updated back what it had"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the cluster."""
        count = len(ConnectPlan.of(plan).rewirings)
        services = "1 service has" if count == 1 else f"{count} services have"
        if current_pass is Pass.FORWARD:
            return f"{services} the {connect_plans.things(plan)} that were asked for"
        return f"Every service has its {connect_plans.things(plan)} as before"


def check(context: Context) -> str:
    """Recompute the plan under the lock: it must be what was approved, and have no blocker."""
    approved.hold(context, context.engine.observe())
    return "Nothing moved since the plan was made"


def record(context: Context) -> str:
    """Save every service whole, before anything changes."""
    if not context.job.services.exists():
        swarm = context.engine.observe()
        by_id = {service.id: service for service in swarm.services}
        rows = []
        for effect in context.plan.effects:
            service = by_id.get(effect.service_id)
            if service is None or service.spec.digest != effect.spec_digest:
                raise StepFailedError(f"{effect.service_name} changed since the plan was checked. Plan again.")
            rows.append(snapshots.of_service(context, swarm, service, effect, target=service.spec))
        context.ledger.record(
            rows, step=context.step, message=f"{counted(len(rows), 'service')} saved before anything changes"
        )
    return counted(context.job.services.count(), "service")


def connect(context: Context) -> str:
    """Update one service after the other; the next begins when the one before is at full strength."""
    rows = [*context.job.services.order_by("name")]
    if context.current_pass is not Pass.FORWARD:
        rows = [row for row in rows if release.was_touched(row)]
    if "begun" not in context.step.intent:
        for row in rows:
            if row.state != State.GONE:
                context.ledger.change_service(row, step=context.step, state=State.WAITING)
        context.ledger.intend(context.step, begun=True)
    for row in rows:
        _bring(context, row)
    return f"{sum(row.state == State.RUNNING for row in rows)} of {counted(len(rows), 'service')}"


def verify(context: Context) -> str:
    """Hold every service that was written against its snapshot with the networks that it shall have."""
    rows = [row for row in context.job.services.all() if release.was_touched(row)]
    wrong = [problem for row in rows if (problem := _problem(context, row))]
    if wrong:
        raise OperatorNeededError(wrong)
    things = connect_plans.things(context.plan)
    forward = context.current_pass is Pass.FORWARD
    return f"Every service equals its snapshot, {f'with the {things} asked for' if forward else f'{things} too'}"


def _bring(context: Context, row: JobService) -> None:
    """Write the service, unless it is done already, and follow it. Raises StepFailedError where it fails."""
    if row.state in {State.RUNNING, State.GONE}:
        return
    context.pulse()
    wanted = _wanted(context, row)
    unanswered = row.intent == wanted(row.target_spec).text != row.written
    if release.write(context, row, wanted) or unanswered:
        context.ledger.intend(context.step, **{_WROTE: [*context.step.intent.get(_WROTE, []), row.service_id]})
    if row.state == State.WAITING:
        context.ledger.change_service(
            row, step=context.step, message=f"{row.name} is being updated", state=State.STARTING
        )
    limit = _limit(context, row)
    if waiting := context.wait(f"strong {row.service_id}", lambda: _look(context, row), seconds=limit, every=0.2):
        raise StepFailedError(f"Not within {limit:.0f} s: {waiting}.")


def _limit(context: Context, row: JobService) -> float:
    effect = next(effect for effect in context.plan.effects if effect.service_id == row.service_id)
    return sum(term.seconds for term in effect.terms) * TIMES_EXPECTED + MARGIN_SECONDS


def _wanted(context: Context, row: JobService) -> Callable[[Spec], Spec]:
    """What this pass makes of the service's own spec."""
    request = ConnectPlan.of(context.plan).request
    attach, detach = connect_plans.links_of(request.links, row.service_id)
    ports = connect_plans.publication_of(request, row.service_id) or Publication(service_id=row.service_id)
    if context.current_pass is Pass.FORWARD:
        return lambda spec: specs.republished(
            attaching.linked(spec, attach=attach, detach=detach), publish=ports.publish, unpublish=ports.unpublish
        )
    original = Spec(row.original)
    return lambda spec: specs.republished(
        attaching.unlinked(spec, original=original, networks=(*attach, *detach)),
        publish=ports.unpublish,
        unpublish=ports.publish,
    )


def _look(context: Context, row: JobService) -> str:
    """What of the service is still waited for, "" when it is at full strength."""
    service = context.engine.service(row.service_id)
    if service is None:
        _gone(context, row)
        return ""
    stopped = _STOPPED if context.current_pass is Pass.FORWARD else _STOPPED_BACK
    if service.update_state in stopped:
        raise StepFailedError(f"Swarm stopped the update of {row.name}: {service.update_message or 'no reason given'}.")
    own = [task for task in context.engine.swarm_tasks() if task.service_id == row.service_id]
    on, off = _on_and_off(context, row, service)
    running = [task for task in own if task.state == "running" and task.desired_state == "running"]
    right = sum(on <= {*task.network_ids} and not task.may_be_on(*off) for task in running)
    lingering = any(task.may_be_on(*off) for task in own)
    over = service.update_state not in _UNDER_WAY and right == len(running) and right >= _needed(row, service)
    if over and not lingering and not _to_begin(context, row, service):
        context.ledger.change_service(
            row,
            step=context.step,
            message=f"{row.name}: {right} of {row.containers_before} containers are as asked for",
            state=State.RUNNING,
            running_at=context.now(),
            containers_now=right,
        )
        return ""
    there = _renewed(service, running) if _has_ports(context, row) else right
    if there != row.containers_now:
        context.ledger.change_service(row, step=context.step, containers_now=there)
    return f"Updating {row.name} ({there} of {row.containers_before})"


def _to_begin(context: Context, row: JobService, service: Service) -> bool:
    """Whether Swarm has not begun with an update of ours whose end does not show in networks: ports show in no task."""
    wrote = row.service_id in context.step.intent.get(_WROTE, [])
    return _has_ports(context, row) and wrote and not service.update_state and bool(_needed(row, service))


def _has_ports(context: Context, row: JobService) -> bool:
    return connect_plans.publication_of(ConnectPlan.of(context.plan).request, row.service_id) is not None


def _renewed(service: Service, running: Iterable[SwarmTask]) -> int:
    """How many containers the update under way has made, by the manager's own clock."""
    began = service.update_started_at
    return sum(began is not None and task.created_at is not None and task.created_at >= began for task in running)


def _needed(row: JobService, service: Service) -> int:
    """As many containers as before; fewer where somebody has scaled the service down meanwhile."""
    return min(row.containers_before, service.replicas) if service.mode is Mode.REPLICATED else row.containers_before


def _on_and_off(context: Context, row: JobService, service: Service) -> tuple[set[str], set[str]]:
    """Of the networks in question those that the service's containers have to be on, and those they have to leave."""
    attach, detach = connect_plans.links_of(ConnectPlan.of(context.plan).request.links, row.service_id)
    concerned = {*attach, *detach}
    on = concerned & {*service.network_ids}
    return on, concerned - on


def _problem(context: Context, row: JobService) -> str:
    service = context.engine.service(row.service_id)
    if service is None:
        _gone(context, row)
        return ""
    release.keep_edits(context, row, service)
    wanted = _wanted(context, row)(row.target_spec)
    if not same(service.spec, wanted):
        paths: Iterable[str] = differences(wanted, service.spec)
        return f"{row.name} does not equal its snapshot at {', '.join(paths)}. Put it right, then continue."
    return ""


def _gone(context: Context, row: JobService) -> None:
    if row.state != State.GONE:
        context.ledger.change_service(
            row,
            step=context.step,
            message=f"{row.name} was removed by somebody else meanwhile",
            level=Event.Level.WARNING,
            state=State.GONE,
        )


_STEPS: dict[str, Callable[[Context], str]] = {
    "check": check,
    "record": record,
    "connect": connect,
    "verify": verify,
}
