"""The kinds of change and what makes their plans: everything else asks here and knows no kind."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from overlayweb.domain import (
    connect_plans,
    container_plans,
    fingerprints,
    ingress_plans,
    network_plans,
    repair_plans,
    replace_plans,
)
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.estimates import ServiceHistory, Timings
from overlayweb.domain.plans import IngressPlan, Plan, Request
from overlayweb.domain.swarm import Swarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of change.

    ``build`` makes a plan from one observation and one request, pure: the same input, the same plan, every problem
    among its findings. Keywords: ``swarm``, ``request``, ``reserved``, ``timings``, ``history``. ``title``: what a
    change request with such a plan is called. ``restores``: whether a job may be turned round after its point of no
    return.
    """

    plan: type[Plan]
    build: Callable[..., Plan]
    title: Callable[[Plan], str]
    restores: bool = False


KINDS: dict[str, Kind] = {
    ingress_plans.KIND: Kind(
        plan=IngressPlan,
        build=ingress_plans.build,
        title=lambda plan: f"Rebuild ingress → {IngressPlan.of(plan).after.subnet}",
        restores=True,
    ),
    repair_plans.KIND: Kind(plan=IngressPlan, build=repair_plans.build, title=lambda _plan: "Repair the routing mesh"),
    network_plans.CREATE: Kind(
        plan=network_plans.CreatePlan, build=network_plans.create, title=network_plans.create_title
    ),
    network_plans.DELETE: Kind(
        plan=network_plans.DeletePlan, build=network_plans.delete, title=network_plans.delete_title
    ),
    connect_plans.KIND: Kind(plan=connect_plans.ConnectPlan, build=connect_plans.build, title=connect_plans.title),
    container_plans.KIND: Kind(
        plan=container_plans.ContainerPlan, build=container_plans.build, title=container_plans.title
    ),
    replace_plans.KIND: Kind(plan=replace_plans.ReplacePlan, build=replace_plans.build, title=replace_plans.title),
}


def build(
    *,
    kind: str,
    swarm: Swarm,
    request: Request,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> Plan:
    """The plan of this kind. Raises KeyError for a kind that there is not."""
    return KINDS[kind].build(swarm=swarm, request=request, reserved=reserved, timings=timings, history=history)


def drift(*, before: Plan, now: Plan) -> tuple[str, ...]:
    """What has moved between two plans of one request, one sentence for each thing; () when nothing has."""
    return fingerprints.drift(before=before, now=now)


def title(plan: Plan) -> str:
    """What a change request with this plan is called."""
    return KINDS[plan.kind].title(plan)
