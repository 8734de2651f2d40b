"""Connect standalone containers to an overlay and disconnect them, each by the engine of its own node.

Each is looked at, moved where it is not so already, and taken for moved when its engine and the manager both show it.
Whatever goes wrong, the containers that were touched go back to where they were (PUT_BACK).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from overlayweb.domain import container_plans
from overlayweb.domain.container_plans import ContainerPlan, Joining
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.domain.swarm import Container
from overlayweb.engine.errors import NotFound, Refused
from overlayweb.workflows import approved
from overlayweb.workflows.ledger import LASTING
from overlayweb.workflows.ports import NodeEngine
from overlayweb.workflows.runner import Context, OperatorNeededError, StepFailedError

SEEN_SECONDS = 30.0
_TOUCHED = f"{LASTING}touched "
_TOLD = "told "
_DONE = {True: "has joined", False: "has left"}


class ContainerConnect:
    """The workflow, as the runner knows it."""

    kind = container_plans.KIND

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps forward; on the way back each container that was touched is moved once more."""
        if current_pass is Pass.FORWARD:
            return plan.steps
        seconds = plan.steps[-1].expected_seconds
        return (PlannedStep(name="connect", title="Put containers back", expected_seconds=seconds),)

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        return check(context) if name == "check" else connect(context)

    def way_back(self, context: Context) -> Pass | None:
        """Nothing touched: no way back is needed."""
        return Pass.PUT_BACK if _touched(context) else None

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back."""
        del way
        return "Putting every container that was touched back"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the cluster."""
        made = ContainerPlan.of(plan)
        if current_pass is not Pass.FORWARD:
            return f"Every container is on its networks as before; {made.network_name} is untouched"
        return ". ".join(f"{row} {_DONE[row.attach]} {made.network_name}" for row in made.joinings)


def check(context: Context) -> str:
    """Recompute the plan under the lock, with the nodes' own engines asked: it must be what was approved."""
    swarm = context.engine.observe()
    rows = {row.node_id: row for row in ContainerPlan.of(context.plan).joinings}
    views = []
    for row in rows.values():
        with _engine(context, row) as engine:
            views.append(engine.own_view(row.hostname))
    approved.hold(context, replace(swarm, node_views=tuple(views)))
    return "Nothing moved since the plan was made"


def connect(context: Context) -> str:
    """Move one container after the other; on the way back those that were touched, to where they were."""
    plan = ContainerPlan.of(context.plan)
    forward = context.current_pass is Pass.FORWARD
    rows = plan.joinings if forward else tuple(row for row in plan.joinings if row.container_id in _touched(context))
    for row in rows:
        context.pulse()
        wanted = row if forward else replace(row, attach=not row.attach)
        with _engine(context, wanted) as engine:
            _move(context, plan, wanted, engine)
    return f"{len(rows)} of {len(rows)}"


def _move(context: Context, plan: ContainerPlan, row: Joining, engine: NodeEngine) -> None:
    found = _container(engine, row)
    if found is None:
        if context.current_pass is not Pass.FORWARD:
            context.ledger.say(f"{row} does not run any more", step=context.step)
            return
        raise StepFailedError(f"{row} does not run any more.")
    if (plan.network_id in found.network_ids) != row.attach:
        context.ledger.intend(context.step, **{_TOUCHED + row.container_id: True})
        call = engine.connect_container if row.attach else engine.disconnect_container
        try:
            call(network_id=plan.network_id, container_id=row.container_id)
        except (Refused, NotFound) as error:
            sentence = f"The engine of {row.hostname} refuses {row.name}: {error}"
            if context.current_pass is Pass.FORWARD:
                raise StepFailedError(sentence) from error
            raise OperatorNeededError([f"{sentence} Then continue."]) from error
    waiting = context.wait(row.container_id, lambda: _unseen(context, plan, row, engine), seconds=SEEN_SECONDS)
    if waiting:
        raise StepFailedError(f"{waiting} after {SEEN_SECONDS:.0f} s.")
    # While one is waited for, the step looks again at all of them.
    if _TOLD + row.container_id not in context.step.intent:
        context.ledger.say(f"{row} {_DONE[row.attach]} {plan.network_name}", step=context.step)
        context.ledger.intend(context.step, **{_TOLD + row.container_id: True})


def _unseen(context: Context, plan: ContainerPlan, row: Joining, engine: NodeEngine) -> str:
    """What does not show it yet, "" when both the node's engine and the manager do."""
    found = _container(engine, row)
    if found is None or (plan.network_id in found.network_ids) != row.attach:
        return f"The engine of {row.hostname} does not show {row.name} {'on' if row.attach else 'off'} the network"
    rows = [t for t in context.engine.attachments() if t.container_id == row.container_id]
    shown = any(t.may_be_on(plan.network_id) and t.desired_state == "running" for t in rows)
    return "" if shown == row.attach else f"The manager does not show what became of {row.name}"


def _container(engine: NodeEngine, row: Joining) -> Container | None:
    containers = engine.own_view(row.hostname).containers
    return next((container for container in containers if container.id == row.container_id), None)


def _touched(context: Context) -> set[str]:
    """Ids of the containers that a call may have moved."""
    steps = context.job.steps.filter(name="connect")
    keys = (key for intent in steps.values_list("intent", flat=True) for key in intent)
    return {key.removeprefix(_TOUCHED) for key in keys if key.startswith(_TOUCHED)}


@contextmanager
def _engine(context: Context, row: Joining) -> Iterator[NodeEngine]:
    """The engine of the container's node: the manager's own, or the registered one, once it says that it is."""
    if context.engine.own_view(row.hostname).node_id == row.node_id:
        yield context.engine
        return
    engine = context.engine.of_node(row.hostname)
    try:
        if engine.own_view(row.hostname).node_id != row.node_id:
            raise StepFailedError(f"Another engine than that of {row.hostname} answers at its registered address.")
        yield engine
    finally:
        engine.close()
