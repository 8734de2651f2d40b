"""The whole plan: resolved settings, steps, effects, fingerprint and drift."""

from dataclasses import replace

import pytest

from overlayweb.domain import ingress_plans
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.estimates import Measured, ServiceHistory, Timings
from overlayweb.domain.ingress_settings import settings_of
from overlayweb.domain.plans import IngressPlan, IngressRequest, IngressSettings, Strategy
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import IpamConfig, Mode, Swarm
from tests.domain.builders import (
    INGRESS_ID,
    make_ingress,
    make_network,
    make_node,
    make_port,
    make_request,
    make_service,
    make_spec,
    make_swarm,
    make_swarm_tasks,
)

STEPS = ("check", "record", "release", "drain", "remove", "create", "publish", "verify")


def _plan(swarm: Swarm | None = None, request: IngressRequest | None = None) -> IngressPlan:
    return ingress_plans.build(swarm=swarm or make_swarm(), request=request or make_request())


def test_settings_of_a_network() -> None:
    network = make_ingress(
        mtu="1400",
        ipam=(
            IpamConfig(subnet="fd00::/64"),
            IpamConfig(subnet="10.3.0.0/16", gateway="10.3.0.1/16", ip_range="10.3.1.0/24"),
        ),
        labels=(("team", "a"), ("com.overlayweb.job", "4"), ("app", "b")),
    )
    assert settings_of(network) == IngressSettings(
        name="ingress",
        subnet="10.3.0.0/16",
        gateway="10.3.0.1",
        mtu=1400,
        ip_range="10.3.1.0/24",
        labels=(("app", "b"), ("team", "a")),
    )


def test_before_and_after_with_the_gateway_filled_in() -> None:
    plan = _plan(request=make_request(" 10.11.0.0/16 ", mtu=1450, labels=(("b", "2"), ("a", "1"))))
    assert plan.before == IngressSettings(subnet="10.0.0.0/24", gateway="10.0.0.1")
    assert plan.after == IngressSettings(
        subnet="10.11.0.0/16", gateway="10.11.0.1", mtu=1450, labels=(("a", "1"), ("b", "2"))
    )
    assert (plan.kind, plan.cluster_id, plan.ingress_id) == ("ingress_rebuild", "swarm1", INGRESS_ID)


def test_plans_of_one_observation_are_those_of_fresh_ones() -> None:
    """What was worked out for one request, pace or history is not taken for another's."""
    swarm = make_swarm(services=[make_service("a"), make_service("b", published=(8081,))])
    requests = [make_request(strategies={"id-a": way}) for way in (Strategy.STOP, Strategy.UNPUBLISH, Strategy.STOP)]
    slow = ServiceHistory(service_id="id-b", drain_seconds=(33.0,))
    for request in requests:
        for timings in (Timings(), Timings(stop_overhead=Measured(9.0)), Timings(create=Measured(7.0))):
            for history in ([], [slow]):
                known, fresh = (
                    ingress_plans.build(swarm=seen, request=request, timings=timings, history=history)
                    for seen in (swarm, replace(swarm))
                )
                assert known == fresh
                assert known.commands == fresh.commands


def test_a_typed_gateway_stays() -> None:
    assert _plan(request=make_request(gateway="10.11.0.9")).after.gateway == "10.11.0.9"


def test_the_eight_steps_and_the_point_of_no_return() -> None:
    plan = _plan()
    assert tuple(step.name for step in plan.steps) == STEPS
    assert [step.name for step in plan.steps if step.point_of_no_return] == ["remove"]
    assert [step.title for step in plan.steps] == [
        "Check the cluster",
        "Record 1 service and the old ingress",
        "Take 1 service off the ingress",
        "Wait until every node let go",
        "Remove the old ingress",
        "Create ingress 10.11.0.0/16",
        "Bring services back",
        "Verify and restore settings",
    ]


def test_without_an_ingress_only_create() -> None:
    plan = _plan(make_swarm(ingress=None, services=[]))
    assert [step.name for step in plan.steps] == ["check", "record", "create", "verify"]
    assert (plan.effects, plan.ingress_id, plan.before.name) == ((), "", "")
    assert plan.outage_seconds == 0.0


