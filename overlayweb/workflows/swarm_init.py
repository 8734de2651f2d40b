"""Make a Swarm of an engine that is in none.

A Swarm that is there when the worker looks again is the job's own if it was made after the engine was told, by that
engine's own clock, and has what was asked for. Any other is a person's, who is told what was found.
"""

import ipaddress
from collections.abc import Iterator
from datetime import datetime

from overlayweb.domain import init_plans
from overlayweb.domain.init_plans import InitPlan
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.domain.readiness import EngineView, Membership
from overlayweb.workflows import membership
from overlayweb.workflows.ports import Member
from overlayweb.workflows.runner import Context, OperatorNeededError

INGRESS_SECONDS = 60.0


class SwarmInit:
    """The workflow, as the runner knows it."""

    kind = init_plans.KIND

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The plan's own steps; a Swarm that is made is not unmade, only looked at."""
        return plan.steps if current_pass is Pass.FORWARD else membership.STANDS

    def run(self, name: str, context: Context) -> str:
        """Run one of the steps, named in the plan."""
        if name == "check":
            return membership.hold(context, context.job.cluster_id)
        if name == "initialise":
            return _initialise(context)
        return _seen(context) if name == "seen" else _stands(context)

    def way_back(self, context: Context) -> Pass | None:
        """By what the engine is."""
        return membership.way_back(context, context.job.cluster_id)

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        del way
        return "A Swarm is not unmade by a job: looking what stands"

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How a pass that came to its end has left the engine."""
        hostname = InitPlan.of(plan).hostname
        if current_pass is Pass.FORWARD:
            return f"{hostname} is the first manager of a new Swarm"
        return f"{hostname} stays in its Swarm; `docker swarm leave --force` on it ends that"


def _initialise(context: Context) -> str:
    plan = InitPlan.of(context.plan)
    with membership.engine(context, context.job.cluster_id) as member:
        if member.view().membership is Membership.NONE:
            what = f"{plan.hostname} is told to make a Swarm"
            membership.tell(context, member, lambda: member.initialise(plan.request), what=what)
        elif not membership.was_asked(context):
            raise membership.meanwhile(plan.name)
        view = membership.settled(context, member, plan.hostname)
        strange = list(_strange(context, member, plan, view))
    if strange:
        leave = f"`docker swarm leave --force` on {plan.hostname}"
        raise OperatorNeededError(
            [
                f"{plan.hostname} is in a Swarm that this job has not made: {'; '.join(strange)}.",
                f"If it shall stay, close the job. If not, run {leave} and continue: {membership.ONCE_MORE}",
            ]
        )
    return f"{plan.hostname} is the first manager, at {view.address}"


def _strange(context: Context, member: Member, plan: InitPlan, view: EngineView) -> Iterator[str]:
    """What the Swarm of the engine has that the one asked for has not."""
    if view.membership is not Membership.MANAGER:
        yield f"it is {membership.words(view)}"
        return
    founded, asked = member.founded_at(), datetime.fromisoformat(context.step.intent[membership.ASKED])
    if founded < asked:
        yield f"it was made at {founded:%Y-%m-%d %H:%M:%S %Z}, before the job asked for one"
    swarm = context.engine.observe()
    for word, wanted, found in (
        ("its pools are", plan.pools, swarm.default_addr_pools),
        ("the size of its networks is", (f"/{plan.size}",), (f"/{swarm.subnet_size}",)),
        ("its data-path port is", (str(plan.data_path_port),), (str(swarm.data_path_port),)),
    ):
        if wanted != found:
            yield f"{word} {', '.join(found)}, not {', '.join(wanted)}"
    if _address(plan.request.advertise) not in ("", view.address):
        yield f"its address is {view.address}, not {plan.request.advertise}"


def _address(advertised: str) -> str:
    """The address in ``address`` or ``address:port``; "" for an interface, whose address only the engine knows."""
    for text in (advertised, advertised.rpartition(":")[0].strip("[]")):
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            continue
    return ""


def _seen(context: Context) -> str:
    waiting = context.wait("the ingress", lambda: _missing(context), seconds=INGRESS_SECONDS)
    if waiting:
        raise OperatorNeededError(
            [
                f"The Swarm is made, and has waited for {waiting} for {INGRESS_SECONDS:.0f} seconds.",
                "The log of the engine says why. Continue looks again; close the job to leave it so.",
            ]
        )
    (ingress,) = context.engine.observe().ingress_networks
    return f"The manager answers, the ingress has {', '.join(row.subnet for row in ingress.ipam)}"


def _missing(context: Context) -> str:
    swarm = context.engine.observe()
    if not any(node.ready and node.role == "manager" for node in swarm.nodes):
        return "its manager to be ready"
    if not any(network.allocated for network in swarm.ingress_networks):
        return "its ingress to get addresses"
    return ""


def _stands(context: Context) -> str:
    with membership.engine(context, context.job.cluster_id) as member:
        return f"{InitPlan.of(context.plan).hostname} is {membership.words(member.view())}"
