"""Checks of the subnet against everything that holds addresses, and of the room in it."""

from collections.abc import Iterable, Iterator

from overlayweb.domain import subnets
from overlayweb.domain.addresses import Holding, Need, ingress_need
from overlayweb.domain.checks.addressing import next_free_text, roomy_prefix
from overlayweb.domain.checks.case import Case, on_field
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.wording import several

NAMED_AT_MOST = 20
"""A subnet that overlaps more is named with the number of the others."""

NODES_AT_MOST = 5
"""The same of nodes whose addresses it meets."""

TIGHT = 0.8
"""Above this share of addresses in use, a warning."""


def who_holds(wanted: Subnet, held: Iterable[Holding]) -> list[str]:
    """Those that hold addresses of the subnet, in words; of very many the first, and how many more.

    Several nodes are one of them: whoever meets one node's address has chosen the network of all.
    """
    met = [holding for holding in held if subnets.overlaps(wanted, holding.subnet)]
    nodes = [holding for holding in met if holding.kind == "node"]
    named = [str(holding) for holding in met if len(nodes) == 1 or holding.kind != "node"]
    if len(nodes) > 1:
        by_name = several((_of_node(node) for node in nodes), most=NODES_AT_MOST)
        named.append(f"the addresses of {len(nodes)} nodes: {by_name}")
    return named if len(named) <= NAMED_AT_MOST else [*named[:NAMED_AT_MOST], f"{len(named) - NAMED_AT_MOST} more"]


def overlaps(case: Case) -> Iterator[Finding]:
    """True overlap with overlays, local networks, node addresses and reserved ranges."""
    wanted = case.subnet
    if wanted is None:
        return
    met = who_holds(wanted, case.held)
    if not met:
        return
    usable = wanted.prefix_length <= subnets.LONGEST_USABLE_PREFIX
    length = wanted.prefix_length if usable else roomy_prefix(case)
    free = next_free_text(case, length, wanted.first)
    remedy = f"Next free /{length}: {free}." if free else f"No private /{length} is free."
    for holding in met:
        yield on_field(
            level=Level.BLOCKER,
            code="subnet-overlap",
            field="subnet",
            message=f"{wanted} overlaps {holding}.",
            remedy=remedy,
            suggestion=free,
        )


def pools(case: Case) -> Iterator[Finding]:
    """Overlap with the pools from which Swarm gives subnets to overlays created without one.

    Lying inside a pool is normal, hence a notice: Swarm's own first ingress is 10.0.0.0/24 of the pool 10.0.0.0/8,
    and its allocator never hands out a block that overlaps an allocated one. What remains is the moment between
    removing the old ingress and allocating the new: an overlay created then without a subnet may take the block.
    Covering a whole pool is a warning: no overlay could be created without a subnet any more.
    """
    for text in case.swarm.default_addr_pools:
        pool = subnets.parse_or_none(text)
        if case.subnet is None or pool is None or not subnets.overlaps(case.subnet, pool):
            continue
        yield _covers(case.subnet, pool) if case.subnet.covers(pool) else _inside(case.subnet, pool)


def room(case: Case) -> Iterator[Finding]:
    """Whether nodes, services and containers of today fit, and how many more do."""
    if case.subnet is None or case.subnet.prefix_length > subnets.LONGEST_USABLE_PREFIX:
        return
    within = case.ip_range if case.ip_range and case.subnet.covers(case.ip_range) else None
    need = ingress_need(swarm=case.swarm, services=case.services, gateway=_gateway_counts(case, within))
    free = subnets.usable(case.subnet, within) - need.total
    if free < 0:
        yield _too_small(case, case.subnet, within, need)
    elif need.total > TIGHT * (need.total + free):
        yield _tight(case, case.subnet, within, free)


def _of_node(holding: Holding) -> str:
    return f"{holding.name} ({subnets.address_text(holding.subnet.first)})"


def _gateway_counts(case: Case, within: Subnet | None) -> bool:
    try:
        return within is None or within.has(subnets.parse_address(case.after.gateway))
    except subnets.NotAnAddressError:
        return True


def _inside(wanted: Subnet, pool: Subnet) -> Finding:
    return on_field(
        level=Level.NOTICE,
        code="subnet-in-pool",
        field="subnet",
        message=f"{wanted} lies inside Swarm's default address pool {pool}. Swarm skips it once it is allocated.",
        remedy="Create no overlay without a subnet while the job runs: it could be given these addresses.",
    )


def _covers(wanted: Subnet, pool: Subnet) -> Finding:
    return on_field(
        level=Level.WARNING,
        code="subnet-covers-pool",
        field="subnet",
        message=f"{wanted} takes all of Swarm's default address pool {pool}.",
        remedy="Choose a smaller subnet: otherwise every new overlay needs a subnet typed by hand.",
    )


def _too_small(case: Case, wanted: Subnet, within: Subnet | None, need: Need) -> Finding:
    block, field = (within, "ip_range") if within else (wanted, "subnet")
    prefix = roomy_prefix(case)
    message = f"{block} has room for {subnets.usable(wanted, within)} addresses; {need.total} are needed: {need}."
    return on_field(
        level=Level.BLOCKER,
        code="room-too-small",
        field=field,
        message=message,
        remedy="Leave the range empty, or choose a larger one." if within else f"Choose a /{prefix} or larger.",
        suggestion="" if within else next_free_text(case, prefix, wanted.first),
    )


def _tight(case: Case, wanted: Subnet, within: Subnet | None, free: int) -> Finding:
    prefix = min(roomy_prefix(case), wanted.prefix_length)
    return on_field(
        level=Level.WARNING,
        code="room-tight",
        field="ip_range" if within else "subnet",
        message=f"{within or wanted} has room for {free} more containers or nodes then.",
        remedy="Choose a larger range." if within else f"Choose a /{prefix} to leave room to grow.",
        suggestion="" if within else next_free_text(case, prefix, wanted.first),
    )
