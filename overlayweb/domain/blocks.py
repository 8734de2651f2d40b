"""A subnet chosen by need: services and replicas → addresses → prefix length → the next free block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from overlayweb.domain import subnets
from overlayweb.domain.addresses import ReservedRange, holdings, wanted_swarm_tasks
from overlayweb.domain.subnets import ADDRESS_BITS, LONGEST_USABLE_PREFIX, Subnet
from overlayweb.domain.swarm import Swarm

TIMES = "\N{MULTIPLICATION SIGN}"
SHORTEST_PREFIX = 8
"""No private block is larger, so a need above it fits nowhere."""

ENGINE_POOLS = tuple(
    subnets.parse(text)
    for text in (
        "172.17.0.0/16",
        "172.18.0.0/16",
        "172.19.0.0/16",
        "172.20.0.0/14",
        "172.24.0.0/14",
        "172.28.0.0/14",
        "192.168.0.0/16",
    )
)
"""Where each engine takes subnets for its local bridges (moby, libnetwork/ipamutils)."""


class NeedError(ValueError):
    """A number of the need is out of its bounds; ``field`` names it."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One addend of the need. ``arithmetic`` says where it comes from, "" for a plain count."""

    addresses: int
    what: str
    arithmetic: str = ""

    def __str__(self) -> str:
        return f"{self.addresses} for {self.what}{f' ({self.arithmetic})' if self.arithmetic else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockNeed:
    """How many addresses an overlay will take, term by term, and the smallest block that has them."""

    terms: tuple[Term, ...]

    @property
    def total(self) -> int:
        """All addresses that are needed."""
        return sum(term.addresses for term in self.terms)

    @property
    def prefix_length(self) -> int:
        """The longest prefix with so many addresses beside network and broadcast."""
        return min(LONGEST_USABLE_PREFIX, ADDRESS_BITS - (self.total + 1).bit_length())

    @property
    def usable(self) -> int:
        """Addresses that containers can have in a block of that prefix."""
        return (1 << (ADDRESS_BITS - self.prefix_length)) - 2

    def __str__(self) -> str:
        terms = " + ".join(str(term) for term in self.terms)
        return f"{terms} = {self.total} addresses → /{self.prefix_length} with {self.usable}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A free block for a need; ``subnet`` None: none is. ``note``: what to know, or ""."""

    need: BlockNeed
    subnet: Subnet | None
    note: str = ""


def need_of(*, services: int, replicas: int, growth: float, nodes: int, start_first: bool = True) -> BlockNeed:
    """What ``services`` of ``replicas`` each will take after growing by the factor ``growth`` on ``nodes`` nodes.

    Swarmkit gives out the gateway, one address for the load balancer of each node, one VIP per service and one
    address per Swarm task; ``start_first`` runs the old and the new one side by side. Raises NeedError.
    """
    _within("services", services, 1, 100_000)
    _within("replicas", replicas, 1, 100_000)
    _within("growth", growth, 1, 100)
    _within("nodes", nodes, 1, 100_000)
    factor = Fraction(str(growth))
    grown = "" if factor == 1 else f" {TIMES} {growth:g}"
    twice = f" {TIMES} 2 while updating" if start_first else ""
    need = BlockNeed(
        terms=(
            Term(addresses=1, what="the gateway"),
            Term(addresses=nodes, what="nodes"),
            Term(addresses=ceil(services * factor), what="VIPs", arithmetic=f"{services} services{grown}"),
            Term(
                addresses=ceil(services * replicas * factor) * (2 if start_first else 1),
                what="containers",
                arithmetic=f"{services} {TIMES} {replicas}{grown}{twice}",
            ),
        )
    )
    if need.prefix_length < SHORTEST_PREFIX:
        raise NeedError(f"{need.total} addresses fit no private block.", field="services")
    return need


def users_of(*, swarm: Swarm, network_id: str) -> tuple[int, int]:
    """(services on the network, their replicas on average, rounded up); (0, 0) where none is on it."""
    wanted = [wanted_swarm_tasks(swarm=swarm, service=row) for row in swarm.services if network_id in row.network_ids]
    return len(wanted), ceil(sum(wanted) / len(wanted)) if wanted else 0


def pick(*, need: BlockNeed, swarm: Swarm, reserved: Sequence[ReservedRange]) -> Pick:
    """The next free block of the need's prefix, clear of every holding and reserved range.

    Clear of Swarm's default pools and of the engines' own pools too, as long as there is room outside of them:
    first neither, then not Swarm's, then anywhere private; ``note`` says which of them it lies in.
    """
    found = free_block(prefix_length=need.prefix_length, swarm=swarm, reserved=reserved)
    if found is None:
        return Pick(need=need, subnet=None, note=f"No private /{need.prefix_length} is free.")
    return Pick(need=need, subnet=found, note=_note(found, swarm_pools(swarm)))


def free_block(*, prefix_length: int, swarm: Swarm, reserved: Sequence[ReservedRange]) -> Subnet | None:
    """The next free private block of that prefix, by the order of preference of :func:`pick`; None: there is none."""
    held = [holding.subnet for holding in holdings(swarm=swarm, reserved=reserved)]
    found = (
        subnets.next_free(prefix_length=prefix_length, taken=[*held, *avoided], pools=subnets.PRIVATE_BLOCKS)
        for avoided in _avoided(swarm)
    )
    return next((block for block in found if block), None)


def _within(field: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise NeedError(f"{field.capitalize()}: from {least:,} to {most:,}.", field=field)


def _avoided(swarm: Swarm) -> Iterator[tuple[Subnet, ...]]:
    pools = swarm_pools(swarm)
    yield (*pools, *ENGINE_POOLS)
    yield pools
    yield ()


def swarm_pools(swarm: Swarm) -> tuple[Subnet, ...]:
    """Where Swarm takes the subnets of networks that are made without one."""
    return tuple(pool for text in swarm.default_addr_pools if (pool := subnets.parse_or_none(text)))


def _note(block: Subnet, pools: Sequence[Subnet]) -> str:
    pool = next((pool for pool in pools if subnets.overlaps(pool, block)), None)
    if pool:
        return f"Inside Swarm's default pool {pool}: Swarm skips it once it is allocated."
    if any(subnets.overlaps(block, held) for held in ENGINE_POOLS):
        return "Engines give such blocks to local bridges by themselves; only the manager's bridges are seen here."
    return ""
