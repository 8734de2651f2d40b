"""Which ingress networks a job may remove in each direction, and whose it leaves alone."""

from types import SimpleNamespace
from typing import cast

import pytest

from overlayweb.domain import ingress_plans, repair_plans
from overlayweb.domain.ingress_settings import JOB_LABEL
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import IngressRequest, Plan
from overlayweb.domain.swarm import Network
from overlayweb.workflows import ingress_network
from overlayweb.workflows.runner import Context, StepFailedError
from tests.domain.builders import make_ingress, make_request, make_service, make_swarm

JOB = 7
USED, OTHER = make_ingress(), make_ingress("10.5.0.0/24", id="other")
MADE = make_ingress("10.9.0.0/24", id="made", labels=((JOB_LABEL, f"{JOB}"),))
RESTORED = make_ingress("10.9.0.0/24", id="restored", labels=((JOB_LABEL, f"{JOB}-restored"),))
STRANGE = make_ingress("10.6.0.0/24", id="strange")


def plan_of(kind: str) -> Plan:
    if kind == ingress_plans.KIND:
        return ingress_plans.build(swarm=make_swarm(ingress=USED), request=make_request())
    swarm = make_swarm(ingress=USED, networks=[OTHER])
    return repair_plans.build(swarm=swarm, request=IngressRequest(settings=repair_plans.wanted(swarm=swarm)))


def removed(kind: str, there: tuple[Network, ...], current_pass: Pass, *, point_passed: bool = False) -> list[str]:
    """Ids of what has to go, by as much of a context as the question needs."""
    context = SimpleNamespace(
        plan=plan_of(kind),
        current_pass=current_pass,
        job=SimpleNamespace(pk=JOB),
        ledger=SimpleNamespace(job=lambda: SimpleNamespace(point_passed=point_passed)),
        engine=SimpleNamespace(networks=lambda: there, is_registered=lambda _: True),
    )
    return [network.id for network in ingress_network.to_remove(cast("Context", context))]


@pytest.mark.parametrize("current_pass", [Pass.FORWARD, Pass.RESTORE])
def test_a_repair_removes_all_that_it_found_and_keeps_the_one_that_it_made_in_each_direction(
    current_pass: Pass,
) -> None:
    for there, going in (
        ((USED, OTHER), [OTHER.id, USED.id]),
        ((USED,), [USED.id]),
        ((MADE, USED), [USED.id]),
        ((MADE,), []),
        ((), []),
    ):
        assert removed(repair_plans.KIND, there, current_pass) == going


def test_a_rebuild_removes_the_old_one_forward_and_its_own_on_the_way_back() -> None:
    assert removed(ingress_plans.KIND, (USED,), Pass.FORWARD) == [USED.id]
    assert removed(ingress_plans.KIND, (MADE,), Pass.FORWARD) == []
    assert removed(ingress_plans.KIND, (MADE,), Pass.RESTORE) == [MADE.id]
    assert removed(ingress_plans.KIND, (USED,), Pass.RESTORE) == []
    assert removed(ingress_plans.KIND, (RESTORED,), Pass.RESTORE) == []


@pytest.mark.parametrize("kind", [ingress_plans.KIND, repair_plans.KIND])
def test_nothing_is_removed_beside_one_of_somebody_else(kind: str) -> None:
    with pytest.raises(StepFailedError, match=r"made the ingress ingress 10\.6\.0\.0/24 .* Plan again"):
        removed(kind, (USED, STRANGE), Pass.FORWARD)
    with pytest.raises(StepFailedError, match=r"\(id strange\) was made by somebody else\. Remove it by its id"):
        removed(kind, (STRANGE,), Pass.FORWARD, point_passed=True)
    with pytest.raises(StepFailedError, match=r"\(id strange\) was made by somebody else\. Remove it by its id"):
        removed(kind, (STRANGE,), Pass.RESTORE, point_passed=True)


@pytest.mark.parametrize(
    ("current_pass", "what"),
    [(Pass.FORWARD, "Plan again."), (Pass.RESTORE, "Take the ports off it and continue, or close the job.")],
)
def test_whoever_publishes_meanwhile_is_named_with_what_to_do(current_pass: Pass, what: str) -> None:
    services = [make_service("web"), make_service("api"), make_service("inner", published=())]
    context = SimpleNamespace(current_pass=current_pass, engine=SimpleNamespace(services=lambda: services))
    with pytest.raises(StepFailedError) as refused:
        ingress_network.refuse_published(cast("Context", context))
    assert str(refused.value) == f"Somebody published api, web through the ingress meanwhile. {what}"
