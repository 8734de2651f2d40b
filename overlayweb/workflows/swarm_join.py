"""Let a registered engine join the Swarm of the cluster.

The token goes from a manager to the engine inside the worker, and is written down nowhere. The engine is in this
Swarm if the managers list the node that it says it is; in any other, a person is told what was found.
"""

from overlayweb.domain import join_plans
from overlayweb.domain.join_plans import JoinPlan
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.domain.readiness import Membership
from overlayweb.domain.swarm import Node
from overlayweb.workflows import membership
from overlayweb.workflows.ports import Member
from overlayweb.workflows.runner import Context, OperatorNeededError

LISTED_SECONDS = 10.0
READY_SECONDS = 60.0


class SwarmJoin:
    """The workflow, as the runner knows it."""

    kind = join_plans.KIND

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps; a node that has joined is not thrown out, only looked at."""
        return plan.steps if current_pass is Pass.FORWARD else membership.STANDS

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        if name == "check":
            return membership.hold(context, _number(context))
        if name == "join":
            return _join(context)
        return _seen(context) if name == "seen" else _stands(context)

    def way_back(self, context: Context) -> Pass | None:
        """By what the engine is."""
        return membership.way_back(context, _number(context))

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        del way
        return "A node is not taken out by a job: looking what stands"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the engine."""
        made = JoinPlan.of(plan)
        if current_pass is Pass.FORWARD:
            return f"{made.hostname} is a {made.request.how.role} of the Swarm, and ready"
        first = "`docker node demote` on a manager, then " if made.as_manager else ""
        return (
            f"{made.hostname} stays in its Swarm; {first}`docker swarm leave` on it and `docker node rm` on a manager "
            "take it out"
        )


def _number(context: Context) -> int:
    return JoinPlan.of(context.plan).request.joins


def _join(context: Context) -> str:
    plan = JoinPlan.of(context.plan)
    how = plan.request.how
    with membership.engine(context, plan.request.joins) as other:
        if other.view().membership is Membership.NONE:
            with membership.engine(context, context.job.cluster_id) as manager:
                token = manager.token(how.role)
            what = f"{plan.hostname} is told to join as {how.role}"
            membership.tell(context, other, lambda: other.join(how, token=token), what=what)
        elif not membership.was_asked(context):
            raise membership.meanwhile(plan.name)
        return _joined(context, other, plan)


def _joined(context: Context, other: Member, plan: JoinPlan) -> str:
    """Raises OperatorNeededError where it has joined another Swarm."""
    view = membership.settled(context, other, plan.hostname)
    waiting = f"the managers to list {plan.hostname}"
    if context.wait("the list", lambda: "" if _node(context, view.node_id) else waiting, seconds=LISTED_SECONDS):
        leave = f"`docker swarm leave --force` on {plan.hostname}"
        raise OperatorNeededError(
            [
                f"{plan.hostname} is {membership.words(view)}; its node {view.node_id} is none that is listed here.",
                f"If it shall stay there, close the job. If not, run {leave} and continue: {membership.ONCE_MORE}",
            ]
        )
    return f"{plan.hostname} is node {view.node_id[:12]}"


def _seen(context: Context) -> str:
    plan = JoinPlan.of(context.plan)
    with membership.engine(context, plan.request.joins) as other:
        waiting = context.wait("the node", lambda: _not_ready(context, other, plan), seconds=READY_SECONDS)
    if waiting:
        raise OperatorNeededError(
            [
                f"{plan.hostname} has joined, and for {READY_SECONDS:.0f} seconds the job has waited for {waiting}.",
                f"See that {plan.hostname} runs and the ports of the plan are open both ways. Continue looks again.",
            ]
        )
    return f"The managers list {plan.hostname} as ready"


def _not_ready(context: Context, other: Member, plan: JoinPlan) -> str:
    found = _node(context, other.view().node_id)
    if found is None:
        return f"the managers to list {plan.hostname}"
    if found.role != plan.request.how.role:
        return f"{plan.hostname} to be a {plan.request.how.role}; it is a {found.role}"
    return "" if found.ready else f"{plan.hostname} to be ready; it is {found.state}"


def _node(context: Context, node_id: str) -> Node | None:
    """The node with this id, None where the Swarm lists none."""
    return next((node for node in context.engine.nodes() if node.id == node_id), None)


def _stands(context: Context) -> str:
    plan = JoinPlan.of(context.plan)
    with membership.engine(context, plan.request.joins) as other:
        return f"{plan.hostname} is {membership.words(other.view())}"
