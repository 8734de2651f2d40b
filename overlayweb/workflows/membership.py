"""What making a Swarm and joining one share: one call on one engine, which is never made twice by chance.

1. The plan is made again by what the engine says now: it is in no Swarm.
2. The intent is committed, with the time of the engine's own clock; then the engine is told, once.
3. Whoever comes next, after a lost answer or as a successor, looks first what the engine is now.

A Swarm is not unmade and a node not taken out by a job: what to run by hand is said instead.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from overlayweb.domain import candidates
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import PlannedStep
from overlayweb.domain.readiness import EngineView, Membership
from overlayweb.engine.errors import EngineError, EngineUnreachable
from overlayweb.models import Cluster, candidate_of
from overlayweb.workflows import approved
from overlayweb.workflows.ledger import LASTING
from overlayweb.workflows.ports import Member
from overlayweb.workflows.runner import Context, OperatorNeededError, StepFailedError

ASKED = f"{LASTING}at"
"""In the intent of the step that tells the engine: when, by that engine's clock."""
TRIES = 2
"""So often an engine that fails, and is in no Swarm after it, is told again."""
ONCE_MORE = "then it is told once more."
BEGIN_SECONDS = 120.0
"""So long an engine may be between no Swarm and one."""
STANDS = (PlannedStep(name="stands", title="See what stands", expected_seconds=1.0),)


@contextmanager
def engine(context: Context, number: int) -> Iterator[Member]:
    """The engine as which the cluster of this number is registered."""
    with closing(context.engine.member(number)) as member:
        yield member


def hold(context: Context, number: int) -> str:
    """Plan again under the lock, by what the engines say now. Raises StepFailedError."""
    cluster = Cluster.objects.filter(pk=number, removed_at=None).first()
    if cluster is None:
        raise StepFailedError("The engine is not registered any more. Plan again.")
    with engine(context, number) as member:
        view = member.view()
    own = number == context.job.cluster_id
    swarm = candidates.alone(view, context.now()) if own else context.engine.observe()
    approved.hold(context, swarm, candidate=candidate_of(cluster, view, without=context.job))
    return f"{view.hostname} is in no Swarm"


def was_asked(context: Context) -> bool:
    """Whether the engine was told, or is about to be: from then on only it knows what became of it."""
    return any(ASKED in intent for intent in context.job.steps.values_list("intent", flat=True))


def tell(context: Context, member: Member, call: Callable[[], object], *, what: str) -> None:
    """Tell an engine that is in no Swarm. ``what``: as the story says it.

    It may have refused because it is part of a Swarm by now: the caller looks. Raises StepFailedError where it
    refused and is in none, EngineError where it shall be asked again.
    """
    step, ledger = context.step, context.ledger
    ledger.pass_point_of_no_return(step, what)
    if ASKED not in step.intent:
        ledger.intend(step, **{ASKED: member.clock().isoformat()})
    try:
        call()
    except EngineUnreachable:
        raise  # it may have heard
    except EngineError as error:
        if member.view().membership is not Membership.NONE:
            return
        refused = int(step.intent.get("refused", 0)) + 1
        ledger.intend(step, refused=refused)
        if not error.permanent and refused < TRIES:
            raise
        ledger.take_back_point(step, "The engine refused, and is in no Swarm")
        raise StepFailedError(str(error)) from error


def settled(context: Context, member: Member, hostname: str) -> EngineView:
    """What the engine is once it is neither outside nor on its way. Raises StepFailedError, OperatorNeededError."""
    context.wait("the engine", lambda: _on_its_way(member, hostname), seconds=BEGIN_SECONDS)
    view = member.view()
    if view.membership is Membership.NONE:
        raise StepFailedError(f"{hostname} began, and gave up: it is in no Swarm.")
    if view.membership is Membership.BROKEN:
        why = f" It says: {view.swarm_error}" if view.swarm_error else ""
        raise OperatorNeededError(
            [
                f"{hostname} has been on its way into the Swarm for {BEGIN_SECONDS / 60:.0f} minutes.{why}",
                f"Mend what it says and continue. Or run `docker swarm leave --force` on {hostname} first: {ONCE_MORE}",
            ]
        )
    return view


def meanwhile(name: str) -> StepFailedError:
    """The engine was not told, and is in a Swarm: somebody else was quicker."""
    return StepFailedError(f"The engine of {name} has become part of a Swarm meanwhile. Plan again.")


def way_back(context: Context, number: int) -> Pass | None:
    """Before the engine was told nothing was changed; after it, it is asked what it is. Nothing is undone."""
    if not was_asked(context):
        return None
    with engine(context, number) as member:
        return None if member.view().membership is Membership.NONE else Pass.RESTORE


def words(view: EngineView) -> str:
    """What the engine is, for a person: "a worker of a Swarm with the managers 10.0.0.1:2377"."""
    known = f" with the managers {', '.join(view.managers)}" if view.managers else ""
    return {
        Membership.NONE: "in no Swarm",
        Membership.LOCKED: "a manager of a locked Swarm",
        Membership.BROKEN: "kept from a Swarm",
    }.get(view.membership, f"a {view.membership} of a Swarm{known}")


def _on_its_way(member: Member, hostname: str) -> str:
    view = member.view()
    if view.membership is not Membership.BROKEN:
        return ""
    return f"{hostname} to be let in{f': {view.swarm_error}' if view.swarm_error else ''}"