def test_steps_add_up_to_the_outage_of_the_slowest_service_and_the_last_turn() -> None:
    timings = Timings(latency=Measured(0.0, "measured"))
    services = [make_service("a_quick", init=True), make_service("b_slow", stop_grace_seconds=30.0)]
    plan = ingress_plans.build(swarm=make_swarm(services=services), request=make_request(), timings=timings)
    dark = sum(step.expected_seconds for step in plan.steps if step.name in STEPS[2:7])
    turn = 1.5  # the quick one comes when the slow one is back
    assert dark == pytest.approx(plan.outage_seconds + turn)
    # 30 grace + 3.8 Swarm + 0.5 remove + 1.0 create + 1.5 start
    assert plan.outage_seconds == pytest.approx(36.8)
    assert plan.expected_seconds == pytest.approx(sum(step.expected_seconds for step in plan.steps))


def test_without_an_ingress_no_removal_is_counted() -> None:
    swarm = make_swarm(ingress=None, services=[make_service("web")])
    terms = ingress_plans.build(swarm=swarm, request=make_request()).effects[0].terms
    assert "Remove the old ingress" not in [term.label for term in terms]


def test_latency_counts_in_the_outage_and_never_exceeds_the_steps() -> None:
    services = [make_service(f"a_{number}", published=(9000 + number,)) for number in range(20)]
    plan = _plan(make_swarm(services=services, latency_seconds=0.5))
    dark = sum(step.expected_seconds for step in plan.steps if step.name in STEPS[2:7])
    assert 16.8 + 20 * 0.5 < plan.outage_seconds <= dark


def test_every_published_service_is_affected_and_nobody_else() -> None:
    services = [
        make_service("shop_web", published=(8080, make_port(9000, mode="host")), network_ids=("id-backend", "gone")),
        make_service("shop_agent", mode=Mode.GLOBAL, published=(0,)),
        make_service("shop_node", published=(make_port(9100, mode="host"),)),
        make_service("db", published=()),
        make_service("waiting", ports=()),
    ]
    plan = _plan(make_swarm(services=services, networks=[make_network("backend")]))
    agent, web, waiting = plan.effects
    assert [effect.service_name for effect in plan.effects] == ["shop_agent", "shop_web", "waiting"]
    assert (web.stack, web.containers, web.networks) == ("shop", 2, ("backend", "gone"))
    assert (web.ports, web.host_ports) == ((make_port(8080),), (make_port(9000, mode="host"),))
    assert web.spec_digest == services[0].spec.digest
    assert (agent.containers, agent.ports) == (3, (make_port(30000),))
    assert waiting.ports == (make_port(8080),)


def test_strategies_by_service_with_restarts_and_why() -> None:
    services = [make_service(name) for name in ("a", "b", "c")]
    request = make_request(strategies={"id-a": Strategy.UNPUBLISH, "id-b": Strategy.STOP})
    a, b, c = _plan(make_swarm(services=services), request).effects
    assert [(e.strategy, e.restarts) for e in (a, b, c)] == [
        (Strategy.UNPUBLISH, 2),
        (Strategy.STOP, 1),
        (Strategy.STOP, 1),
    ]
    assert a.why.startswith("Chosen by hand")
    assert c.why.startswith("Shorter")
    assert a.dark_seconds > b.dark_seconds == c.dark_seconds


@pytest.mark.parametrize(
    ("strategy", "released"), [(Strategy.STOP, [0.0, 9.2, 17.5]), (Strategy.UNPUBLISH, [0.0, 7.6, 14.4])]
)
def test_all_drain_together_slow_ones_first(strategy: Strategy, released: list[float]) -> None:
    services = [make_service("quick", init=True), make_service("slow"), make_service("slower", stop_grace_seconds=20.0)]
    request = make_request(strategies={service.id: strategy for service in services})
    effects = {e.service_name: e for e in _plan(make_swarm(services=services), request).effects}
    assert [effects[name].release_after_seconds for name in ("slower", "slow", "quick")] == released
    ends = {
        round(e.release_after_seconds + sum(t.seconds for t in e.terms if t.step == "drain"), 2)
        for e in effects.values()
    }
    assert ends == {23.8}


