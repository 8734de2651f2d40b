"""How a Swarm is made and joined: what is refused, held against `ipaddress`, and the commands as a shell reads them."""

import ipaddress
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlayweb.domain import membership, subnets
from overlayweb.domain.addresses import Holding
from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.domain.plans import Level

SMALL = st.builds(
    lambda first, length: ipaddress.ip_network((0x0A000000 + first, length), strict=False),
    st.integers(0, 2**12 - 1),
    st.integers(20, 30),
)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def held(*blocks: str) -> tuple[Holding, ...]:
    return tuple(
        Holding(kind="reserved", id=text, name=text, subnet=found)
        for text in blocks
        if (found := subnets.parse_or_none(text))
    )


def codes(request: InitRequest, *blocks: str, level: Level | None = None) -> set[str]:
    found = membership.check_init(request, held=held(*blocks))
    return {row.code for row in found if level in (None, row.level)}


@given(st.lists(SMALL, min_size=1, max_size=4), st.lists(SMALL, max_size=3), st.integers(20, 29))
def test_pools_are_judged_as_ipaddress_does(
    pools: list[ipaddress.IPv4Network], taken: list[ipaddress.IPv4Network], size: int
) -> None:
    request = InitRequest(pools=tuple(map(str, pools)), size=size)
    found = codes(request, *map(str, taken), level=Level.BLOCKER)
    among = any(a.overlaps(b) for i, a in enumerate(pools) for b in pools[:i])
    assert ("pools-pools-overlap" in found) == among
    assert ("pools-overlap" in found) == any(a.overlaps(b) for a in pools for b in taken)
    assert ("pools-too-small" in found) == any(pool.prefixlen > size for pool in pools)


@given(SMALL, st.lists(SMALL, min_size=1, max_size=4))
def test_what_is_suggested_is_free(pool: ipaddress.IPv4Network, taken: list[ipaddress.IPv4Network]) -> None:
    found = membership.check_init(InitRequest(pools=(str(pool),)), held=held(*map(str, taken)))
    for suggestion in (row.suggestion for row in found if row.code == "pools-overlap"):
        free = ipaddress.ip_network(suggestion)
        assert free.prefixlen == pool.prefixlen
        assert not any(free.overlaps(block) for block in taken)


@given(SMALL, st.integers(20, 29))
def test_networks_are_counted_as_ipaddress_cuts_them(pool: ipaddress.IPv4Network, size: int) -> None:
    expected = len(list(pool.subnets(new_prefix=size))) if pool.prefixlen <= size else 0
    assert membership.networks_in([str(pool)], size) == expected


@given(TEXTS, TEXTS, TEXTS)
def test_a_command_is_one_line_of_words_whatever_is_typed(advertise: str, data_path: str, pool: str) -> None:
    request = InitRequest(advertise=advertise, data_path=data_path, pools=(pool,) if pool else ())
    words = shlex.split(membership.init_command(request))
    assert words[:3] == ["docker", "swarm", "init"]
    given_words = [word for word in (advertise, data_path, pool) if word]
    assert words[4::2] == given_words


@given(TEXTS)
def test_whatever_is_typed_is_judged_and_not_failed_on(text: str) -> None:
    membership.check_init(InitRequest(advertise=text, data_path=text, pools=(text,)), held=())
    membership.check_join(JoinRequest(role="worker", remote=text, advertise=text), managers=("10.0.0.1:2377",))


@pytest.mark.parametrize(
    "address", ["192.168.1.10", "192.168.1.10:2377", "eth0", "ens3:2377", "fd00::1", "[fd00::1]:1"]
)
def test_addresses_and_interfaces_are_taken(address: str) -> None:
    assert codes(InitRequest(advertise=address)) == set()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("0.0.0.0", "nowhere"),  # noqa: S104  # refused
        ("127.0.0.1", "special"),
        ("224.0.0.1", "special"),
        ("10.0.0.300", "address"),
        ("eth0; reboot", "address"),
        ("192.168.1.10:99999", "port"),
        ("192.168.1.10:", "port"),
    ],
)
def test_addresses_that_no_node_reaches_are_refused(address: str, code: str) -> None:
    assert codes(InitRequest(advertise=address), level=Level.BLOCKER) == {f"advertise-{code}"}


@pytest.mark.parametrize(("port", "refused"), [(1023, True), (1024, False), (49151, False), (49152, True), (0, True)])
def test_the_data_path_has_its_bounds(port: int, *, refused: bool) -> None:
    assert ("data-path-port-bounds" in codes(InitRequest(data_path_port=port))) == refused


@pytest.mark.parametrize(("size", "refused"), [(0, True), (29, False), (30, True)])
def test_networks_have_a_smallest_size(size: int, *, refused: bool) -> None:
    assert ("size-bounds" in codes(InitRequest(pools=("10.20.0.0/16",), size=size))) == refused


def test_a_size_without_a_pool_has_no_effect_and_is_refused() -> None:
    assert "size-no-pool" in codes(InitRequest(size=26))


def test_the_pool_that_docker_takes_by_itself_is_judged_too() -> None:
    (found,) = membership.check_init(InitRequest(), held=held("10.1.0.0/16"))
    assert (found.code, found.level, found.suggestion) == ("pools-default", Level.WARNING, "10.0.0.0/16")


def test_a_join_names_a_manager_that_is_known() -> None:
    request = JoinRequest(role="worker", remote="10.0.0.9:2377")
    (found,) = membership.check_join(request, managers=("10.0.0.1:2377",))
    assert (found.code, found.suggestion) == ("remote-stranger", "10.0.0.1:2377")
    known = JoinRequest(role="worker", remote="10.0.0.1", advertise="10.0.0.7")
    assert membership.check_join(known, managers=("10.0.0.1:2377",)) == ()
    assert membership.join_command(known, token="T") == (
        "docker swarm join --token T --advertise-addr 10.0.0.7 10.0.0.1"
    )
