"""The plans of making a Swarm and of joining one: what they show, refuse and warn of, and what voids them."""

from dataclasses import replace
from typing import Any

import pytest

from overlayweb.domain import candidates, fingerprints, planners
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.candidates import Candidate
from overlayweb.domain.init_plans import InitPlan
from overlayweb.domain.join_plans import EngineJoin, JoinPlan
from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.domain.plans import Level, Plan
from overlayweb.domain.readiness import EngineView, Membership
from overlayweb.domain.swarm import Mode, Swarm
from overlayweb.models import codec
from tests.domain.builders import NOW, make_bridge, make_network, make_node, make_service, make_swarm

OUTSIDE = EngineView(
    hostname="box",
    os="linux",
    engine_version=make_node("node1").engine_version,
    networks=(make_bridge("bridge", "172.17.0.0/16"), make_bridge("docker_gwbridge", "172.18.0.0/16")),
)
REMOTE = "192.168.50.11:2377"


def spare(**view: Any) -> Candidate:
    return Candidate(number=7, name="spare", endpoint="tcp://10.2.0.99:2376", view=replace(OUTSIDE, **view))


def init(candidate: Candidate | None = None, *, reserved: tuple[ReservedRange, ...] = (), **asked: Any) -> InitPlan:
    one = candidate or spare()
    swarm, request = candidates.alone(one.view, NOW), InitRequest(**asked)
    plan = planners.build(kind="swarm_init", swarm=swarm, request=request, candidate=one, reserved=reserved)
    return InitPlan.of(plan)


def join(swarm: Swarm | None = None, candidate: Candidate | None = None, **how: Any) -> JoinPlan:
    request = EngineJoin(joins=7, how=JoinRequest(**{"role": "worker", "remote": REMOTE, **how}))
    plan = planners.build(
        kind="swarm_join", swarm=swarm or make_swarm(), request=request, candidate=candidate or spare()
    )
    return JoinPlan.of(plan)


def codes(plan: Plan, level: Level) -> set[str]:
    return {finding.code for finding in plan.findings if finding.level is level}


def test_a_new_swarm_is_shown_with_what_is_fixed_for_good() -> None:
    plan = init(advertise="10.4.0.9", pools=("10.30.0.0/16",), size=26, data_path_port=7789)
    assert (plan.pools, plan.size, plan.data_path_port, plan.room) == (("10.30.0.0/16",), 26, 7789, 1024)
    line = "docker swarm init --advertise-addr 10.4.0.9 --data-path-port 7789 --default-addr-pool 10.30.0.0/16"
    assert plan.commands == (f"{line} --default-addr-pool-mask-length 26  # on box",)
    assert [step.name for step in plan.steps if step.point_of_no_return] == ["initialise"]
    assert not plan.blockers
    plain = init()
    assert (plain.pools, plain.size, plain.data_path_port) == (("10.0.0.0/8",), 24, 4789)


def test_a_size_without_a_pool_changes_nothing_of_what_is_shown() -> None:
    assert init(size=26).size == 24


def test_pools_are_held_against_the_networks_of_the_engine_and_reserved_ranges() -> None:
    (finding,) = init(pools=("172.17.0.0/16",)).blockers
    assert "bridge (172.17.0.0/16)" in finding.message
    assert not init(pools=("172.18.0.0/16",)).blockers  # docker_gwbridge makes room for itself
    office = ReservedRange(name="office", cidr="10.30.4.0/24")
    (finding,) = init(pools=("10.30.0.0/16",), reserved=(office,)).blockers
    assert "office" in finding.message


@pytest.mark.parametrize("membership", [one for one in Membership if one is not Membership.NONE])
def test_an_engine_that_is_part_of_a_swarm_neither_makes_nor_joins_one(membership: Membership) -> None:
    taken = spare(membership=membership, swarm_error="no route to host")
    for plan in (init(taken), join(candidate=taken)):
        assert codes(plan, Level.BLOCKER) == {"engine-in-swarm"}
        assert "docker swarm" in plan.blockers[0].remedy
        assert "box" in plan.blockers[0].remedy


