"""The kinds of change and what makes their plans: everything else asks here and knows no kind."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from overlayweb.domain import (
    connect_plans,
    container_plans,
    fingerprints,
    ingress_plans,
    init_plans,
    join_plans,
    network_plans,
    repair_plans,
    replace_plans,
)
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.candidates import Candidate
from overlayweb.domain.estimates import ServiceHistory, Timings
from overlayweb.domain.plans import IngressPlan, Plan, Request
from overlayweb.domain.swarm import Swarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of change.

    ``build`` makes a plan from one observation and one request, pure: the same input, the same plan, every problem
    among its findings. Keywords: ``swarm``, ``request``, ``reserved``, ``timings``, ``history``. ``title``: what a
    change request with such a plan is called. ``restores``: whether a job may be turned round after its point of no
    return. ``for_admins``: whether administrators alone ask for it and decide on it.

    ``engine``: of a kind that makes an engine part of a Swarm, whose engine that is: the number of the cluster as
    which it is registered, from the request and the number of the change's own cluster. ``build`` then takes
    ``candidate`` too; where it is the own cluster's engine, ``swarm`` is what that has of its own.
    """

    plan: type[Plan]
    build: Callable[..., Plan]
    title: Callable[[Plan], str]
    restores: bool = False
    for_admins: bool = False
    engine: Callable[[Request, int], int] | None = None


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
    init_plans.KIND: Kind(
        plan=init_plans.InitPlan,
        build=init_plans.build,
        title=init_plans.title,
        for_admins=True,
        engine=lambda _request, own: own,
    ),
    join_plans.KIND: Kind(
        plan=join_plans.JoinPlan,
        build=join_plans.build,
        title=join_plans.title,
        for_admins=True,
        engine=lambda request, _own: join_plans.joins(request),
    ),
}


def build(
    *,
    kind: str,
    swarm: Swarm,
    request: Request,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
    candidate: Candidate | None = None,
) -> Plan:
    """The plan of this kind. ``candidate``: for the kinds that have an ``engine``, which it is then.

    Raises KeyError for a kind that there is not.
    """
    of_engine = {} if candidate is None else {"candidate": candidate}
    return KINDS[kind].build(
        swarm=swarm, request=request, reserved=reserved, timings=timings, history=history, **of_engine
    )


def drift(*, before: Plan, now: Plan) -> tuple[str, ...]:
    """What has moved between two plans of one request, one sentence for each thing; () when nothing has."""
    return fingerprints.drift(before=before, now=now)


def title(plan: Plan) -> str:
    """What a change request with this plan is called."""
    return KINDS[plan.kind].title(plan)
