"""The picture of the address space says what counting every single address says."""

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import space, subnets
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.space import Range
from overlayweb.domain.subnets import Subnet
from tests.domain.builders import make_network, make_swarm
from tests.domain.examples import EXAMPLES

VIEW = subnets.parse("10.0.0.0/23")

blocks = st.builds(
    lambda address, length: subnets.enclosing(address=address, prefix_length=length),
    st.integers(VIEW.first - 512, VIEW.last + 512),
    st.integers(22, 32),
)
ranges = st.lists(
    st.builds(
        lambda kind, name, subnet: Range(kind=kind, name=name, subnet=subnet),
        st.sampled_from([*space.ORDER, space.POOL]),
        st.sampled_from("abcdefgh"),
        blocks,
    ),
    max_size=9,
)


def _addresses(subnet: Subnet) -> set[int]:
    block = ipaddress.IPv4Network(str(subnet))
    return set(range(int(block[0]), int(block[-1]) + 1))


@given(held=ranges)
@settings(max_examples=max(EXAMPLES // 4, 1), deadline=None)
def test_free_room_and_cells_are_what_counting_addresses_says(held: list[Range]) -> None:
    everything = _addresses(VIEW)
    taken = set().union(*(_addresses(row.subnet) for row in held if row.kind != space.POOL)) & everything
    found = space.picture(ranges=held, view=VIEW)
    free = {address for gap in found.gaps for address in range(gap.first, gap.last + 1)}
    assert free == everything - taken
    assert found.held == len(taken)
    assert [address for cell in found.cells for address in sorted(_addresses(cell.subnet))] == sorted(everything)
    for cell in found.cells:
        inside = _addresses(cell.subnet)
        assert cell.held == len(inside & taken)
        assert {id(row) for row in cell.ranges} == {
            id(row) for row in held if row.kind != space.POOL and _addresses(row.subnet) & inside
        }


@given(held=ranges)
@settings(max_examples=EXAMPLES, deadline=None)
def test_gaps_are_as_long_as_they_can_be_and_name_the_largest_block(held: list[Range]) -> None:
    found = space.picture(ranges=held, view=VIEW)
    for gap, after in zip(found.gaps, found.gaps[1:], strict=False):
        assert gap.last + 1 < after.first
    pooled = set().union(*(_addresses(row.subnet) for row in held if row.kind == space.POOL))
    for gap in found.gaps:
        assert gap.pooled == len(pooled.intersection(range(gap.first, gap.last + 1)))
        assert gap.in_pool == pooled.issuperset(range(gap.first, gap.last + 1))
        first, last = map(ipaddress.IPv4Address, (gap.first, gap.last))
        widest = min(ipaddress.summarize_address_range(first, last), key=lambda block: block.prefixlen)
        assert str(gap.largest) == str(widest)


@given(held=ranges)
@settings(max_examples=EXAMPLES, deadline=None)
def test_rows_know_how_deep_they_are_and_what_they_collide_with(held: list[Range]) -> None:
    rows = space.picture(ranges=held, view=VIEW).rows
    seen = [row for row in held if ipaddress.ip_network(str(row.subnet)).overlaps(ipaddress.ip_network(str(VIEW)))]
    assert sorted(id(row.range) for row in rows) == sorted(map(id, seen))
    for place, row in enumerate(rows):
        before, others = rows[:place], [*rows[:place], *rows[place + 1 :]]
        assert row.depth == sum(outer.range.subnet.covers(row.range.subnet) for outer in before)
        shares = [other.range for other in others if _addresses(other.range.subnet) & _addresses(row.range.subnet)]
        networks = {"ingress", "overlay", "local"}
        wrong = {
            other.name
            for other in shares
            if space.POOL not in (row.range.kind, other.kind) and networks & {row.range.kind, other.kind}
        }
        assert set(row.clashes) == wrong


def test_knows_everything_of_a_cluster() -> None:
    swarm = make_swarm(networks=[make_network("shop", "10.20.1.0/24")])
    held = space.ranges_of(swarm=swarm, reserved=[ReservedRange(name="office", cidr="10.20.0.0/16", reason="VPN")])
    assert {(row.kind, row.name, str(row.subnet)) for row in held} == {
        ("ingress", "ingress", "10.0.0.0/24"),
        ("overlay", "shop", "10.20.1.0/24"),
        ("local", "docker_gwbridge", "172.18.0.0/16"),
        ("node", "node1", "192.168.50.11/32"),
        ("node", "node2", "192.168.50.12/32"),
        ("node", "node3", "192.168.50.13/32"),
        ("reserved", "office", "10.20.0.0/16"),
        ("pool", "Swarm's default pool", "10.0.0.0/8"),
    }
    found = space.picture(ranges=held, view=subnets.parse("10.0.0.0/8"))
    assert [(row.range.name, row.depth, row.clashes) for row in found.rows] == [
        ("Swarm's default pool", 0, ()),
        ("ingress", 1, ()),
        ("office", 1, ("shop",)),
        ("shop", 2, ("office",)),
    ]
    cell = found.cells[20]
    assert (str(cell.subnet), cell.kind, cell.clashes, cell.share) == ("10.20.0.0/16", "reserved", True, 1.0)
    assert found.cells[0].share == 1 / 256
    assert (found.cells[1].kind, found.cells[1].held) == ("pool", 0)


def test_zooms_by_rows_and_cells_down_to_single_addresses() -> None:
    top = subnets.parse("10.0.0.0/8")
    wide = space.picture(ranges=(), view=top)
    assert [len(line) for _, line in wide.lines] == [16] * 16
    assert (str(wide.lines[1][0]), str(wide.lines[1][1][2].subnet)) == ("10.16.0.0/12", "10.18.0.0/16")
    small = space.picture(ranges=(), view=subnets.parse("10.0.0.8/29"))
    [(line, cells)] = small.lines
    assert (str(line), [str(cell.subnet) for cell in cells][-1]) == ("10.0.0.8/29", "10.0.0.15/32")
    path = space.path_to(view=subnets.parse("10.18.4.0/24"), top=top)
    assert [str(view) for view in path] == [
        "10.0.0.0/8",
        "10.16.0.0/12",
        "10.18.0.0/16",
        "10.18.0.0/20",
        "10.18.4.0/24",
    ]
    assert space.path_to(view=top, top=top) == (top,)


def test_looking_begins_with_private_blocks_and_goes_where_something_is() -> None:
    elsewhere = Range(kind="node", name="n", subnet=subnets.parse("203.0.113.7/32"))
    wide = Range(kind="reserved", name="all", subnet=subnets.parse("0.0.0.0/0"))
    assert [str(top) for top in space.tops([elsewhere, wide])] == [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "0.0.0.0/0",
        "203.0.0.0/8",
    ]
