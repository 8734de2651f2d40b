"""Which planner makes the plan of which kind: everything else asks here and knows no kind."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from overlayweb.domain import fingerprints, ingress_plans, repair_plans
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.estimates import ServiceHistory, Timings
from overlayweb.domain.plans import IngressRequest, Plan
from overlayweb.domain.swarm import Swarm


class Planner(Protocol):
    """Makes a plan from one observation and one request, pure: the same input, the same plan."""

    def __call__(
        self,
        *,
        swarm: Swarm,
        request: IngressRequest,
        reserved: Sequence[ReservedRange] = (),
        timings: Timings | None = None,
        history: Iterable[ServiceHistory] = (),
    ) -> Plan:
        """The plan, with every problem among its findings."""


_PLANNERS: dict[str, Planner] = {ingress_plans.KIND: ingress_plans.build, repair_plans.KIND: repair_plans.build}


def build(
    *,
    kind: str,
    swarm: Swarm,
    request: IngressRequest,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> Plan:
    """The plan of this kind. Raises KeyError for a kind that there is not."""
    return _PLANNERS[kind](swarm=swarm, request=request, reserved=reserved, timings=timings, history=history)


def drift(*, before: Plan, now: Plan) -> tuple[str, ...]:
    """What has moved between two plans of one request, one sentence for each thing; () when nothing has."""
    return fingerprints.drift(before=before, now=now)


def title(plan: Plan) -> str:
    """What a change request with this plan is called."""
    return _TITLES[plan.kind].format(subnet=plan.after.subnet)


_TITLES = {ingress_plans.KIND: "Rebuild ingress → {subnet}", repair_plans.KIND: "Repair the routing mesh"}
