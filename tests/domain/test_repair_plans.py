"""What a wedged mesh looks like from a manager, and the plan that mends it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from overlayweb.domain import glance, ingress_plans, mesh, planners, repair_plans
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.mesh import Presence
from overlayweb.domain.plans import IngressPlan, IngressRequest, IngressSettings, Strategy
from overlayweb.domain.swarm import Mode, Network, NodeView, Service, Swarm, SwarmTask
from tests.domain.builders import (
    INGRESS_ID,
    NOW,
    make_ingress,
    make_network,
    make_node,
    make_request,
    make_service,
    make_spec,
    make_swarm,
    make_swarm_task,
)

PEERS = ("192.168.50.11", "192.168.50.12", "192.168.50.13")
NEW = make_ingress("10.11.0.0/24", id="ingressnew", peers=())
STALE = make_ingress(registered=False, peers=PEERS)
WEB = make_service("shop_web", replicas=3)
UNPUBLISHED = make_spec("shop_web", published=(), replicas=3)


def seen(swarm: Swarm) -> dict[str, Presence]:
    return {node.hostname: node.presence for node in mesh.recognise(swarm).nodes}


def codes(swarm: Swarm) -> list[str]:
    return [finding.code for finding in mesh.recognise(swarm).findings]


def plan_of(swarm: Swarm, **settings: Any) -> IngressPlan:
    return repair_plans.build(swarm=swarm, request=make_request("10.30.0.0/24", **settings))


def wedged(**changes: Any) -> Swarm:
    """A new ingress, and the removed one on every node."""
    return make_swarm(ingress=NEW, networks=[STALE], services=[WEB], manager_id="id-node1", swarm_tasks=[], **changes)


def lost(**changes: Any) -> Service:
    """A service whose last update took its ports off."""
    return replace(WEB, spec=UNPUBLISHED, ports=(), previous_spec=WEB.spec, **changes)


def waiting(service: Service = WEB) -> list[SwarmTask]:
    return [make_swarm_task(service, n, state="new", node_id="", network_ids=()) for n in (1, 2, 3)]


def refused(hostname: str, error: str, **changes: Any) -> SwarmTask:
    return make_swarm_task(WEB, 9, node_id=f"id-{hostname}", state="rejected", error=error, **changes)


def test_a_whole_mesh_has_nothing_wrong_and_nothing_to_repair() -> None:
    swarm = make_swarm(ingress=make_ingress(peers=PEERS), manager_id="id-node1")
    assert codes(swarm) == []
    assert set(seen(swarm).values()) == {Presence.PRESENT}
    assert [finding.code for finding in plan_of(swarm).blockers] == ["no-wedge"]


def test_peers_of_the_removed_ingress_hold_it() -> None:
    assert seen(wedged()) == dict.fromkeys(("node1", "node2", "node3"), Presence.STALE)
    half = make_swarm(
        ingress=NEW, networks=[replace(STALE, peers=PEERS[:2])], services=[], manager_id="id-node1", swarm_tasks=[]
    )
    assert seen(half) == {"node1": Presence.STALE, "node2": Presence.STALE, "node3": Presence.ABSENT}
    assert [node.exact for node in mesh.recognise(half).nodes] == [True, False, False]


def test_only_the_asked_managers_own_node_holds_what_its_list_shows() -> None:
    swarm = make_swarm(ingress=NEW, networks=[replace(STALE, peers=())], services=[], manager_id="id-node2")
    assert [node.hostname for node in mesh.recognise(swarm).stale_nodes] == ["node2"]


@pytest.mark.parametrize("words", mesh.REFUSALS)
def test_a_node_that_refuses_containers_holds_a_removed_ingress(words: str) -> None:
    swarm = make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[refused("node2", f"{words}: abc")])
    assert seen(swarm)["node2"] is Presence.STALE
    assert words in mesh.recognise(swarm).findings[0].message
    assert codes(make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[refused("node2", "no such image")])) == []


def test_refusals_say_nothing_of_a_node_that_is_on_the_ingress_or_registered_since() -> None:
    row = refused("node2", mesh.REFUSALS[0])
    joined = make_swarm(ingress=replace(NEW, peers=PEERS[1:2]), services=[WEB], swarm_tasks=[row])
    runs = make_swarm_task(WEB, 2, node_id="id-node2", network_ids=(NEW.id,))
    running = make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[row, runs])
    nodes = [make_node("node1"), make_node("node2", updated_at=NOW)]
    restarted = make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[row], nodes=nodes)
    assert [seen(swarm)["node2"] for swarm in (joined, running, restarted)] == [
        Presence.PRESENT,
        Presence.PRESENT,
        Presence.UNKNOWN,
    ]


def test_a_container_that_hangs_while_starting_tells_of_its_node() -> None:
    def hangs(seconds: int, peers: tuple[str, ...] = ()) -> Presence:
        row = make_swarm_task(WEB, 3, state="starting", state_at=NOW - timedelta(seconds=seconds))
        return seen(make_swarm(ingress=replace(NEW, peers=peers), services=[WEB], swarm_tasks=[row]))["node3"]

    assert (hangs(31), hangs(29)) == (Presence.STALE, Presence.UNKNOWN)
    assert hangs(31, peers=PEERS) is Presence.PRESENT


def test_a_container_that_runs_on_a_network_that_is_gone_tells_of_its_node() -> None:
    rows = [make_swarm_task(WEB, n) for n in (1, 2, 3)]
    gone = make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[*rows[:2], replace(rows[2], network_ids=("gone",))])
    held = make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[replace(r, network_ids=(NEW.id,)) for r in rows])
    assert seen(gone)["node3"] is Presence.STALE
    assert set(seen(held).values()) == {Presence.PRESENT}


def test_a_nodes_own_view_outweighs_what_the_manager_shows() -> None:
    def view(hostname: str, *ids: str, error: str = "") -> NodeView:
        return NodeView(node_id=f"id-{hostname}", hostname=hostname, observed_at=NOW, ingress_ids=ids, error=error)

    views = (view("node1", NEW.id), view("node2"), view("node3", error="refused"))
    assert seen(wedged(node_views=views)) == {
        "node1": Presence.PRESENT,
        "node2": Presence.ABSENT,
        "node3": Presence.STALE,
    }
    whole = make_swarm(ingress=make_ingress(peers=PEERS), node_views=(view("node2", "gone"),))
    assert codes(whole) == ["node-stale"]


def test_an_ingress_that_serves_nobody_is_replaced() -> None:
    unallocated = make_swarm(ingress=make_ingress(""), services=[WEB], swarm_tasks=waiting())
    late = make_swarm(services=[WEB], swarm_tasks=waiting())
    assert codes(unallocated) == ["ingress-unallocated", "service-new"]
    assert codes(late) == ["ingress-late", "service-new"]
    served = replace(WEB, vips=((late.ingress_networks[0].id, "10.0.0.5/24"),))
    assert not mesh.recognise(make_swarm(services=[served], swarm_tasks=waiting(served))).replaced
    assert not mesh.recognise(make_swarm(services=[WEB])).replaced


def test_a_service_waits_beside_its_old_containers_and_not_for_another_network() -> None:
    rows = [*waiting()[:1], make_swarm_task(WEB, 2, network_ids=())]
    beside = make_swarm(ingress=make_ingress(""), services=[WEB], swarm_tasks=rows)
    backend = make_network()
    elsewhere = replace(WEB, network_ids=(backend.id,))
    other = make_swarm(services=[elsewhere], networks=[backend], swarm_tasks=waiting(elsewhere))
    assert mesh.recognise(beside).waiting == (WEB.id,)
    assert mesh.recognise(other).waiting == ()


FIRST = make_ingress("10.5.0.0/24", id="aaa")


def twice(*others: Network, on: Network = NEW, **changes: Any) -> Swarm:
    """The service has its address and its containers on one of two ingress networks, or of more."""
    web = replace(WEB, vips=((on.id, "10.11.0.5/24"),))
    rows = [make_swarm_task(web, n, network_ids=(on.id,)) for n in (1, 2, 3)]
    networks = [NEW, *others]
    return make_swarm(**{"ingress": FIRST, "networks": networks, "services": [web], "swarm_tasks": rows, **changes})


def test_of_two_ingress_networks_both_are_removed_and_the_settings_of_the_used_one_kept() -> None:
    swarm = twice()
    assert codes(swarm) == ["ingress-twice"]
    (finding,) = mesh.recognise(swarm).findings
    assert "2 ingress networks: ingress 10.11.0.0/24 (id ingressnew), ingress 10.5.0.0/24 (id aaa)" in finding.message
    assert finding.remedy.endswith("makes one with the settings of ingress 10.11.0.0/24.")
    plan = repair_plans.build(swarm=swarm, request=IngressRequest(settings=repair_plans.wanted(swarm=swarm)))
    assert (plan.before.subnet, plan.after.subnet) == ("10.11.0.0/24", "10.11.0.0/24")
    assert plan.ingress_ids == (FIRST.id, NEW.id)
    assert {"release", "drain", "remove", "create", "publish"} < {step.name for step in plan.steps}
    assert [step.title for step in plan.steps if step.point_of_no_return] == ["Remove the 2 ingress networks"]
    assert plan.effects[0].strategy in {Strategy.STOP, Strategy.UNPUBLISH}
    assert plan.blockers == ()


def test_the_used_one_is_told_by_addresses_then_containers_then_allocation_then_the_lowest_id() -> None:
    unused = make_swarm(ingress=NEW, networks=[FIRST], services=[], swarm_tasks=[])
    alone = make_swarm(ingress=NEW, networks=[make_ingress("", id="aaa")], services=[], swarm_tasks=[])
    run_on_new = replace(twice(), services=(WEB,))
    elsewhere = replace(run_on_new, services=(replace(WEB, vips=((FIRST.id, "10.5.0.5/24"),)),))
    found = [mesh.by_use(swarm)[0].id for swarm in (elsewhere, run_on_new, alone, unused)]
    assert found == [FIRST.id, NEW.id, NEW.id, FIRST.id]


def test_without_any_that_is_allocated_the_settings_are_the_latest_known() -> None:
    swarm = make_swarm(ingress=make_ingress("", id="aaa"), networks=[make_ingress("", id="bbb")], services=[])
    known = IngressSettings(subnet="10.77.0.0/24")
    assert mesh.recognise(swarm).findings[0].remedy == "The repair removes all of them and makes one."
    assert repair_plans.wanted(swarm=swarm, last_known=known) == known


def test_a_third_ingress_voids_the_plan_and_a_service_that_moves_to_the_other_one_does_not() -> None:
    before = plan_of(twice())
    third = planners.drift(before=before, now=plan_of(twice(make_ingress("10.6.0.0/24", id="zzz"))))
    assert third == ("Ingress ingress (3) has been created.",)
    assert planners.drift(before=before, now=plan_of(twice(on=FIRST))) == ()


def test_both_are_removed_by_hand_in_the_order_of_the_job() -> None:
    lines = plan_of(twice()).commands
    removals = [line for line in lines if "network rm" in line]
    assert removals == ["echo y | docker network rm aaa", "echo y | docker network rm ingressnew"]
    assert "# Wait until docker network inspect finds neither aaa nor ingressnew nor ingress." in lines
    assert lines.index(removals[0]) < next(n for n, line in enumerate(lines) if "network create" in line)


def test_what_keeps_containers_on_one_of_the_two_forbids_the_repair() -> None:
    away = [make_node("node1"), make_node("node2", state="down"), make_node("node3")]
    paused = [make_node("node1"), make_node("node2", availability="pause"), make_node("node3")]
    agent = replace(WEB, mode=Mode.GLOBAL)
    assert [f.code for f in plan_of(twice(nodes=away)).blockers] == ["node-not-ready"]
    assert [f.code for f in plan_of(twice(nodes=paused, services=[agent])).blockers] == ["node-paused"]
    assert plan_of(twice(nodes=away, swarm_tasks=[])).blockers == ()


def test_of_thousands_of_services_a_few_show_what_is_wrong_and_are_named() -> None:
    """Each page bears the headline, and the plan the evidence."""
    services = [make_service(f"svc{n:02}", published=(8000 + n,)) for n in range(30)]
    gone = [make_swarm_task(s, network_ids=("removed",)) for s in services]
    found = mesh.recognise(make_swarm(services=services, swarm_tasks=gone))
    assert len(found.stale_nodes[0].evidence) == mesh.ENOUGH
    stuck = [task for service in services for task in waiting(service)]
    hangs = make_swarm(
        services=[*services, make_service("well", vips=((INGRESS_ID, "10.0.0.9/24"),))], swarm_tasks=stuck
    )
    assert "svc09 and 20 others an address" in glance.headline(hangs, mesh.recognise(hangs))
    bare = make_swarm(services=services, ingress=None)
    said = [finding.message for finding in ingress_plans.build(swarm=bare, request=make_request()).findings]
    assert any("svc19 and 10 more. This plan" in message for message in said)


WEDGED = (
    "The routing mesh is wedged: node3 holds an ingress that the Swarm has removed, and refuses the containers that "
    "need the new one."
)
NO_INGRESS = "There is no ingress network. The published ports of the services answer nowhere."


@pytest.mark.parametrize(
    ("swarm", "said"),
    [
        (make_swarm(ingress=make_ingress(peers=PEERS), services=[WEB]), ""),
        (make_swarm(ingress=None, services=[lost()]), NO_INGRESS),
        (
            make_swarm(ingress=None, networks=[replace(STALE, peers=())], services=[lost()], manager_id="id-node1"),
            f"{NO_INGRESS} node1 still holds the removed one.",
        ),
        (make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[refused("node3", mesh.REFUSALS[0])]), WEDGED),
        (
            make_swarm(ingress=make_ingress(""), services=[WEB], swarm_tasks=waiting()),
            "Swarm has given ingress ingressoldaa no addresses: no published port answers.",
        ),
        (
            make_swarm(services=[WEB], swarm_tasks=waiting()),
            "ingress 10.0.0.0/24 got its addresses too late: Swarm gives services none on it.",
        ),
        (
            make_swarm(services=[WEB, make_service("api", vips=((INGRESS_ID, "10.0.0.9/24"),))], swarm_tasks=waiting()),
            "Swarm has not given shop_web an address on the ingress: it hangs.",
        ),
    ],
    ids=["whole", "none", "none and stale", "stale", "unallocated", "late", "waiting"],
)
def test_each_way_to_be_broken_has_its_headline(swarm: Swarm, said: str) -> None:
    assert glance.headline(swarm, mesh.recognise(swarm)) == said


def test_a_node_that_is_stale_besides_is_restarted_first() -> None:
    view = NodeView(node_id="id-node3", hostname="node3", observed_at=NOW, ingress_ids=("gone",))
    names = [step.name for step in plan_of(twice(node_views=(view,))).steps]
    assert names[2:6] == ["restart-1", "restart-2", "release", "drain"]


def test_ports_are_lost_only_when_the_last_update_took_nothing_else_and_there_is_no_ingress() -> None:
    edited = replace(lost(), spec=make_spec("shop_web", published=(), replicas=5))
    assert codes(make_swarm(ingress=None, services=[lost()])) == ["ingress-none", "service-ports-lost"]
    assert codes(make_swarm(ingress=None, services=[edited])) == ["ingress-none"]
    assert codes(make_swarm(ingress=make_ingress(peers=PEERS), services=[lost()])) == []


def test_a_plan_restarts_every_holder_the_leader_last_and_touches_no_service() -> None:
    plan = plan_of(wedged())
    assert [(r.hostname, r.leader, r.command) for r in plan.restarts] == [
        ("node2", False, "systemctl restart docker"),
        ("node3", False, "systemctl restart docker"),
        ("node1", True, "systemctl restart docker"),
    ]
    assert [step.name for step in plan.steps] == [
        "check",
        "record",
        "restart-1",
        "restart-2",
        "restart-3",
        "publish",
        "verify",
    ]
    assert [(e.strategy, e.restarts, e.dark_seconds) for e in plan.effects] == [(Strategy.AUTOMATIC, 0, 0.0)]
    assert plan.after.subnet == "10.11.0.0/24"  # the Swarm's own stays, whatever was asked for
    assert plan.blockers == ()
    assert [w.remedy for w in plan.warnings] == ["One node after the other: node2, node3, node1."]
    assert plan.steps[1].title == "Record 1 service"
    assert "systemctl restart docker" in plan.commands


def test_a_restart_of_the_node_that_overlayweb_runs_on_is_said() -> None:
    tool = make_service("overlayweb", published=())
    running = make_swarm_task(tool, 1, node_id="id-node2")
    swarm = replace(wedged(), services=(WEB, tool), swarm_tasks=(running,))
    there = replace(swarm, own_service_ids=(tool.id,))
    on_node = [(w.code, w.subject_name) for w in plan_of(there).warnings if w.about == "node"]
    assert on_node == [("own-node", "node2")]
    assert [w.code for w in plan_of(swarm).warnings] == ["restart-stops-containers"]


def test_the_leader_is_restarted_last_even_where_it_holds_nothing() -> None:
    plan = plan_of(make_swarm(ingress=NEW, services=[WEB], swarm_tasks=[refused("node3", mesh.REFUSALS[0])]))
    assert [restart.hostname for restart in plan.restarts] == ["node3", "node1"]
    assert "leader" in plan.restarts[1].why


def test_a_missing_ingress_is_made_after_the_restarts() -> None:
    swarm = make_swarm(ingress=None, networks=[STALE], services=[lost()], manager_id="id-node1", swarm_tasks=[])
    plan = plan_of(swarm)
    names = [step.name for step in plan.steps]
    assert names[-4:] == ["restart-3", "create", "publish", "verify"]
    assert [step.name for step in plan.steps if step.point_of_no_return] == ["create"]
    assert plan.after.subnet == "10.30.0.0/24"
    assert [str(port) for port in plan.effects[0].ports] == ["8080→80/tcp"]
    assert plan.effects[0].restarts == 1
    assert any("--publish-add published=8080" in line for line in plan.commands)


def test_an_unallocated_ingress_is_taken_away_as_in_a_rebuild() -> None:
    swarm = make_swarm(ingress=make_ingress(""), services=[WEB], swarm_tasks=waiting())
    plan = plan_of(swarm)
    assert [step.name for step in plan.steps] == [
        "check",
        "record",
        "release",
        "drain",
        "remove",
        "create",
        "publish",
        "verify",
    ]
    assert [step.name for step in plan.steps if step.point_of_no_return] == ["remove"]
    assert plan.effects[0].strategy in {Strategy.STOP, Strategy.UNPUBLISH}
    own = replace(swarm, own_service_ids=(WEB.id,))
    assert [finding.code for finding in plan_of(own).blockers] == ["own-service"]


def test_settings_are_checked_only_where_the_ingress_is_made() -> None:
    backend = make_network("backend", "10.30.0.0/24")
    missing = make_swarm(ingress=None, networks=[backend])
    assert [finding.code for finding in plan_of(missing).blockers] == ["subnet-overlap"]
    kept = replace(wedged(), networks=(*wedged().networks, backend))
    assert plan_of(kept).blockers == ()


def test_the_settings_wanted_are_the_latest_known() -> None:
    known = IngressSettings(subnet="10.77.0.0/24")
    reserved = [ReservedRange(name="office", cidr="10.0.0.0/16")]
    none = make_swarm(ingress=None)
    assert repair_plans.wanted(swarm=wedged()).subnet == "10.11.0.0/24"
    assert repair_plans.wanted(swarm=make_swarm(ingress=None, networks=[STALE])).subnet == "10.0.0.0/24"
    assert repair_plans.wanted(swarm=none, last_known=known) == known
    assert repair_plans.wanted(swarm=none).subnet == "10.0.0.0/24"
    assert repair_plans.wanted(swarm=none, reserved=reserved).subnet == "10.1.0.0/24"


def test_nodes_that_come_back_void_no_plan_and_a_changed_service_does() -> None:
    before = plan_of(wedged())
    restarted = replace(wedged(), networks=(NEW,), nodes=tuple(replace(n, state="down") for n in wedged().nodes))
    changed = replace(wedged(), services=(replace(WEB, spec=make_spec("shop_web", replicas=9)),))
    assert planners.drift(before=before, now=plan_of(restarted)) == ()
    assert planners.drift(before=before, now=plan_of(changed)) == (
        "Service shop_web has been changed: its spec or its ports.",
    )


def test_a_plan_keeps_its_hash_on_its_way_through_the_database() -> None:
    from overlayweb.models import codec

    for swarm in (wedged(), twice(), make_swarm(ingress=None, services=[lost()])):
        plan = plan_of(swarm)
        assert codec.load(codec.dump(plan), IngressPlan).sha256 == plan.sha256


def test_a_rebuild_is_refused_while_a_node_holds_a_removed_ingress() -> None:
    swarm = wedged()
    plan = ingress_plans.build(swarm=swarm, request=IngressRequest(settings=IngressSettings(subnet="10.40.0.0/24")))
    assert {finding.code for finding in plan.blockers} == {"node-stale"}
