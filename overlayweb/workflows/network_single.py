"""Make one overlay, or take one away: no service is touched by either.

Making succeeds when the network is seen allocated, not when the engine takes it: one that is not within seconds is
removed again, and the networks that it collides with are named. It bears the label of the job that made it, by which it
is found again when an answer was lost; so it is never made twice.
"""

from overlayweb.domain import network_plans
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.network_plans import CreatePlan, DeletePlan
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.workflows import approved, network_place
from overlayweb.workflows.runner import Context


class NetworkCreate:
    """The workflow, as the runner knows it."""

    kind = network_plans.CREATE

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps forward; on the way back what was made is removed."""
        if current_pass is Pass.FORWARD:
            return plan.steps
        title = f"Remove {CreatePlan.of(plan).after.name} again"
        return (PlannedStep(name="remove", title=title, expected_seconds=1.0),)

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        if name == "check":
            return _check(context)
        if name == "create-1":
            return network_place.make(context, 1)
        made = network_place.place(context).first
        return network_place.take_away(context, made, passes_point=False) if made else "Nothing of it is there"

    def way_back(self, context: Context) -> Pass | None:
        """By what is there: nothing made, nothing to take away."""
        return Pass.PUT_BACK if network_place.place(context).first else None

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        del way
        return "Removing what was made"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the cluster."""
        name = CreatePlan.of(plan).after.name
        return f"{name} is there and has its addresses" if current_pass is Pass.FORWARD else f"{name} is removed again"


class NetworkDelete:
    """The workflow, as the runner knows it."""

    kind = network_plans.DELETE

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps; there is no way back from a removal, and before it nothing is changed."""
        return plan.steps if current_pass is Pass.FORWARD else plan.steps[1:]

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        there = network_place.place(context).old
        if name == "check":
            return _check(context)
        if there is None:
            return "It is gone already"
        return network_place.take_away(context, there, passes_point=not context.job.point_passed)

    def way_back(self, context: Context) -> Pass | None:
        """Before the removal nothing was changed; after it only its end is left."""
        gone = network_place.place(context).old is None
        return Pass.RESTORE if gone else None

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        del way
        return "The network is removed already"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the cluster."""
        del current_pass
        return f"{DeletePlan.of(plan).before.name} is gone"


def _check(context: Context) -> str:
    """Recompute the plan under the lock: it must be what was approved, and have no blocker."""
    approved.hold(context, context.engine.observe())
    return "Nothing moved since the plan was made"