def test_an_engine_that_another_job_is_about_waits() -> None:
    busy = replace(spare(), busy="job 12")
    assert [row.message for row in join(candidate=busy).blockers] == [
        "Job 12 is about the same engine and has not ended."
    ]
    assert codes(init(busy), Level.BLOCKER) == {"engine-busy"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"membership": Membership.WORKER}, "Engine spare is part of a Swarm now."),
        ({"engine_version": "20.10.24"}, "Engine spare is another engine now, or has another name or version."),
        ({"engine_id": "OTHER"}, "Engine spare is another engine now, or has another name or version."),
    ],
)
def test_a_plan_is_void_once_the_engine_is_another(changed: dict[str, Any], words: str) -> None:
    for make in (init, lambda one=None: join(candidate=one)):
        assert planners.drift(before=make(), now=make(spare(**changed))) == (words,)
        assert make().fingerprint != make(spare(**changed)).fingerprint
        assert make().sha256 == make().sha256


def test_a_reserved_range_that_comes_into_the_pools_voids_the_plan() -> None:
    office = ReservedRange(name="office", cidr="10.30.4.0/24")
    before, now = init(pools=("10.30.0.0/16",)), init(pools=("10.30.0.0/16",), reserved=(office,))
    assert planners.drift(before=before, now=now) == ("Reserved range office is in the way now.",)


def test_joining_shows_managers_ports_and_commands_without_a_token() -> None:
    worker, manager = join(advertise="10.2.0.99"), join(role="manager")
    assert (worker.managers, worker.managers_after, manager.managers_after) == (1, 1, 2)
    assert not any(port.startswith("2377/tcp") for port in worker.ports)
    assert any(port.startswith("2377/tcp") for port in manager.ports)
    assert worker.commands == (
        "docker swarm join-token --quiet worker  # on a manager: this is the TOKEN",
        f"docker swarm join --token TOKEN --advertise-addr 10.2.0.99 {REMOTE}  # on box",
    )
    assert worker.other_clusters == (7,)
    assert not worker.warnings


def test_global_services_start_on_the_new_node() -> None:
    swarm = make_swarm(services=[make_service("agent", mode=Mode.GLOBAL), make_service("web")])
    assert join(swarm).global_services == ("agent",)


@pytest.mark.parametrize(
    ("managers", "code", "level"), [(1, "two-managers", Level.WARNING), (3, "even-managers", Level.NOTICE)]
)
def test_an_even_number_of_managers_is_told(managers: int, code: str, level: Level) -> None:
    nodes = [make_node(f"node{number}", role="manager") for number in range(1, managers + 1)]
    plan = join(make_swarm(nodes=nodes), role="manager")
    assert code in codes(plan, level)
    assert "manager-may-all" in codes(plan, Level.NOTICE)
    assert code not in codes(join(make_swarm(nodes=nodes)), level)


def test_a_third_manager_is_welcome() -> None:
    nodes = [make_node(f"node{number}", role="manager") for number in (1, 2)]
    assert not {"two-managers", "even-managers"} & {
        row.code for row in join(make_swarm(nodes=nodes), role="manager").findings
    }


def test_versions_windows_names_and_overlaps_are_warned_of() -> None:
    assert "versions-differ" in codes(join(candidate=spare(engine_version="20.10.24")), Level.NOTICE)
    assert "versions-differ" not in {row.code for row in join().findings}
    secret = make_swarm(networks=[make_network("secret", "10.9.1.0/24", encrypted=True)])
    assert "windows-node" in codes(join(secret, spare(os="windows")), Level.WARNING)
    assert "hostname-taken" in codes(join(candidate=spare(hostname="node2")), Level.WARNING)
    lake = make_swarm(networks=[make_network("lake", "172.17.4.0/24")])
    (finding,) = join(lake).warnings
    assert (finding.code, finding.subject_name) == ("overlaps-overlay", "lake")


def test_a_join_is_void_once_the_manager_is_gone() -> None:
    other = make_swarm(nodes=[make_node("node9", role="manager")])
    assert planners.drift(before=join(), now=join(other)) == ("Node node1 has left.", "Node node9 has joined.")


@pytest.mark.parametrize("plan", [init(pools=("10.30.0.0/16",), size=26), join(role="manager")])
def test_plans_are_kept_as_text(plan: Plan) -> None:
    again = codec.load_plan(codec.dump(plan))
    assert again == plan
    assert (again.sha256, fingerprints.fingerprint(again.base)) == (plan.sha256, plan.fingerprint)
