"""Attaching and detaching in specs and in plans: everything else stays, every problem at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlayweb.domain import attaching, connect_plans, reach
from overlayweb.domain.connect_plans import ConnectPlan, ConnectRequest
from overlayweb.domain.links import Link
from overlayweb.domain.plans import Level
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Mode, Swarm
from tests.domain.builders import make_bridge, make_network, make_node, make_port, make_service, make_spec, make_swarm

KEYS = [f"net{n}" for n in range(6)]
SOME = st.lists(st.sampled_from(KEYS), unique=True)
FIRST = {"Order": "start-first", "Parallelism": 1}


def spec_on(keys: list[str], *, old_place: bool = False) -> Spec:
    rows = [{"Target": key, "Aliases": [f"alias-{key}"], "DriverOpts": {"a": key}} for key in keys]
    document = make_spec().document()
    document["TaskTemplate"].pop("Networks")
    if rows:
        (document if old_place else document["TaskTemplate"])["Networks"] = rows
    return Spec.of(document)


def without_networks(spec: Spec) -> dict[str, Any]:
    document = spec.document()
    document["TaskTemplate"].pop("Networks", None)
    document.pop("Networks", None)
    return document


@given(there=SOME, attach=SOME, detach=SOME, old_place=st.booleans())
def test_linked_changes_networks_alone_and_comes_back(
    there: list[str], attach: list[str], detach: list[str], old_place: object
) -> None:
    detach = [key for key in detach if key not in attach]
    original = spec_on(there, old_place=bool(old_place))
    after = attaching.linked(original, attach=dict.fromkeys(attach, ("x",)), detach=detach)
    assert set(attaching.networks_of(after)) == (set(there) | set(attach)) - set(detach)
    assert without_networks(after) == without_networks(original)
    again = attaching.linked(after, attach=dict.fromkeys(attach, ("x",)), detach=detach)
    assert again == after
    back = attaching.unlinked(after, original=original, networks=(*attach, *detach))
    assert attaching.networks_of(back) == attaching.networks_of(original)
    if not old_place:
        assert back == original


@given(there=SOME, stranger=st.sampled_from(["other1", "other2"]))
def test_what_a_stranger_attached_stays_when_networks_are_put_back(there: list[str], stranger: str) -> None:
    original = spec_on(there)
    edited = attaching.linked(original, attach={"new": (), stranger: ("s",)}, detach=there[:1])
    back = attaching.unlinked(edited, original=original, networks=("new", *there[:1]))
    assert attaching.networks_of(back) == (*there, stranger)


@given(sets=st.lists(SOME, min_size=2, max_size=6), text=st.sampled_from(["", "s1", "net"]))
def test_the_matrix_says_what_brute_force_says(sets: list[list[str]], text: str) -> None:
    services = [make_service(f"s{n}", network_ids=tuple(f"id-{k}" for k in keys)) for n, keys in enumerate(sets)]
    swarm = make_swarm(services=services, networks=[make_network(k, f"10.9.{n}.0/24") for n, k in enumerate(KEYS)])
    found = reach.matrix(swarm=swarm, services=text)
    assert [row.service.name for row in found.rows] == [s.name for s in services if text in s.name]
    for row in found.rows:
        assert row.cells == tuple(network.id in row.service.network_ids for network in found.networks)
        others = [s for s in services if s != row.service and set(s.network_ids) & set(row.service.network_ids)]
        assert row.reaches == len(others)


def a_swarm(**changes: Any) -> Swarm:
    web = make_service("web", published=(), network_ids=("id-old",), **changes)
    others = [make_service(name, published=(), network_ids=("id-old",)) for name in ("api", "db")]
    return make_swarm(services=[web, *others], networks=[make_network("old"), make_network("new", "10.0.10.0/24")])


def plan(swarm: Swarm, *links: Link) -> ConnectPlan:
    return connect_plans.build(swarm=swarm, request=ConnectRequest(links=links))


def link(network: str = "new", *aliases: str, service: str = "web", attach: bool = True) -> Link:
    return Link(service_id=f"id-{service}", network_id=f"id-{network}", attach=attach, aliases=aliases)


def codes(found: ConnectPlan, level: Level = Level.BLOCKER) -> set[str]:
    return {finding.code for finding in found.findings if finding.level is level}


def test_a_plain_attachment_has_no_blocker_and_says_by_which_config() -> None:
    found = plan(a_swarm(update_config={**FIRST, "Delay": 2_000_000_000, "FailureAction": "rollback"}), link())
    assert not found.blockers
    assert (
        found.rewirings[0].update
        == "start-first, 1 at a time, 2 s between rounds, watched for 5 s, on failure rollback"
    )
    assert found.effects[0].dark_seconds == 0.0
    assert found.commands == ("docker service update --detach=false --network-add new web",)
    assert connect_plans.title(found) == "web: attach new"


def test_detaching_names_the_neighbours_that_are_cut() -> None:
    found = plan(a_swarm(), link("old", attach=False))
    assert found.rewirings[0].cut == ("api", "db")
    assert "cuts-neighbours" in codes(found, Level.WARNING)
    moved = plan(a_swarm(), link("old", attach=False), link(), link(service="api"))
    assert moved.rewirings[1].cut == ("db",)


@pytest.mark.parametrize(
    ("network", "code"),
    [
        (make_network("new", ""), "network-unallocated"),
        (make_network("new", "10.0.10.0/24", ingress=True), "ingress"),
        (make_bridge("new", id="id-new"), "local-scope"),
        (make_network("new", "10.0.10.0/24", registered=False), "network-removed"),
        (make_network("new", "10.0.10.0/29"), "no-addresses"),
        (make_network("gone", "10.0.10.0/24"), "network-gone"),
    ],
)
def test_networks_that_cannot_take_a_service(network: Any, code: str) -> None:
    service = make_service("web", published=(), replicas=6, network_ids=())
    swarm = make_swarm(services=[service], networks=[network])
    assert code in codes(plan(swarm, link()))


@pytest.mark.parametrize(("replicas", "nodes", "fits"), [(3, 3, False), (2, 3, True), (3, 1, True), (4, 1, False)])
def test_the_nodes_own_addresses_need_room_too(replicas: int, nodes: int, *, fits: bool) -> None:
    """Six addresses in a /29: gateway, VIP, one for each container and one for each node that gets its first."""
    service = make_service("web", published=(), replicas=replicas, network_ids=())
    swarm = make_swarm(services=[service], networks=[make_network("new", "10.0.10.0/29")], nodes=nodes)
    assert ("no-addresses" not in codes(plan(swarm, link()))) == fits


def test_an_encrypted_network_and_a_windows_node() -> None:
    nodes = [make_node("node1"), make_node("node2", os="windows")]
    swarm = make_swarm(
        services=[make_service("web", published=())], nodes=nodes, networks=[make_network("new", encrypted=True)]
    )
    (refused,) = [row for row in plan(swarm, link()).blockers if row.code == "encrypted-windows"]
    assert refused.message == "new is encrypted, and node2 runs Windows, which cannot."


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"update_state": "updating"}, "service-updating"),
        ({"update_state": "paused"}, "service-paused"),
        ({"mode": Mode.REPLICATED_JOB}, "service-job"),
    ],
)
def test_services_that_cannot_be_updated_now(changes: dict[str, Any], code: str) -> None:
    assert code in codes(plan(a_swarm(**changes), link()))


def test_a_host_port_forbids_start_first_where_no_node_is_free() -> None:
    port = make_port(8080, mode="host")
    for replicas, level in ((3, Level.BLOCKER), (1, Level.WARNING)):
        web = make_service("web", published=(port,), replicas=replicas, update_config=FIRST)
        swarm = make_swarm(services=[web], networks=[make_network("new")])
        assert "start-first-host-port" in codes(plan(swarm, link()), level)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replicas": 2}, "some containers of each run all the while"),
        ({"replicas": 2, "update_config": FIRST}, "nobody checks that it answers"),
        ({"replicas": 1}, ""),
        ({"replicas": 0}, ""),
    ],
)
def test_no_more_is_promised_than_the_update_config_keeps(changes: dict[str, Any], said: str) -> None:
    web = make_service("web", published=(), **changes)
    found = plan(make_swarm(services=[web], networks=[make_network("new")]), link())
    *promised, rest = found.keeps_working
    assert rest.startswith("Every other service")
    assert (len(promised), said in "".join(promised)) == (bool(said), True)


@pytest.mark.parametrize("aliases", [("api",), ("same", "same"), ("not a name",)])
def test_aliases_that_others_have_or_that_are_none(aliases: tuple[str, ...]) -> None:
    swarm = a_swarm()
    api = make_service("api", published=(), network_ids=("id-old", "id-new"))
    swarm = make_swarm(services=[swarm.services[0], api], networks=swarm.networks[2:])
    assert codes(plan(swarm, link("new", *aliases))) <= {"alias-taken", "alias-invalid"}
    assert codes(plan(swarm, link("new", *aliases)))


def test_the_fingerprint_moves_with_the_service_and_not_with_another() -> None:
    swarm = a_swarm()
    before = plan(swarm, link()).fingerprint
    other = make_swarm(services=[*swarm.services, make_service("new_one")], networks=swarm.networks[2:])
    assert plan(other, link()).fingerprint == before
    assert plan(a_swarm(replicas=5), link()).fingerprint != before
