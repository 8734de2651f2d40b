"""How full overlays are: counted address by address, at the worst moment of an update, and which fills first."""

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import capacity
from overlayweb.domain.addresses import Need
from overlayweb.domain.capacity import Filling
from overlayweb.domain.swarm import AddressFigures, IpamConfig, Network, Swarm
from tests.domain.builders import (
    make_attachment,
    make_ingress,
    make_network,
    make_node,
    make_service,
    make_swarm,
    make_swarm_tasks,
)
from tests.domain.examples import EXAMPLES

START_FIRST = {"Order": "start-first"}


def _shop(network: Network, *, replicas: int = 4, nodes: int = 3, update: dict[str, str] | None = None) -> Swarm:
    service = make_service(
        "shop_web",
        published=(),
        replicas=replicas,
        network_ids=(network.id,),
        vips=((network.id, "10.0.9.2/24"),),
        update_config=update,
    )
    return make_swarm(services=[service], networks=[network], nodes=nodes)


def _only(swarm: Swarm, name: str) -> Filling:
    return next(row for row in capacity.fillings(swarm=swarm) if row.network.name == name)


@given(
    free=st.integers(-5, 60),
    updating=st.integers(0, 20),
    nodes_to_come=st.integers(0, 12),
    per_replica=st.sampled_from([1, 2]),
)
@settings(max_examples=EXAMPLES)
def test_room_for_more_replicas_is_what_adding_them_one_by_one_says(
    free: int, updating: int, nodes_to_come: int, per_replica: int
) -> None:
    filling = Filling(
        network=make_network(),
        usable=100,
        need=Need(nodes=0, services=0, containers=100 - free - updating, gateway=0),
        updating=updating,
        without_it=frozenset(map(str, range(nodes_to_come))),
        per_replica=per_replica,
    )
    left, added = free, 0
    while True:
        left -= per_replica + (added < nodes_to_come)
        if left < 0:
            break
        added += 1
    assert filling.more_replicas == added


@given(
    containers=st.integers(0, 6),
    vips=st.integers(0, 3),
    there=st.sets(st.integers(0, 3)),
    nodes=st.integers(0, 3),
)
@settings(max_examples=EXAMPLES)
def test_new_containers_take_what_the_worst_of_all_placements_takes(
    containers: int, vips: int, there: set[int], nodes: int
) -> None:
    without_it = {node for node in range(nodes + len(there)) if node not in there}
    filling = Filling(
        network=make_network(),
        usable=100,
        need=Need(nodes=0, services=0, containers=0),
        updating=0,
        without_it=frozenset(map(str, without_it)),
        per_replica=1,
    )
    everywhere = sorted(without_it | there)
    placements = combinations_with_replacement(everywhere, containers if everywhere else 0)
    worst = max(containers + vips + len(set(placed) - there) for placed in placements)
    assert filling.taken_by(containers=containers, vips=vips) == worst


