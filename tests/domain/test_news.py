"""Events name what is read again; what that brings is put in; what has not come to rest is read once more."""

from dataclasses import replace

import pytest

from overlayweb.domain import capacity, news
from overlayweb.domain.news import Happening, Names, Part
from overlayweb.domain.swarm import AddressFigures, Network, Service, Swarm
from tests.domain.builders import (
    INGRESS_ID,
    make_ingress,
    make_network,
    make_node,
    make_service,
    make_swarm,
    make_swarm_task,
    make_swarm_tasks,
)

PEERS = ("192.168.50.11", "192.168.50.12", "192.168.50.13")


def test_events_name_each_thing_once_and_containers_nothing() -> None:
    found = news.named(
        [
            Happening(kind="service", action="update", id="s1"),
            Happening(kind="service", action="update", id="s1"),
            Happening(kind="network", action="create", id="n1"),
            Happening(kind="network", action="connect", id="n2"),
            Happening(kind="node", action="update", id="m1"),
            Happening(kind="container", action="start", id="c1"),
        ]
    )
    assert found == Names(services=frozenset({"s1"}), networks=frozenset({"n1"}), nodes=frozenset({"m1"}))
    assert (found.count, bool(Names())) == (3, False)


def test_a_part_replaces_adds_and_removes_what_it_names_and_leaves_the_rest() -> None:
    kept, changed, gone = make_service("kept"), make_service("changed"), make_service("gone")
    before = make_swarm(services=[kept, changed, gone], networks=[make_network("old")])
    again = replace(changed, replicas=1)
    part = Part(
        names=Names(services=frozenset({changed.id, gone.id, "id-new"}), networks=frozenset({"id-old", "id-fresh"})),
        services=(again, make_service("new")),
        networks=(make_network("fresh", "10.0.8.0/24"),),
        swarm_tasks=make_swarm_tasks(again, 1),
    )
    now = news.merged(before, part)
    assert [service.name for service in now.services] == ["kept", "changed", "new"]
    assert [network.name for network in now.networks if network.name in {"old", "fresh"}] == ["fresh"]
    assert (len(now.tasks_of(kept.id)), len(now.tasks_of(changed.id)), len(now.tasks_of(gone.id))) == (2, 1, 0)
    assert now.observed_at == before.observed_at
    assert news.merged(before, Part(names=Names())) == before


def test_a_count_of_addresses_older_than_who_is_on_the_network_is_dropped() -> None:
    """Ten containers have come since the engine counted two addresses: none of the thirty-two is promised twice."""
    told = (AddressFigures(subnet="10.0.9.0/27", in_use=4, available=28),)
    shop, other = make_network("shop", "10.0.9.0/27", figures=told), make_network("other", "10.0.9.32/27", figures=told)
    before = make_service("web", published=(), replicas=0, network_ids=(shop.id,))
    swarm = make_swarm(services=[before], networks=[shop, other], swarm_tasks=[])
    grown = replace(before, replicas=10)
    part = Part(names=Names(services=frozenset({grown.id})), services=(grown,), swarm_tasks=make_swarm_tasks(grown, 10))
    now = news.merged(swarm, part)
    assert {row.name: row.figures for row in now.networks if row.name in {"shop", "other"}} == {
        "shop": (),
        "other": told,
    }
    used = {row.network.name: row.used for row in capacity.fillings(swarm=now)}
    assert used["shop"] > 10

    left = Part(names=part.names)  # the service is gone
    (freed,) = [row for row in news.merged(swarm, left).networks if row.name == "shop"]
    assert freed.figures == ()


def moves(swarm: Swarm, *, service: Service | None = None, network: Network | None = None) -> bool:
    names = Names(
        services=frozenset({service.id} if service else ()), networks=frozenset({network.id} if network else ())
    )
    return bool(news.moving(swarm, swarm, names))


@pytest.mark.parametrize(
    ("service", "running", "moving"),
    [
        (make_service(), 2, False),
        (make_service(), 1, True),
        (make_service(update_state="updating"), 2, True),
        (make_service(update_state="completed"), 2, False),
        (make_service(replicas=0), 0, False),
    ],
)
def test_a_service_moves_until_it_is_at_strength(service: Service, running: int, moving: bool) -> None:  # noqa: FBT001
    swarm = make_swarm(services=[service], swarm_tasks=make_swarm_tasks(service, running))
    assert moves(swarm, service=service) is moving


def test_a_service_moves_while_a_task_of_it_is_on_its_way() -> None:
    service = make_service()
    tasks = (*make_swarm_tasks(service), make_swarm_task(service, 3, state="starting"))
    assert moves(make_swarm(services=[service], swarm_tasks=tasks), service=service)


@pytest.mark.parametrize(
    ("network", "moving"),
    [
        (make_network(), False),
        (make_network(subnet=""), True),
        (make_ingress(peers=PEERS), False),
        (make_ingress(peers=PEERS[:2]), True),
    ],
)
def test_an_overlay_moves_until_it_is_allocated_and_an_ingress_until_all_joined(network: Network, moving: bool) -> None:  # noqa: FBT001
    swarm = make_swarm(networks=[network], ingress=None)
    assert moves(swarm, network=network) is moving


def test_what_is_on_a_node_that_goes_is_read_again() -> None:
    before = make_swarm()
    (service,) = before.services
    now = replace(before, nodes=(make_node("node1", state="down"), *before.nodes[1:]))
    named = Names(nodes=frozenset({"id-node1", "id-node2"}))
    assert news.moving(before, now, named).services == {service.id}
    assert not news.moving(before, before, named), "a label alone moves nothing"


def test_a_repair_watches_nodes_and_every_ingress() -> None:
    swarm = make_swarm(networks=[make_ingress("10.9.0.0/24", id="old", registered=False), make_network()])
    found = news.ingress_and_nodes(swarm)
    assert found.networks == {INGRESS_ID, "old"}
    assert found.nodes == {node.id for node in swarm.nodes}
