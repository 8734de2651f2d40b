"""The address space as a picture: who holds which range, what is nested, what collides, and the room between.

A view is a subnet that is looked at. It is drawn as at most 256 cells of equal size, sixteen in a row, and listed as
rows; both say the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain import subnets
from overlayweb.domain.addresses import ReservedRange, holdings, of_reserved
from overlayweb.domain.subnets import ADDRESS_BITS, PRIVATE_BLOCKS, Subnet
from overlayweb.domain.swarm import Swarm

CELL_BITS = 8
"""A view is cut into at most 2**8 cells."""

ROW_BITS = 4

POOL = "pool"
_TAKES = frozenset({"ingress", "overlay", "local"})
"""Networks: a collision with one of them breaks something."""

ORDER = ("ingress", "overlay", "local", "node", "reserved")
"""Kinds that hold addresses, the one that a shared cell shows first in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range that somebody has. ``kind``: one of ``ORDER``, or "pool": given out from, but not held.

    ``id``: of the network or the node, "" for others. ``note``: a reason, an owner, or "".
    """

    kind: str
    name: str
    subnet: Subnet
    id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A range of the list, ``depth`` ranges around it. ``clashes``: names of those it must not share addresses with."""

    range: Range
    depth: int
    clashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Free addresses from ``first`` to ``last``, both included. ``largest``: the largest subnet that fits in.

    ``pooled``: how many of them Swarm gives out itself, from its default pools.
    """

    first: int
    last: int
    largest: Subnet
    pooled: int

    @property
    def size(self) -> int:
        """How many addresses."""
        return self.last - self.first + 1

    @property
    def in_pool(self) -> bool:
        """Whether it lies wholly in default pools."""
        return self.pooled == self.size

    def __str__(self) -> str:
        return f"{subnets.address_text(self.first)} – {subnets.address_text(self.last)}"  # noqa: RUF001  # a range


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One part of the picture. ``held``: addresses that somebody has; ``ranges``: who, as ``ORDER`` has them."""

    subnet: Subnet
    held: int
    ranges: tuple[Range, ...]
    in_pool: bool
    clashes: bool

    @property
    def kind(self) -> str:
        """What the cell shows: the kind that has the most of it, by ``ORDER`` where several do, "pool" or "free"."""
        if self.ranges:
            return max(self.ranges, key=lambda row: min(row.subnet.size, self.subnet.size)).kind
        return POOL if self.in_pool else "free"

    @property
    def share(self) -> float:
        """How much of it is held, from 0 to 1."""
        return self.held / self.subnet.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One view. ``rows`` are sorted by address, the wider first; ``gaps`` are what nobody holds."""

    view: Subnet
    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...]

    @property
    def held(self) -> int:
        """Addresses of the view that somebody has."""
        return self.view.size - self.free

    @property
    def free(self) -> int:
        """Addresses of the view that nobody has."""
        return sum(gap.size for gap in self.gaps)

    @property
    def lines(self) -> tuple[tuple[Subnet, tuple[Cell, ...]], ...]:
        """The cells in rows of sixteen, each with the subnet that the row is."""
        per_line = min(1 << ROW_BITS, len(self.cells))
        length = max(self.view.prefix_length, self.cells[0].subnet.prefix_length - (per_line - 1).bit_length())
        starts = range(0, len(self.cells), per_line)
        return tuple((Subnet(self.cells[n].subnet.first, length), self.cells[n : n + per_line]) for n in starts)


def ranges_of(*, swarm: Swarm, reserved: Sequence[ReservedRange]) -> tuple[Range, ...]:
    """Every range that is known of a cluster: networks, node addresses, reserved ranges, Swarm's default pools."""
    kept_free = (Range(kind=row.kind, name=row.name, subnet=row.subnet, note=row.note) for row in of_reserved(reserved))
    return (*swarm.once(_of_swarm), *kept_free)


def tops(ranges: Iterable[Range]) -> tuple[Subnet, ...]:
    """Where looking begins: the private blocks, and a /8 around whatever lies elsewhere."""
    outside = (row.subnet for row in ranges if not any(block.covers(row.subnet) for block in PRIVATE_BLOCKS))
    wider = {subnets.enclosing(address=row.first, prefix_length=min(8, row.prefix_length)) for row in outside}
    return (*PRIVATE_BLOCKS, *sorted(block for block in wider if block not in PRIVATE_BLOCKS))


def path_to(*, view: Subnet, top: Subnet) -> tuple[Subnet, ...]:
    """The views from ``top`` down to ``view``, each four bits closer, so that one can go back."""
    lengths = range(top.prefix_length, view.prefix_length, ROW_BITS)
    return (*(subnets.enclosing(address=view.first, prefix_length=length) for length in lengths), view)


