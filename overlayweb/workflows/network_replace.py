"""Replace an overlay: a new one beside it, services moved in two phases by their own update configs, the old removed.

A move goes from a source to a target: create the target; ``join``: services on both; containers outside services named
and waited for; ``leave``: services on the target only; ``flush``: previous specs forget the source; ``remove`` it. With
the same name at the end there are two moves, over an interim network. Each step looks first, so that it can be run
again from anywhere; nothing is told by a name.

Ways back: until the old network is removed, the same move the other way round (PUT_BACK). After that the old one is
gone for good, and everybody is brought together on the first network that the job made (RESTORE).
"""

from collections.abc import Callable
from dataclasses import replace

from overlayweb.domain import attaching, network_plans, replace_plans
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.domain.replace_plans import ReplacePlan
from overlayweb.domain.specs import differences
from overlayweb.domain.swarm import Service
from overlayweb.domain.wording import counted
from overlayweb.engine.errors import NotFound, VersionConflict
from overlayweb.models import Event, JobService
from overlayweb.workflows import approved, network_place, release, snapshots
from overlayweb.workflows.network_moves import Moving
from overlayweb.workflows.network_place import Move, Place, plan_of
from overlayweb.workflows.runner import Context, NotYetError, OperatorNeededError, StepFailedError

State = JobService.State


class NetworkReplace:
    """The workflow, as the runner knows it."""

    kind = replace_plans.KIND

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps forward; on the way back the same move, the other way round."""
        if current_pass is Pass.FORWARD:
            return plan.steps
        by_name = {step.name: step for step in plan.steps}
        back = [replace(by_name[f"{name}-1"], title=title, point_of_no_return=False) for name, title in _BACK.items()]
        return (*back, by_name["verify"])

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        step, _, number = name.partition("-")
        return _STEPS[step](context, int(number or 1))

    def way_back(self, context: Context) -> Pass | None:
        """By what is there. Nothing made and nothing written: no way back is needed."""
        there = network_place.place(context)
        touched = any(map(release.was_touched, context.job.services.all()))
        if not touched and there.first is None and there.second is None:
            return None
        return Pass.RESTORE if there.old is None else Pass.PUT_BACK

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        if way is Pass.PUT_BACK:
            return "Moving every service back onto the old network"
        return "The old network is gone: bringing every service onto the new one"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the cluster."""
        plan = ReplacePlan.of(plan)
        if current_pass is Pass.FORWARD:
            return f"{plan.before.name} is replaced: every service is on {plan.after.name}"
        if current_pass is Pass.PUT_BACK:
            return f"Every service is on {plan.before.name} as before, and the new network is removed"
        return f"Every service is on {plan.made[0].name}; {plan.before.name} is gone"


def check(context: Context, _number: int) -> str:
    """Recompute the plan under the lock: it must be what was approved, and have no blocker."""
    approved.hold(context, context.engine.observe())
    return "Nothing moved since the plan was made"


def record(context: Context, _number: int) -> str:
    """Save every affected service whole, before anything changes."""
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


def create(context: Context, number: int) -> str:
    """Make the network and see it allocated."""
    return network_place.make(context, number)


def join(context: Context, number: int) -> str:
    """Every service that is on the source only goes onto both, each by its own update config."""
    move = _move(context, number)
    if move.source is None:
        return "Nobody has to move"
    move.only()
    done = Moving(context, move, move.both(), stays=lambda service: move.only()[0] in service.network_ids).run()
    return f"{done} on both networks"


def containers(context: Context, number: int) -> str:
    """Name the containers outside services that are still on the source, and look again until they have moved."""
    move = _move(context, number)
    if move.source is None or move.target is None:
        return "None"
    alone = network_place.standing_on(context, move.source)
    if not alone:
        return f"No standalone container is on {move.source.name}"
    source, target = move.source.name, move.target.name
    for box in alone:
        key, hostname = box.key, box.hostname
        if f"named {key}" not in context.step.intent:
            words = f"Container {key} on {hostname} is on {source}. Run there: `docker network connect {target} {key}`"
            context.ledger.announce(
                "container",
                f"{words}, then `docker network disconnect {source} {key}`. The job sees it and goes on.",
                step=context.step,
                subject=hostname,
                data={"container": box.container_id, "node": hostname},
                **{f"named {key}": True},
            )
    told = ", ".join(f"{box.key} on {box.hostname}" for box in alone)
    context.ledger.progress(context.step, f"Waits for containers to move off {source}: {told}")
    raise NotYetError


