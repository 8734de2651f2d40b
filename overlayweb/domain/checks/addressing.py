"""Checks of the subnet, the gateway and the ip-range, each on its own."""

from collections.abc import Iterator

from overlayweb.domain import subnets
from overlayweb.domain.addresses import ingress_need
from overlayweb.domain.checks.case import Case, on_field
from overlayweb.domain.ingress_settings import default_gateway
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.subnets import Subnet

USUAL_PREFIX = 24

SHORTEST_PREFIX = 8
"""A shorter prefix takes in more than any private block has."""

LARGEST_SENSIBLE_PREFIX = 16
"""A /16 has 65,534 addresses for nodes, services and containers, more than any Swarm uses on one overlay."""

IPV6_REASON = (
    "Overlay networks of Swarm carry IPv4 only: the engine takes an IPv6 subnet without an error and drops it."
)

AUXILIARY_REASON = (
    "Overlays hold no auxiliary addresses back: Swarm takes them without an error and gives the addresses out. "
    "Choose an IP range that leaves them out."
)


def subnet(case: Case) -> Iterator[Finding]:
    """Whether the text is an IPv4 subnet that containers can use."""
    if not case.after.subnet:
        yield _subnet_blocker("subnet-missing", "The ingress needs a subnet.", "Type one.", _free_text(case))
    elif case.subnet is None:
        yield _unreadable("subnet", case.after.subnet, _free_text(case))
    else:
        yield from _unusable(case, case.subnet)


def gateway(case: Case) -> Iterator[Finding]:
    """Whether the gateway is an address of the subnet that a container side can have.

    A subnet with host bits is judged as the network it lies in, so that both mistakes are said at once.
    """
    text, subnet = case.after.gateway, subnets.parse_or_none(case.after.subnet)
    if not text or (subnet and subnet.prefix_length > subnets.LONGEST_USABLE_PREFIX):
        return
    try:
        address = subnets.parse_address(text)
    except subnets.NotAnAddressError:
        reason = IPV6_REASON if ":" in text else f"{text} is not an IPv4 address."
        yield _gateway_blocker(case, "gateway-invalid", reason)
        return
    if subnet is None:
        return
    if not subnet.has(address):
        yield _gateway_blocker(case, "gateway-outside", f"{text} is outside the subnet {subnet}.")
    elif subnets.is_network_or_broadcast(subnet, address):
        which = "network" if address == subnet.first else "broadcast"
        yield _gateway_blocker(case, "gateway-not-usable", f"{text} is the {which} address of {subnet}.")


def ip_range(case: Case) -> Iterator[Finding]:
    """Whether the ip-range is a subnet inside the subnet, judged as by :func:`gateway`, which may lie outside of it."""
    if not case.after.ip_range:
        return
    subnet = subnets.parse_or_none(case.after.subnet)
    if case.ip_range is None:
        yield _unreadable("ip_range", case.after.ip_range, "")
    elif subnet and not subnet.covers(case.ip_range):
        yield on_field(
            level=Level.BLOCKER,
            code="ip-range-outside",
            field="ip_range",
            message=f"{case.ip_range} is not wholly inside the subnet {subnet}.",
            remedy="Choose a part of the subnet, or leave the range empty to use all of it.",
        )


def next_free_text(case: Case, prefix_length: int, start: int | None) -> str:
    """The next free private subnet of that size as text, or "" when there is none."""
    pools = subnets.PRIVATE_BLOCKS
    found = subnets.next_free(prefix_length=prefix_length, taken=case.avoided, pools=pools, start=start)
    return str(found) if found else ""


def roomy_prefix(case: Case) -> int:
    """The longest prefix, /24 at most, in which everything of today takes no more than half of the addresses."""
    need = ingress_need(swarm=case.swarm, services=case.services).total
    return min(USUAL_PREFIX, subnets.ADDRESS_BITS - (2 * need + 1).bit_length())


def _free_text(case: Case) -> str:
    return next_free_text(case, roomy_prefix(case), None)


def _unusable(case: Case, wanted: Subnet) -> Iterator[Finding]:
    kind = next((what for block, what in subnets.UNUSABLE_BLOCKS if subnets.overlaps(block, wanted)), "")
    if kind:
        message = f"{wanted} holds {kind} addresses, which no node routes to a container."
        yield _subnet_blocker("subnet-special", message, "Choose a private subnet.", _free_text(case))
    elif wanted.prefix_length < SHORTEST_PREFIX:
        yield _too_large(case, wanted, Level.BLOCKER)
    elif wanted.prefix_length > subnets.LONGEST_USABLE_PREFIX:
        message = f"A /{wanted.prefix_length} has no address for containers. Swarm takes it and never allocates it."
        yield _subnet_blocker("subnet-too-small", message, "Choose a larger subnet.", _free_text(case))
    else:
        yield from _unwise(case, wanted)


def _unwise(case: Case, wanted: Subnet) -> Iterator[Finding]:
    if wanted.prefix_length < LARGEST_SENSIBLE_PREFIX:
        yield _too_large(case, wanted, Level.WARNING)
    if subnets.is_public(wanted):
        yield on_field(
            level=Level.WARNING,
            code="subnet-public",
            field="subnet",
            message=f"{wanted} holds public addresses. Containers no longer reach the hosts on the Internet there.",
            remedy="Choose a private subnet, unless these addresses are yours.",
            suggestion=_free_text(case),
        )


def _too_large(case: Case, wanted: Subnet, level: Level) -> Finding:
    return on_field(
        level=level,
        code="subnet-too-large",
        field="subnet",
        message=f"{wanted} takes {wanted.size:,} addresses. The larger the block, the more networks and hosts it "
        "collides with, now or later; Docker takes any size without a word.",
        remedy=f"Choose a /{LARGEST_SENSIBLE_PREFIX} at most: it holds 65,000 containers.",
        suggestion=_free_text(case),
    )


def _unreadable(field: str, text: str, fallback: str) -> Finding:
    try:
        subnets.parse(text)
    except subnets.NotASubnetError as error:
        return _unreadable_because(field, error, fallback)
    raise AssertionError(f"{text} is a subnet")


def _unreadable_because(field: str, error: subnets.NotASubnetError, fallback: str) -> Finding:
    prefix = "ip-range" if field == "ip_range" else field
    remedies = {
        "ipv6": "Choose an IPv4 subnet.",
        "host-bits": f"Use {error.suggestion}, the network it lies in.",
        "no-prefix": "Add the prefix length, such as /24.",
        "not-cidr": "Write it as address and prefix length, such as 10.11.0.0/16.",
    }
    return on_field(
        level=Level.BLOCKER,
        code=f"{prefix}-{error.code}",
        field=field,
        message=IPV6_REASON if error.code == "ipv6" else f"{error}.",
        remedy=remedies[error.code],
        suggestion=error.suggestion or fallback,
    )


def _subnet_blocker(code: str, message: str, remedy: str, suggestion: str) -> Finding:
    return on_field(
        level=Level.BLOCKER, code=code, field="subnet", message=message, remedy=remedy, suggestion=suggestion
    )


def _gateway_blocker(case: Case, code: str, message: str) -> Finding:
    subnet = subnets.parse_or_none(case.after.subnet)
    first = default_gateway(str(subnet)) if subnet else ""
    return on_field(
        level=Level.BLOCKER,
        code=code,
        field="gateway",
        message=message,
        remedy=f"Use {first}, or leave it empty for the same." if first else "Leave it empty.",
        suggestion=first,
    )
