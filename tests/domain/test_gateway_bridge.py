"""docker_gwbridge: its settings are held against the address space, and the checklist is whole."""

import ipaddress
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlayweb.domain import gateway_bridge, subnets
from overlayweb.domain.addresses import Holding
from overlayweb.domain.gateway_bridge import BridgeRequest
from overlayweb.domain.plans import Level
from tests.domain.builders import make_node, make_swarm

BLOCKS = st.builds(
    lambda first, length: ipaddress.ip_network((0xAC100000 + first, length), strict=False),
    st.integers(0, 2**12 - 1),
    st.integers(20, 32),
)


def held(*blocks: object) -> tuple[Holding, ...]:
    found = (subnets.parse(str(block)) for block in blocks)
    return tuple(Holding(kind="reserved", id=str(row), name=str(row), subnet=row) for row in found)


def codes(request: BridgeRequest, *blocks: object) -> set[str]:
    return {row.code for row in gateway_bridge.check(request, held=held(*blocks)) if row.level is Level.BLOCKER}


@given(BLOCKS, st.lists(BLOCKS, max_size=4), st.integers(0, 2**12 - 1))
def test_settings_are_judged_as_ipaddress_does(
    wanted: ipaddress.IPv4Network, taken: list[ipaddress.IPv4Network], offset: int
) -> None:
    gateway = ipaddress.ip_address(0xAC100000 + offset)
    found = codes(BridgeRequest(subnet=str(wanted), gateway=str(gateway)), *taken)
    assert ("subnet-overlap" in found) == any(wanted.overlaps(block) for block in taken)
    assert ("subnet-too-small" in found) == (wanted.prefixlen > 30)
    assert ("gateway-outside" in found) == (gateway not in wanted)
    edge = gateway in (wanted.network_address, wanted.broadcast_address)
    assert ("gateway-not-usable" in found) == edge


@given(BLOCKS, st.lists(BLOCKS, min_size=1, max_size=4))
def test_what_is_suggested_is_free(wanted: ipaddress.IPv4Network, taken: list[ipaddress.IPv4Network]) -> None:
    for row in gateway_bridge.check(BridgeRequest(subnet=str(wanted)), held=held(*taken)):
        if row.code == "subnet-overlap":
            free = ipaddress.ip_network(row.suggestion)
            assert not any(free.overlaps(block) for block in taken)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (BridgeRequest(subnet=""), "subnet-not-cidr"),
        (BridgeRequest(subnet="172.30.0.1/20"), "subnet-host-bits"),
        (BridgeRequest(subnet="fd00::/64"), "subnet-ipv6"),
        (BridgeRequest(subnet="127.0.0.0/8"), "subnet-special"),
        (BridgeRequest(subnet="172.30.0.0/20", mtu=20), "mtu-bounds"),
        (BridgeRequest(subnet="172.30.0.0/20", gateway="here"), "gateway-invalid"),
    ],
)
def test_what_docker_takes_and_fails_on_is_refused(request_: BridgeRequest, code: str) -> None:
    assert codes(request_) == {code}


def test_the_command_has_what_was_chosen() -> None:
    request = BridgeRequest(subnet="172.30.0.0/20", gateway="172.30.0.9", mtu=1400, masquerade=False)
    words = shlex.split(gateway_bridge.create_command(request))
    assert words[:7] == ["docker", "network", "create", "--subnet", "172.30.0.0/20", "--gateway", "172.30.0.9"]
    assert words[-1] == "docker_gwbridge"
    assert {word for word in words if "=" in word} == {
        "com.docker.network.bridge.name=docker_gwbridge",
        "com.docker.network.bridge.enable_icc=false",
        "com.docker.network.bridge.enable_ip_masquerade=false",
        "com.docker.network.driver.mtu=1400",
    }


def test_a_manager_is_demoted_first_and_promoted_last() -> None:
    nodes = [make_node("node1"), make_node("node2", role="manager"), make_node("node3", role="manager")]
    swarm = make_swarm(nodes=nodes)
    items = gateway_bridge.checklist(BridgeRequest(subnet="172.30.0.0/20"), node=nodes[0], swarm=swarm)
    assert items[0].commands[-1] == "docker node demote id-node1"
    assert items[0].where != "node1"
    assert next(item.commands for item in items if item.title == "Take it back")[-1] == "docker node promote NEW"
    (warned,) = gateway_bridge.check_node(nodes[0], swarm=swarm)
    assert warned.level is Level.WARNING