@given(
    lengths=st.lists(st.integers(24, 29), min_size=1, max_size=3),
    narrower=st.integers(0, 2),
    replicas=st.integers(0, 9),
    nodes=st.integers(1, 4),
)
@settings(max_examples=EXAMPLES // 2 or 1, deadline=None)
def test_every_address_is_counted(lengths: list[int], narrower: int, replicas: int, nodes: int) -> None:
    blocks = [ipaddress.IPv4Network(f"10.9.{number}.0/{length}") for number, length in enumerate(lengths)]
    ranges = [list(block.subnets(narrower))[-1] for block in blocks]
    ipam = tuple(
        IpamConfig(subnet=str(block), gateway=str(block[1]), ip_range=str(within) if narrower else "")
        for block, within in zip(blocks, ranges, strict=True)
    )
    found = _only(_shop(make_network("shop", ipam=ipam), replicas=replicas, nodes=nodes), "shop")
    given_out = [
        address
        for block, within in zip(blocks, ranges, strict=True)
        for address in within
        if address not in (block.network_address, block.broadcast_address)
    ]
    gateways = sum(block[1] in given_out for block in blocks)
    assert found.usable == len(given_out)
    assert found.used == gateways + min(replicas, nodes) + 1 + replicas
    assert found.nodes_to_come == nodes - min(replicas, nodes)


def test_start_first_needs_every_container_twice() -> None:
    network = make_network("shop", "10.0.9.0/28")
    plain, double = (_only(_shop(network, update=update), "shop") for update in (None, START_FIRST))
    assert (plain.used, plain.peak, plain.free, plain.more_replicas) == (9, 9, 5, 5)
    assert (double.used, double.peak, double.free, double.more_replicas) == (9, 13, 1, 0)
    assert (plain.level, double.level) == ("roomy", "tight")


def test_what_is_wanted_and_not_there_yet_is_counted_for_the_worst_moment() -> None:
    network = make_network("shop", "10.0.9.0/24")
    swarm = _shop(network, replicas=10)
    found = _only(make_swarm(services=swarm.services, networks=[network], swarm_tasks=[]), "shop")
    assert (found.used, found.peak) == (2, 12)


@pytest.mark.parametrize(("figures", "used"), [(((6, 8),), 6), ((), 9), (((16, 0),), 14)])
def test_the_count_of_the_engine_is_believed(figures: tuple[tuple[int, int], ...], used: int) -> None:
    told = tuple(AddressFigures(subnet="10.0.9.0/28", in_use=in_use, available=free) for in_use, free in figures)
    found = _only(_shop(make_network("shop", "10.0.9.0/28", figures=told)), "shop")
    assert (found.used, found.measured) == (used, used if told else None)


def test_an_engine_that_tells_of_some_subnets_only_is_not_believed() -> None:
    ipam = (IpamConfig(subnet="10.0.9.0/28"), IpamConfig(subnet="10.0.8.0/28"))
    told = (AddressFigures(subnet="10.0.9.0/28", in_use=3, available=13),)
    assert _only(_shop(make_network("shop", ipam=ipam, figures=told)), "shop").measured is None


def test_the_ingress_takes_an_address_on_every_node() -> None:
    service = make_service("shop_web", replicas=1)
    swarm = make_swarm(services=[service], nodes=5, swarm_tasks=make_swarm_tasks(service))
    found = _only(swarm, "ingress")
    assert found.need == Need(nodes=5, services=1, containers=1)
    assert found.nodes_to_come == 0


def test_those_that_fill_first_come_first_and_others_are_left_out() -> None:
    small, large = make_network("small", "10.0.8.0/29"), make_network("large", "10.0.9.0/24")
    services = [
        make_service(f"on_{row.name}", published=(), replicas=3, network_ids=(row.id,)) for row in (large, small)
    ]
    waiting, tiny = make_network("waiting", ""), make_network("tiny", "10.0.7.0/31")
    swarm = make_swarm(services=services, networks=[large, small, waiting, tiny])
    names = [row.network.name for row in capacity.fillings(swarm=swarm)]
    assert names == ["small", "large", "ingress"]
    assert [row.level for row in capacity.fillings(swarm=swarm)] == ["full", "roomy", "roomy"]


def test_a_drained_node_takes_no_address_of_an_overlay() -> None:
    """Swarm spreads no container to it: three more and the one node that is left fit where three nodes would not."""
    nodes = [make_node("node1"), *(make_node(f"node{n}", availability="drain") for n in (2, 3))]
    swarm = make_swarm(services=[], nodes=nodes, networks=[make_network("shop", "10.0.9.0/29")])
    found = _only(swarm, "shop")
    assert (found.used, found.free, found.nodes_to_come) == (1, 5, 1)
    assert found.taken_by(containers=3, vips=1) == 5
    assert found.more_replicas == 4
    paused = replace(swarm, nodes=tuple(replace(node, availability="pause") for node in nodes))
    assert _only(paused, "shop").nodes_to_come == 3, "a global service keeps its containers there"


def test_drained_nodes_have_the_ingress_too() -> None:
    nodes = [make_node("node1"), make_node("node2", availability="drain")]
    found = _only(make_swarm(services=[], nodes=nodes, ingress=make_ingress("10.0.0.0/29")), "ingress")
    assert (found.used, found.level) == (3, "roomy")


def test_a_standalone_container_takes_an_address_and_its_node_one() -> None:
    network = make_network("shop", "10.0.9.0/24")
    swarm = make_swarm(services=[], networks=[network], attachments=(make_attachment(network, "f00d" * 16),))
    assert _only(swarm, "shop").need == Need(nodes=1, services=0, containers=1, gateway=1)


class _Counted(tuple[Network, ...]):
    """Networks that count how often somebody looks through all of them."""

    __slots__ = ()
    times: ClassVar[list[int]] = []

    def __iter__(self) -> Iterator[Network]:
        self.times.append(1)
        return super().__iter__()


@pytest.mark.parametrize("size", [3, 60])
def test_nobody_looks_through_all_networks_for_each_service(size: int) -> None:
    """Ten thousand of each would be a hundred million looks."""
    networks = [make_network(f"net{n}", f"10.7.{n}.0/24") for n in range(size)]
    services = [make_service(f"svc{n}", published=(8000 + n,), network_ids=(networks[n].id,)) for n in range(size)]
    swarm = make_swarm(services=services, networks=networks)
    counted = replace(swarm, networks=_Counted(swarm.networks))
    _Counted.times.clear()
    found = capacity.fillings(swarm=counted)
    assert len(found) == size + 1
    assert len(_Counted.times) <= 2
    assert capacity.fillings(swarm=counted) is found
    assert capacity.filling_of(swarm=counted, network_id=networks[2].id) in found
