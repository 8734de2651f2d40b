"""IPv4 subnets as whole numbers: read, judged, compared, and the next free one found.

An address is an ``int`` from 0 to 2**32 - 1; a :class:`Subnet` is its first address and its prefix length. Whole
numbers, so that thousands of subnets are compared within milliseconds.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

ADDRESS_BITS = 32
LONGEST_USABLE_PREFIX = 30
"""A /31 and a /32 have no address beside network and broadcast; Swarm takes them and never allocates them."""

_KNOWN_TEXTS = 65_536
"""Of so many texts it is remembered what they say: from one observation of a large cluster to the next few change."""

_OCTET_MAX = 255
_OCTET = r"(?:0|[1-9][0-9]{0,2})"
_ADDRESS = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_CIDR = re.compile(r"(?P<address>[^/]+)/(?P<length>0|[1-9][0-9]?)")


class NotAnAddressError(ValueError):
    """The text is not an IPv4 address: four numbers from 0 to 255, no leading zeros, joined by dots."""


class NotASubnetError(ValueError):
    """The text is not an IPv4 subnet. ``code`` says why: "ipv6", "no-prefix", "not-cidr", "host-bits".

    ``suggestion``: the subnet that was probably meant, or "".
    """

    def __init__(self, message: str, *, code: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True, order=True)
class Subnet:
    """An IPv4 subnet without host bits: ``first`` is the network address."""

    first: int
    prefix_length: int

    @property
    def size(self) -> int:
        """All its addresses, the network and the broadcast address included."""
        return 1 << (ADDRESS_BITS - self.prefix_length)

    @property
    def last(self) -> int:
        """The broadcast address."""
        return self.first + self.size - 1

    def has(self, address: int) -> bool:
        """Whether the address lies in it, network and broadcast address included."""
        return self.first <= address <= self.last

    def covers(self, other: "Subnet") -> bool:
        """Whether ``other`` lies wholly inside, or is the same."""
        return self.first <= other.first and other.last <= self.last

    def __str__(self) -> str:
        return f"{address_text(self.first)}/{self.prefix_length}"


PRIVATE_BLOCKS = (
    Subnet(10 << 24, 8),
    Subnet((172 << 24) + (16 << 16), 12),
    Subnet((192 << 24) + (168 << 16), 16),
)
"""RFC 1918."""

SHARED_BLOCK = Subnet((100 << 24) + (64 << 16), 10)
"""RFC 6598, carriers' shared space: not public either."""

UNUSABLE_BLOCKS = (
    (Subnet(0, 8), "“this network”"),
    (Subnet(127 << 24, 8), "loopback"),
    (Subnet((169 << 24) + (254 << 16), 16), "link-local"),
    (Subnet(224 << 24, 4), "multicast"),
    (Subnet(240 << 24, 4), "reserved by the IETF"),
)
"""Blocks whose addresses no kernel routes to a container, with what they are for (RFC 6890)."""


@lru_cache(maxsize=_KNOWN_TEXTS)
def parse_address(text: str) -> int:
    """The address as a whole number. Raises NotAnAddressError."""
    if not _ADDRESS.fullmatch(text):
        raise NotAnAddressError(f"{text} is not an IPv4 address")
    octets = [int(part) for part in text.split(".")]
    if max(octets) > _OCTET_MAX:
        raise NotAnAddressError(f"{text} is not an IPv4 address: a number is above 255")
    return (octets[0] << 24) + (octets[1] << 16) + (octets[2] << 8) + octets[3]


def address_text(address: int) -> str:
    """The address in dotted notation."""
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