def picture(*, ranges: Iterable[Range], view: Subnet) -> Picture:
    """What of ``ranges`` is in the view. Time grows with the number of ranges, not with that of addresses."""
    seen = sorted(
        (row for row in ranges if subnets.overlaps(row.subnet, view)),
        key=lambda row: (row.subnet.first, row.subnet.prefix_length, _rank(row), row.name),
    )
    rows = tuple(_rows(seen))
    runs = _merged(_clipped(row.range.subnet, view) for row in rows if row.range.kind != POOL)
    pools = _merged(_clipped(row.range.subnet, view) for row in rows if row.range.kind == POOL)
    return Picture(view=view, cells=_cells(view, rows, runs), rows=rows, gaps=tuple(_gaps(view, runs, pools)))


def clash(a: Range, b: Range) -> bool:
    """Whether the two may not share addresses: a network with anything that holds some, a pool holds none."""
    return POOL not in (a.kind, b.kind) and bool({a.kind, b.kind} & _TAKES) and subnets.overlaps(a.subnet, b.subnet)


def _of_swarm(swarm: Swarm) -> tuple[Range, ...]:
    ingress = {network.id for network in swarm.networks if network.ingress}
    pools = (subnets.parse_or_none(text) for text in swarm.default_addr_pools)
    held = (
        Range(
            kind="ingress" if row.id in ingress else row.kind,
            name=row.name,
            subnet=row.subnet,
            id=row.id,
            note=f"on {row.node}" if row.node else row.note,
        )
        for row in holdings(swarm=swarm, reserved=())
    )
    return (*held, *(Range(kind=POOL, name="Swarm's default pool", subnet=pool) for pool in pools if pool))


def _rank(row: Range) -> int:
    return -1 if row.kind == POOL else ORDER.index(row.kind)


def _rows(seen: Sequence[Range]) -> Iterator[Row]:
    """Each with its depth; two that clash name each other. Subnets either nest or lie apart."""
    around: list[int] = []
    depths: list[int] = []
    clashes: list[list[str]] = [[] for _ in seen]
    for place, row in enumerate(seen):
        around = [n for n in around if seen[n].subnet.covers(row.subnet)]
        depths.append(len(around))
        for outer in (n for n in around if clash(seen[n], row)):
            clashes[place].append(seen[outer].name)
            clashes[outer].append(row.name)
        around.append(place)
    for row, depth, names in zip(seen, depths, clashes, strict=True):
        yield Row(range=row, depth=depth, clashes=tuple(dict.fromkeys(names)))


def _clipped(subnet: Subnet, view: Subnet) -> tuple[int, int]:
    return max(subnet.first, view.first), min(subnet.last, view.last)


def _merged(pieces: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs of addresses, apart from each other and in order."""
    runs: list[tuple[int, int]] = []
    for first, last in pieces:
        if runs and first <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], max(runs[-1][1], last))
        else:
            runs.append((first, last))
    return runs


def _gaps(view: Subnet, runs: Iterable[tuple[int, int]], pools: Sequence[tuple[int, int]]) -> Iterator[Gap]:
    start = view.first
    for first, last in (*runs, (view.last + 1, view.last + 1)):
        if start < first:
            pooled = sum(max(0, min(first - 1, end) - max(start, begin) + 1) for begin, end in pools)
            yield Gap(first=start, last=first - 1, largest=_largest(start, first - 1), pooled=pooled)
        start = last + 1


def _largest(first: int, last: int) -> Subnet:
    for length in range(ADDRESS_BITS + 1):
        size = 1 << (ADDRESS_BITS - length)
        start = (first + size - 1) // size * size
        if start + size - 1 <= last:
            return Subnet(start, length)
    raise AssertionError(f"nothing from {first} to {last}")


def _cells(view: Subnet, rows: Sequence[Row], runs: Sequence[tuple[int, int]]) -> tuple[Cell, ...]:
    length = min(ADDRESS_BITS, view.prefix_length + CELL_BITS)
    size = 1 << (ADDRESS_BITS - length)
    count = view.size // size
    held = [0] * count
    inside: list[list[Row]] = [[] for _ in range(count)]
    for first, last in runs:
        for place in range((first - view.first) // size, (last - view.first) // size + 1):
            start = view.first + place * size
            held[place] += min(last, start + size - 1) - max(first, start) + 1
    for row in rows:
        first, last = _clipped(row.range.subnet, view)
        for place in range((first - view.first) // size, (last - view.first) // size + 1):
            inside[place].append(row)
    return tuple(_cell(Subnet(view.first + place * size, length), held[place], inside[place]) for place in range(count))


def _cell(subnet: Subnet, held: int, inside: Sequence[Row]) -> Cell:
    ranges = [row.range for row in inside if row.range.kind != POOL]
    return Cell(
        subnet=subnet,
        held=held,
        ranges=tuple(sorted(ranges, key=_rank)),
        in_pool=any(row.range.kind == POOL for row in inside),
        clashes=_collide(ranges),
    )


def _collide(ranges: Iterable[Range]) -> bool:
    """Whether two share addresses that they must not; ordered as rows are. Neighbours suffice, as subnets nest."""
    around: list[Range] = []
    for row in ranges:
        around = [outer for outer in around if outer.subnet.covers(row.subnet)]
        if any(clash(outer, row) for outer in around):
            return True
        around.append(row)
    return False