@pytest.mark.parametrize(("strategy", "most"), [(Strategy.STOP, 0.8), (Strategy.UNPUBLISH, 2.4)])
def test_quick_services_are_done_before_the_slowest_one_ends(strategy: Strategy, most: float) -> None:
    services = [
        make_service("slow"),
        make_service("near", stop_grace_seconds=7.5),
        make_service("quick", init=True, network_ids=("id-backend",)),
    ]
    request = make_request(strategies={service.id: strategy for service in services})
    effects = {e.service_name: e for e in _plan(make_swarm(services=services), request).effects}
    label = "Done before slow stoppers end"
    ahead = {name: [(t.seconds, t.step) for t in e.terms if t.label == label] for name, e in effects.items()}
    assert ahead == {"slow": [], "near": [], "quick": [(most, "drain")]}
    quick = effects["quick"]
    assert [term.label for term in quick.terms][:3] == ["Containers stop", "Swarm lets go", label]
    assert (quick.network_dark_seconds == quick.dark_seconds) is (strategy is Strategy.STOP)


def test_quick_services_come_one_by_one_while_the_slow_ones_start() -> None:
    checked = make_service("checked", init=True)
    check = {"Test": ["CMD", "true"]}
    document = checked.spec.document()
    document["TaskTemplate"]["ContainerSpec"]["Healthcheck"] = check
    checked = replace(checked, spec=Spec.of(document))
    services = [make_service("slow"), checked, make_service("api", init=True), make_service("web", init=True)]
    request = make_request(strategies={service.id: Strategy.STOP for service in services})
    plan = _plan(make_swarm(services=services), request)
    turns = {e.service_name: [t for t in e.terms if t.label == "Slow stoppers start first"] for e in plan.effects}
    assert {name: [t.seconds for t in terms] for name, terms in turns.items()} == {
        "slow": [],
        "checked": [],
        "api": [0.75],
        "web": [1.5],
    }
    dark = {effect.service_name: effect.dark_seconds for effect in plan.effects}
    assert dark["api"] == pytest.approx(dark["checked"] + 0.75)
    assert dark["web"] == pytest.approx(dark["checked"] + 1.5)
    assert all(f"ports dark for {effect.dark_seconds:.1f} s" in effect.why for effect in plan.effects)


def test_terms_add_up_to_the_dark_seconds() -> None:
    for effect in _plan(make_swarm(services=[make_service("a"), make_service("b", init=True)])).effects:
        assert effect.dark_seconds == pytest.approx(sum(term.seconds for term in effect.terms), abs=0.005)


def test_what_keeps_working_is_said() -> None:
    services = [
        make_service("held"),
        make_service("twice"),
        make_service("db", published=()),
        make_service("logs", published=(make_port(514, mode="host"),)),
    ]
    request = make_request(strategies={"id-twice": Strategy.UNPUBLISH})
    assert _plan(make_swarm(services=services), request).keeps_working == (
        "2 services publish nothing through the ingress and keep running.",
        "1 host-mode port of those keeps answering.",
        "Traffic between services on overlay networks keeps flowing, except to and from the 1 service that is stopped.",
        "Unpublished services keep working on their other networks, apart from two restarts.",
        "Volumes and containers outside Swarm are not touched; of each node only a label, for a moment.",
    )


def test_the_same_input_gives_the_same_plan_in_any_order() -> None:
    services = [make_service(name, published=(0, 80 + n)) for n, name in enumerate("abc")]
    networks = [make_network("x", "10.11.1.0/24"), make_network("y", "10.11.2.0/24")]
    swarm = make_swarm(services=services, networks=networks)
    again = make_swarm(services=services, networks=networks)
    turned = replace(swarm, services=swarm.services[::-1], nodes=swarm.nodes[::-1], networks=swarm.networks[::-1])
    assert _plan(swarm) == _plan(again)
    assert _plan(swarm).sha256 == _plan(again).sha256
    assert _plan(swarm).fingerprint == _plan(turned).fingerprint
    assert _plan(swarm).commands == _plan(turned).commands


def test_every_word_of_the_plan_is_in_its_hash() -> None:
    plan = _plan()
    assert replace(plan, commands=()).sha256 != plan.sha256
    assert replace(plan, effects=(replace(plan.effects[0], why="because"),)).sha256 != plan.sha256


def test_versions_tasks_and_timings_do_not_move_the_fingerprint() -> None:
    service = make_service()
    before = _plan(make_swarm(services=[service]))
    later = make_swarm(
        services=[replace(service, version=99, update_state="completed")],
        swarm_tasks=make_swarm_tasks(service, 1),
        latency_seconds=3.0,
        ingress=make_ingress(peers=("192.168.50.11",)),
    )
    now = _plan(later)
    assert now.fingerprint == before.fingerprint
    assert now.sha256 != before.sha256
    assert ingress_plans.drift(before=before, now=now) == ()


