"""A block picked by need: as large as needed and no larger, and clear of whatever has addresses."""

import ipaddress
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import blocks, subnets
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.blocks import NeedError
from overlayweb.domain.subnets import Subnet
from tests.domain.builders import make_network, make_service, make_swarm
from tests.domain.examples import EXAMPLES

SPACE = ipaddress.IPv4Network("172.16.0.0/16")
"""What is neither Swarm's nor the engines' by default, so what is looked through first."""

cidrs = st.builds(
    lambda address, length: str(subnets.enclosing(address=address, prefix_length=length)),
    st.integers(int(SPACE.network_address), int(SPACE.broadcast_address)),
    st.integers(16, 24),
)


@given(
    services=st.integers(1, 300),
    replicas=st.integers(1, 12),
    tenths=st.integers(10, 40),
    nodes=st.integers(1, 40),
    start_first=st.booleans(),
)
@settings(max_examples=EXAMPLES)
def test_a_block_has_what_is_needed_and_its_half_has_not(
    services: int,
    replicas: int,
    tenths: int,
    nodes: int,
    start_first: bool,  # noqa: FBT001  # hypothesis passes it by name
) -> None:
    need = blocks.need_of(
        services=services, replicas=replicas, growth=tenths / 10, nodes=nodes, start_first=start_first
    )
    vips, containers = ceil(services * tenths / 10), ceil(services * replicas * tenths / 10)
    assert need.total == 1 + nodes + vips + containers * (1 + start_first)
    hosts = ipaddress.IPv4Network(f"10.0.0.0/{need.prefix_length}").num_addresses - 2
    assert need.usable == hosts
    assert hosts >= need.total > hosts // 2 - 1


@given(taken=st.lists(cidrs, max_size=10), reserved=st.lists(cidrs, max_size=10), services=st.integers(1, 200))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_first_free_block_is_the_one_that_brute_force_finds(
    taken: list[str], reserved: list[str], services: int
) -> None:
    swarm = make_swarm(networks=[make_network(f"net{n}", cidr) for n, cidr in enumerate(taken)])
    ranges = [ReservedRange(name=f"range{n}", cidr=cidr) for n, cidr in enumerate(reserved)]
    need = blocks.need_of(services=services, replicas=2, growth=2, nodes=3)
    held = [ipaddress.IPv4Network(cidr) for cidr in (*taken, *reserved)]
    free = (
        block
        for block in SPACE.subnets(new_prefix=need.prefix_length)
        if not any(block.overlaps(other) for other in held)
    )
    expected = next(free, None)
    picked = blocks.pick(need=need, swarm=swarm, reserved=ranges)
    if expected is None:
        assert picked.note
        assert picked.subnet is None or not SPACE.supernet_of(ipaddress.IPv4Network(str(picked.subnet)))
    else:
        assert (str(picked.subnet), picked.note) == (str(expected), "")


def test_says_its_arithmetic() -> None:
    need = blocks.need_of(services=10, replicas=3, growth=1.5, nodes=3)
    assert str(need).replace(blocks.TIMES, "x") == (
        "1 for the gateway + 3 for nodes + 15 for VIPs (10 services x 1.5) "
        "+ 90 for containers (10 x 3 x 1.5 x 2 while updating) = 109 addresses → /25 with 126"
    )


def test_goes_into_the_pools_only_when_nothing_else_is_free_and_says_so() -> None:
    need = blocks.need_of(services=10, replicas=3, growth=1, nodes=3)
    outside = ReservedRange(name="vpc", cidr="172.16.0.0/16")
    engines = blocks.pick(need=need, swarm=make_swarm(), reserved=[outside])
    assert str(engines.subnet) == "172.17.0.0/25"
    assert "local bridges" in engines.note
    rest = [outside, ReservedRange(name="a", cidr="172.16.0.0/12"), ReservedRange(name="b", cidr="192.168.0.0/16")]
    inside = blocks.pick(need=need, swarm=make_swarm(), reserved=rest)
    assert str(inside.subnet) == "10.0.1.0/25"
    assert "default pool 10.0.0.0/8" in inside.note
    everything = [*rest, ReservedRange(name="c", cidr="10.0.0.0/8")]
    assert blocks.pick(need=need, swarm=make_swarm(), reserved=everything).subnet is None


def test_a_block_outside_every_pool_is_still_private() -> None:
    swarm = make_swarm(default_addr_pools=("172.16.0.0/12", "192.168.0.0/16"))
    found = blocks.free_block(prefix_length=24, swarm=swarm, reserved=[])
    assert found == Subnet(subnets.parse_address("10.0.1.0"), 24)


@pytest.mark.parametrize(
    ("field", "value"), [("services", 0), ("replicas", 0), ("growth", 0.5), ("nodes", 0), ("services", 100_001)]
)
def test_refuses_numbers_that_make_no_sense(field: str, value: float) -> None:
    numbers = {"services": 1, "replicas": 1, "growth": 1, "nodes": 1, field: value}
    with pytest.raises(NeedError) as caught:
        blocks.need_of(**numbers)  # type: ignore[arg-type]  # one of them is wrong on purpose
    assert caught.value.field == field


def test_who_is_on_a_network_today() -> None:
    lake = make_network("lake")
    on = [make_service(name, published=(), replicas=n, network_ids=(lake.id,)) for name, n in (("a", 1), ("b", 4))]
    swarm = make_swarm(services=[*on, make_service("elsewhere", replicas=90)], networks=[lake])
    assert blocks.users_of(swarm=swarm, network_id=lake.id) == (2, 3)
    assert blocks.users_of(swarm=swarm, network_id="id-none") == (0, 0)
