"""Subnets as whole numbers say the same as the standard library's ``ipaddress``, address by address."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlayweb.domain import subnets
from overlayweb.domain.subnets import NotAnAddressError, NotASubnetError, Subnet
from tests.domain.examples import EXAMPLES

SMALL_SPACE = subnets.parse("10.0.0.0/24")


def _theirs(subnet: Subnet) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(str(subnet))


def _inside(pool: Subnet, lengths: st.SearchStrategy[int]) -> st.SearchStrategy[Subnet]:
    address = st.integers(pool.first, pool.last)
    return st.builds(lambda a, n: subnets.enclosing(address=a, prefix_length=n), address, lengths)


small = _inside(SMALL_SPACE, st.integers(24, 32))
anywhere = _inside(Subnet(0, 0), st.integers(0, 32))


@given(subnet=anywhere)
@settings(max_examples=EXAMPLES)
def test_reads_what_it_writes(subnet: Subnet) -> None:
    assert subnets.parse(str(subnet)) == subnet
    assert (subnet.size, subnet.first, subnet.last) == (
        _theirs(subnet).num_addresses,
        int(_theirs(subnet).network_address),
        int(_theirs(subnet).broadcast_address),
    )


@given(a=small, b=small)
@settings(max_examples=EXAMPLES)
def test_overlap_and_cover_are_true_for_shared_addresses(a: Subnet, b: Subnet) -> None:
    ours, others = set(_theirs(a)), set(_theirs(b))
    assert subnets.overlaps(a, b) == bool(ours & others)
    assert a.covers(b) == (others <= ours)


@given(prefix_length=st.integers(24, 32), taken=st.lists(small, max_size=12), start=st.none() | st.integers(0, 255))
@settings(max_examples=EXAMPLES)
def test_next_free_is_the_first_that_brute_force_finds(
    prefix_length: int, taken: list[Subnet], start: int | None
) -> None:
    free = [
        candidate
        for candidate in _theirs(SMALL_SPACE).subnets(new_prefix=prefix_length)
        if not any(candidate.overlaps(_theirs(block)) for block in taken)
    ]
    begin = SMALL_SPACE.first + (start or 0)
    expected = next((n for n in free if int(n.network_address) >= begin), free[0] if free else None)
    found = subnets.next_free(
        prefix_length=prefix_length,
        taken=taken,
        pools=[SMALL_SPACE],
        start=None if start is None else begin,
    )
    assert (None if found is None else str(found)) == (None if expected is None else str(expected))


def test_next_free_goes_on_in_the_next_pool() -> None:
    full, empty = subnets.parse("10.0.0.0/24"), subnets.parse("10.7.0.0/16")
    found = subnets.next_free(prefix_length=24, taken=[full], pools=[full, empty])
    assert str(found) == "10.7.0.0/24"


@given(text=st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}", fullmatch=True))
@settings(max_examples=EXAMPLES)
def test_addresses_are_those_of_the_standard_library(text: str) -> None:
    try:
        expected = int(ipaddress.IPv4Address(text))
    except ValueError:
        with pytest.raises(NotAnAddressError):
            subnets.parse_address(text)
    else:
        assert subnets.parse_address(text) == expected
        assert subnets.address_text(expected) == text


@pytest.mark.parametrize(
    ("text", "code", "suggestion"),
    [
        ("fd00::/64", "ipv6", ""),
        ("10.0.0.1/24", "host-bits", "10.0.0.0/24"),
        ("10.0.0.77", "no-prefix", "10.0.0.0/24"),
        ("10.0.0.0/33", "not-cidr", ""),
        ("10.0.0.0/024", "not-cidr", ""),
        ("10.0.256.0/24", "not-cidr", ""),
        ("010.0.0.0/24", "not-cidr", ""),
        ("ten", "not-cidr", ""),
        ("", "not-cidr", ""),
    ],
)
def test_says_why_a_text_is_no_subnet(text: str, code: str, suggestion: str) -> None:
    with pytest.raises(NotASubnetError) as caught:
        subnets.parse(text)
    assert (caught.value.code, caught.value.suggestion) == (code, suggestion)


@given(subnet=small)
@settings(max_examples=EXAMPLES)
def test_usable_addresses_are_the_hosts(subnet: Subnet) -> None:
    first, last = int(_theirs(subnet).network_address), int(_theirs(subnet).broadcast_address)
    hosts = [address for address in map(int, _theirs(subnet)) if address not in (first, last)]
    assert subnets.usable(subnet) == len(hosts)
    assert subnets.first_usable(subnet) == (hosts[0] if hosts else None)


@given(subnet=small, data=st.data())
@settings(max_examples=EXAMPLES)
def test_a_range_inside_loses_only_the_ends_of_the_whole_subnet(subnet: Subnet, data: st.DataObject) -> None:
    within = data.draw(_inside(subnet, st.integers(subnet.prefix_length, 32)))
    ends = {_theirs(subnet).network_address, _theirs(subnet).broadcast_address}
    assert subnets.usable(subnet, within) == len(set(_theirs(within)) - ends)


@given(subnet=_inside(Subnet(0, 0), st.integers(12, 32)))
@settings(max_examples=EXAMPLES)
def test_public_is_what_is_neither_private_nor_special(subnet: Subnet) -> None:
    theirs = _theirs(subnet)
    special = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "0.0.0.0/8", "127.0.0.0/8")
    blocks = [ipaddress.IPv4Network(text) for text in (*special, "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")]
    assert subnets.is_public(subnet) == (not any(theirs.subnet_of(block) for block in blocks))
