"""Services that must not be touched now, and what the approver should know of the others."""

import pytest

from overlayweb.domain.plans import Strategy
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import SELF_LABEL, Mode, Service
from tests.domain.builders import (
    INGRESS_ID,
    make_port,
    make_request,
    make_service,
    make_spec,
    make_swarm,
    make_swarm_task,
    make_swarm_tasks,
)
from tests.domain.findings import BLOCKER, NOTICE, WARNING, codes, find, only


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"update_state": "updating"}, "service-updating"),
        ({"update_state": "paused"}, "service-update-paused"),
        ({"update_state": "rollback_started"}, "service-rolling-back"),
        ({"update_state": "rollback_paused"}, "service-rollback-paused"),
        ({"runtime": "plugin"}, "service-plugin"),
        ({"mode": Mode.REPLICATED_JOB}, "service-job"),
        ({"mode": Mode.GLOBAL_JOB}, "service-job"),
        ({"labels": ((SELF_LABEL, ""),)}, "own-service"),
    ],
)
def test_services_that_must_not_be_touched(changes: dict[str, object], code: str) -> None:
    findings = find(make_swarm(services=[make_service("shop_web", **changes)]))
    finding = only(findings, code)
    assert (finding.level, finding.about, finding.subject) == (BLOCKER, "service", "id-shop_web")
    assert finding.subject_name == "shop_web"
    assert codes(findings) == {code}
    assert codes(find(make_swarm(services=[make_service("shop_web", published=(), **changes)]))) == set()


@pytest.mark.parametrize("state", ["", "completed", "rollback_completed"])
def test_ended_updates_are_no_problem(state: str) -> None:
    assert codes(find(make_swarm(services=[make_service(update_state=state)]))) == set()


def test_what_docker_says_of_a_paused_update_is_passed_on() -> None:
    service = make_service(update_state="paused", update_message="update paused due to failure")
    assert (
        "Docker says: update paused due to failure."
        in only(find(make_swarm(services=[service])), "service-update-paused").message
    )


def test_overlayweb_behind_the_ingress_is_refused() -> None:
    service = make_service("tools_overlayweb")
    finding = only(find(make_swarm(services=[service], own_service_ids=(service.id,))), "own-service")
    assert finding.level is BLOCKER
    on_host = make_service("tools_overlayweb", published=(make_port(8000, mode="host"),))
    assert codes(find(make_swarm(services=[on_host], own_service_ids=(on_host.id,)))) == set()


def test_ports_that_swarm_chose_are_pinned_and_said() -> None:
    service = make_service(published=(8080, 0))
    finding = only(find(make_swarm(services=[service])), "service-port-pinned")
    assert finding.level is NOTICE
    assert finding.message.endswith("into its spec: 30001.")


def test_a_port_that_swarm_has_not_chosen_yet() -> None:
    service = make_service(published=(0,), ports=())
    assert "has not yet" in only(find(make_swarm(services=[service])), "service-port-pinned").message


def test_host_ports_that_swarm_chooses_are_left_alone() -> None:
    service = make_service(published=(8080, make_port(0, mode="host")))
    assert codes(find(make_swarm(services=[service]))) == set()


@pytest.mark.parametrize(
    ("service", "running", "said"),
    [(make_service(replicas=5), 3, "3 of 5"), (make_service(replicas=1), 0, "0 of 1")],
)
def test_less_than_full_strength_is_what_verifying_compares_with(service: Service, running: int, said: str) -> None:
    swarm = make_swarm(services=[service], swarm_tasks=make_swarm_tasks(service, running))
    finding = only(find(swarm), "service-weak")
    assert finding.level is WARNING
    assert said in finding.message


def test_a_global_service_is_compared_with_the_nodes_that_swarm_wants_it_on() -> None:
    service = make_service(mode=Mode.GLOBAL)
    placed = [make_swarm_task(service, 1), make_swarm_task(service, 2)]
    assert codes(find(make_swarm(services=[service], swarm_tasks=placed))) == set()
    starting = make_swarm_task(service, 3, state="starting")
    assert (
        "2 of 3" in only(find(make_swarm(services=[service], swarm_tasks=[*placed, starting])), "service-weak").message
    )


def test_a_strategy_for_a_service_that_is_not_touched() -> None:
    swarm = make_swarm(services=[make_service("shop_web"), make_service("shop_db", published=())])
    request = make_request(strategies={"id-shop_db": Strategy.STOP, "id-shop_web": Strategy.STOP})
    finding = only(find(swarm, request), "strategy-unused")
    assert (finding.level, finding.subject_name) == (WARNING, "shop_db")


def test_tasks_of_others_that_may_still_be_on_the_ingress() -> None:
    service = make_service("shop_db", published=())
    left = make_swarm_task(service, 1, state="orphaned", desired_state="shutdown", network_ids=(INGRESS_ID,))
    gone = make_swarm_task(service, 2, state="shutdown", desired_state="shutdown", network_ids=(INGRESS_ID,))
    finding = only(find(make_swarm(services=[service], swarm_tasks=[left, gone])), "swarm-tasks-left")
    assert (finding.level, finding.subject_name) == (WARNING, "shop_db")
    assert finding.message.startswith("1 task of shop_db ")


def test_a_service_that_swarm_has_not_allocated_publishes_by_its_spec() -> None:
    waiting = make_service(ports=(), update_state="updating")
    assert "service-updating" in codes(find(make_swarm(services=[waiting])))
    empty = make_service(spec=Spec.of({"Name": "x"}), update_state="updating")
    assert codes(find(make_swarm(services=[empty]))) == set()
    assert make_spec() != empty.spec