def test_an_unrelated_overlay_does_not_void_a_plan() -> None:
    now = _plan(make_swarm(networks=[make_network("new", "10.60.0.0/24")]))
    assert now.fingerprint == _plan().fingerprint


WEB, API = make_service("shop_web"), make_service("shop_api", published=(8443,))


@pytest.mark.parametrize(
    ("swarm", "sentence"),
    [
        (make_swarm(services=[WEB, API]), "Service shop_api publishes through the ingress now."),
        (make_swarm(services=[]), "Service shop_web no longer publishes through the ingress."),
        (
            make_swarm(services=[make_service("shop_web", spec=make_spec(replicas=3))]),
            "Service shop_web has been changed: its spec or its ports.",
        ),
        (make_swarm(services=[replace(WEB, id="new")]), "Service shop_web has been changed: its spec or its ports."),
        (
            make_swarm(services=[replace(WEB, ports=(make_port(8081),))]),
            "Service shop_web has been changed: its spec or its ports.",
        ),
        (make_swarm(services=[WEB], nodes=4), "Node node4 has joined."),
        (make_swarm(services=[WEB], nodes=2), "Node node3 has left."),
        *[
            (
                make_swarm(
                    services=[WEB], nodes=[make_node("node1"), make_node("node2"), make_node("node3", **change)]
                ),
                "Node node3 has changed: its state, availability, address or engine version.",
            )
            for change in ({"state": "down"}, {"availability": "drain"}, {"engine_version": "29.0"}, {"id": "other"})
        ],
        (make_swarm(services=[WEB], ingress=make_ingress(id="other")), "Ingress ingress has been changed or replaced."),
        (make_swarm(services=[WEB], ingress=make_ingress(mtu="1400")), "Ingress ingress has been changed or replaced."),
        (make_swarm(services=[WEB], ingress=None), "Ingress ingress has been removed."),
        (
            make_swarm(services=[WEB], networks=[make_network("payments", "10.11.3.0/24")]),
            "Network payments is in the way now.",
        ),
    ],
)
def test_drift_says_what_has_moved(swarm: Swarm, sentence: str) -> None:
    before, now = _plan(make_swarm(services=[WEB])), _plan(swarm)
    assert now.fingerprint != before.fingerprint
    assert ingress_plans.drift(before=before, now=now) == (sentence,)


def test_a_network_of_the_wanted_name_is_in_the_way() -> None:
    request = make_request(name="mesh")
    before = _plan(request=request)
    now = _plan(make_swarm(networks=[make_network("mesh", "10.60.0.0/24")]), request)
    assert ingress_plans.drift(before=before, now=now) == ("Network mesh is in the way now.",)
    assert ingress_plans.drift(before=now, now=before) == ("Network mesh is no longer in the way.",)


def test_a_reserved_range_that_comes_in_the_way() -> None:
    before = _plan()
    now = ingress_plans.build(
        swarm=make_swarm(),
        request=make_request(),
        reserved=[ReservedRange(name="VPC", cidr="10.11.0.0/20"), ReservedRange(name="office", cidr="10.99.0.0/16")],
    )
    assert ingress_plans.drift(before=before, now=now) == ("Reserved range VPC is in the way now.",)


def test_nodes_of_one_hostname_are_told_apart() -> None:
    twins = [make_node("node1"), make_node("node1", id="twin")]
    before = _plan(make_swarm(nodes=twins))
    now = _plan(make_swarm(nodes=[twins[0], replace(twins[1], state="down")]))
    assert len(before.base) == len(set(dict(before.base)))
    assert ingress_plans.drift(before=before, now=now) != ()


def test_two_ingress_networks_still_give_a_whole_plan() -> None:
    plan = _plan(make_swarm(networks=[make_ingress("10.200.0.0/24", id="second")]))
    assert [finding.code for finding in plan.blockers] == ["ingress-twice"]
    assert tuple(step.name for step in plan.steps) == STEPS


@pytest.mark.parametrize("text", ["", "x", "fd00::/64", "10.0.0.1/24", "10.0.0.0/32", "999.0.0.0/8", "10.11.0.0/16\n"])
def test_no_text_in_the_form_breaks_the_plan(text: str) -> None:
    request = IngressRequest(settings=IngressSettings(name=text, subnet=text, gateway=text, ip_range=text, mtu=-1))
    plan = _plan(request=request)
    assert plan.blockers
    assert plan.commands