@lru_cache(maxsize=_KNOWN_TEXTS)
def parse(text: str) -> Subnet:
    """The subnet that ``text`` (CIDR) names. Raises NotASubnetError, with a code and often a suggestion."""
    if ":" in text:
        raise NotASubnetError(f"{text} is IPv6", code="ipv6")
    match = _CIDR.fullmatch(text)
    if match is None:
        raise _without_prefix(text)
    try:
        address = parse_address(match["address"])
    except NotAnAddressError as error:
        raise NotASubnetError(str(error), code="not-cidr") from error
    length = int(match["length"])
    if length > ADDRESS_BITS:
        raise NotASubnetError(f"/{length} is longer than an IPv4 address", code="not-cidr")
    subnet = enclosing(address=address, prefix_length=length)
    if subnet.first != address:
        raise NotASubnetError(f"{text} has host bits set", code="host-bits", suggestion=str(subnet))
    return subnet


def parse_or_none(text: str) -> Subnet | None:
    """The subnet, or None for anything that is not an IPv4 subnet. Host bits are cut off."""
    try:
        return parse(text)
    except NotASubnetError as error:
        return parse(error.suggestion) if error.code == "host-bits" else None


def enclosing(*, address: int, prefix_length: int) -> Subnet:
    """The subnet of that prefix length in which the address lies."""
    host_bits = ADDRESS_BITS - prefix_length
    return Subnet(address >> host_bits << host_bits, prefix_length)


def overlaps(a: Subnet, b: Subnet) -> bool:
    """Whether at least one address is in both."""
    return a.first <= b.last and b.first <= a.last


def first_usable(subnet: Subnet) -> int | None:
    """The first address after the network address, or None for a /31 and a /32, which have none for hosts."""
    return subnet.first + 1 if subnet.prefix_length <= LONGEST_USABLE_PREFIX else None


def is_network_or_broadcast(subnet: Subnet, address: int) -> bool:
    """Whether it is one of the two addresses that no host may have."""
    return address in (subnet.first, subnet.last)


def usable(subnet: Subnet, within: Subnet | None = None) -> int:
    """How many addresses containers can have: all but network and broadcast, of ``within`` (an ip-range) if given.

    Source: moby's IPAM sets the first and the last bit of the whole pool; a range inside it loses no more.
    """
    block = within or subnet
    return block.size - len({subnet.first, subnet.last} & {block.first, block.last})


def is_public(subnet: Subnet) -> bool:
    """Whether some address of it may belong to somebody on the Internet."""
    known = (*PRIVATE_BLOCKS, SHARED_BLOCK, *(block for block, _ in UNUSABLE_BLOCKS))
    return not any(block.covers(subnet) for block in known)


def next_free(
    *, prefix_length: int, taken: Iterable[Subnet], pools: Sequence[Subnet], start: int | None = None
) -> Subnet | None:
    """The first subnet of that prefix length inside one of ``pools`` that overlaps nothing of ``taken``.

    With ``start`` (an address), the search begins there, in the pool it lies in, and starts over from the first
    pool when nothing free follows. None: there is none.
    """
    ordered = sorted(taken)
    if start is not None:
        for pool in pools:
            if pool.has(start) and (found := _first_gap(pool, prefix_length, ordered, start)):
                return found
    return next((gap for pool in pools if (gap := _first_gap(pool, prefix_length, ordered, pool.first))), None)


def _first_gap(pool: Subnet, prefix_length: int, ordered: Sequence[Subnet], start: int) -> Subnet | None:
    size = 1 << (ADDRESS_BITS - prefix_length)
    candidate = _aligned(max(pool.first, start), size)
    for block in ordered:
        if block.first > candidate + size - 1:
            break
        if block.last >= candidate:
            candidate = _aligned(block.last + 1, size)
    return Subnet(candidate, prefix_length) if candidate + size - 1 <= pool.last else None


def _aligned(address: int, size: int) -> int:
    return (address + size - 1) // size * size


def _without_prefix(text: str) -> NotASubnetError:
    try:
        address = parse_address(text)
    except NotAnAddressError:
        return NotASubnetError(f"{text} is not a subnet in CIDR notation", code="not-cidr")
    guess = enclosing(address=address, prefix_length=24)
    return NotASubnetError(f"{text} has no prefix length", code="no-prefix", suggestion=str(guess))