def leave(context: Context, number: int) -> str:
    """Every service goes off the source and stays on the target."""
    move = _move(context, number)
    done = Moving(context, move, move.only(), stays=lambda _service: False).run()
    return f"{done} on {move.target.name if move.target else ''} only"


def flush(context: Context, number: int) -> str:
    """Write specs once more as they are, where the one before names the source. It restarts nothing."""
    move = _move(context, number)
    if move.source is None:
        return "Nothing to forget"
    flushed = sum(_flush(context, row, move.source.id) for row in context.job.services.all())
    return f"{flushed} written once more"


def remove(context: Context, number: int) -> str:
    """Remove the source. The old network's removal is the point of no return."""
    source = _move(context, number).source
    if source is None:
        return "It is gone already"
    forward = context.current_pass is Pass.FORWARD
    return network_place.take_away(context, source, passes_point=forward and number == 1)


_GONE = (
    "The network that services shall be on is gone: somebody removed it meanwhile. Close this job, then attach the"
    " services to another overlay."
)


def verify(context: Context, _number: int) -> str:
    """Hold every service against its snapshot with the target in the place of the old network."""
    place = network_place.place(context)
    move = _end(context, place)
    if move.target is None or not move.target.allocated:
        raise OperatorNeededError([_GONE])
    wrong = [problem for row in context.job.services.all() if (problem := _problem(context, row, move))]
    if wrong:
        raise OperatorNeededError(wrong)
    return f"Every service equals its snapshot, on {move.target.name}"


def _move(context: Context, number: int) -> Move:
    return network_place.place(context).move(context, number)


def _end(context: Context, place: Place) -> Move:
    """The last move of the pass, whose target stays."""
    return place.move(context, len(plan_of(context).made) if context.current_pass is Pass.FORWARD else 1)


def _flush(context: Context, row: JobService, source: str) -> bool:
    for _ in range(release.MAX_CONFLICTS):
        service = context.engine.service(row.service_id)
        if service is None or not network_plans.remembers(service, source):
            return False
        release.keep_edits(context, row, service)
        context.pulse()
        context.ledger.change_service(row, step=context.step, intent=service.spec.text, written=service.spec.text)
        try:
            context.engine.update_service(service_id=service.id, version=service.version, spec=service.spec)
        except (VersionConflict, NotFound):
            continue  # look again
        return True
    raise VersionConflict(f"{row.name} keeps changing while it is updated. Stop whatever else updates it.")


def _problem(context: Context, row: JobService, move: Move) -> str:
    service = context.engine.service(row.service_id)
    if service is None:
        return _gone(context, row)
    whole = service.spec  # of one that was never written, whatever somebody made of it meanwhile is theirs
    if release.was_touched(row):
        release.keep_edits(context, row, service)
        whole = row.target_spec
    wanted = attaching.moved(whole, known=move.known, wanted=move.only())
    if service.spec != wanted and not _detached(service, move):
        paths = ", ".join(differences(wanted, service.spec)) or "bytes alone"
        return f"{row.name} does not equal its snapshot at {paths}. Put it right, then continue."
    return ""


def _detached(service: Service, move: Move) -> bool:
    """Whether somebody took the service off all of the job's networks meanwhile, which is theirs to do."""
    return not move.known & {*service.network_ids}


def _gone(context: Context, row: JobService) -> str:
    if row.state != State.GONE:
        context.ledger.change_service(
            row,
            step=context.step,
            message=f"{row.name} was removed by somebody else meanwhile",
            level=Event.Level.WARNING,
            state=State.GONE,
        )
    return ""


_STEPS: dict[str, Callable[[Context, int], str]] = {
    "check": check,
    "record": record,
    "create": create,
    "join": join,
    "containers": containers,
    "leave": leave,
    "flush": flush,
    "remove": remove,
    "verify": verify,
}
_BACK = {
    "join": "Services onto both networks again",
    "containers": "Standalone containers back",
    "leave": "Services off the network that goes",
    "flush": "Forget it in what services remember",
    "remove": "Remove it",
}
