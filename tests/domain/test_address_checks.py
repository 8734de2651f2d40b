"""Subnet, gateway, ip-range, overlap and room."""

from dataclasses import replace

import pytest

from overlayweb.domain import addresses, subnets
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.plans import Level
from overlayweb.domain.swarm import IpamConfig, Mode, Network, NodeView, Swarm
from tests.domain.builders import (
    NOW,
    make_bridge,
    make_ingress,
    make_network,
    make_node,
    make_service,
    make_swarm,
    make_swarm_task,
)
from tests.domain.findings import BLOCKER, NOTICE, WARNING, codes, find, only

UNSPECIFIED = subnets.address_text(0)


@pytest.mark.parametrize(
    ("subnet", "code", "suggestion"),
    [
        ("", "subnet-missing", "10.0.1.0/24"),
        ("fd00:1::/64", "subnet-ipv6", "10.0.1.0/24"),
        ("10.11.0.5/16", "subnet-host-bits", "10.11.0.0/16"),
        ("10.11.12.13", "subnet-no-prefix", "10.11.12.0/24"),
        ("10.11.0.0/40", "subnet-not-cidr", "10.0.1.0/24"),
        ("ten", "subnet-not-cidr", "10.0.1.0/24"),
        ("127.0.0.0/16", "subnet-special", "10.0.1.0/24"),
        ("224.0.0.0/16", "subnet-special", "10.0.1.0/24"),
        ("169.254.8.0/24", "subnet-special", "10.0.1.0/24"),
        ("10.11.0.0/31", "subnet-too-small", "10.0.1.0/24"),
        ("10.11.0.9/32", "subnet-too-small", "10.0.1.0/24"),
        ("12.0.0.0/7", "subnet-too-large", "10.0.1.0/24"),
        ("64.0.0.0/3", "subnet-too-large", "10.0.1.0/24"),
    ],
)
def test_subnets_that_cannot_be(subnet: str, code: str, suggestion: str) -> None:
    findings = find(subnet=subnet)
    finding = only(findings, code)
    assert (finding.level, finding.about, finding.subject) == (BLOCKER, "field", "subnet")
    assert finding.suggestion == suggestion
    assert codes(findings) == {code}
    assert codes(find(subnet=suggestion)) == set()


def test_ipv6_is_refused_with_the_reason() -> None:
    assert "IPv4 only" in only(find(subnet="fd00:1::/64"), "subnet-ipv6").message


@pytest.mark.parametrize(
    ("subnet", "level"),
    [("12.0.0.0/7", BLOCKER), ("12.0.0.0/8", WARNING), ("10.12.0.0/15", WARNING), ("10.12.0.0/16", None)],
)
def test_a_subnet_that_takes_in_half_the_space_is_refused_and_a_large_one_is_warned_of(
    subnet: str, level: Level | None
) -> None:
    found = [finding for finding in find(subnet=subnet) if finding.code == "subnet-too-large"]
    assert [finding.level for finding in found] == [level][: level is not None]
    assert all("/16 at most" in finding.remedy and "collides" in finding.message for finding in found)


def test_public_addresses_are_a_warning() -> None:
    finding = only(find(subnet="8.8.8.0/24"), "subnet-public")
    assert (finding.level, finding.suggestion) == (WARNING, "10.0.1.0/24")


@pytest.mark.parametrize(
    ("gateway", "code"),
    [
        ("10.12.0.1", "gateway-outside"),
        ("10.11.0.0", "gateway-not-usable"),
        ("10.11.255.255", "gateway-not-usable"),
        ("10.11.0", "gateway-invalid"),
        ("10.11.0.1/16", "gateway-invalid"),
        ("fd00::1", "gateway-invalid"),
    ],
)
def test_gateways_that_cannot_be(gateway: str, code: str) -> None:
    finding = only(find(gateway=gateway), code)
    assert (finding.level, finding.subject, finding.suggestion) == (BLOCKER, "gateway", "10.11.0.1")


def test_a_wrong_gateway_is_said_beside_a_wrong_subnet() -> None:
    assert codes(find(subnet="ten", gateway="eleven")) == {"subnet-not-cidr", "gateway-invalid"}
    findings = find(subnet="10.11.0.1/16", gateway="192.168.9.9")
    assert codes(findings) == {"subnet-host-bits", "gateway-outside"}
    outside = only(findings, "gateway-outside")
    assert (outside.message, outside.suggestion) == ("192.168.9.9 is outside the subnet 10.11.0.0/16.", "10.11.0.1")
    assert codes(find(subnet="10.11.0.1/16", gateway="10.11.0.9")) == {"subnet-host-bits"}


@pytest.mark.parametrize(
    ("ip_range", "code", "suggestion"),
    [
        ("10.12.0.0/24", "ip-range-outside", ""),
        ("10.0.0.0/8", "ip-range-outside", ""),
        ("10.11.4.1/24", "ip-range-host-bits", "10.11.4.0/24"),
        ("fd00::/64", "ip-range-ipv6", ""),
        ("part", "ip-range-not-cidr", ""),
    ],
)
def test_ip_ranges_that_cannot_be(ip_range: str, code: str, suggestion: str) -> None:
    findings = find(ip_range=ip_range)
    finding = only(findings, code)
    assert (finding.level, finding.subject, finding.suggestion) == (BLOCKER, "ip_range", suggestion)
    assert codes(findings) == {code}


def test_a_wrong_ip_range_is_said_beside_a_wrong_subnet() -> None:
    findings = find(subnet="10.11.0.1/16", ip_range="10.12.0.0/24")
    assert codes(findings) == {"subnet-host-bits", "ip-range-outside"}
    assert only(findings, "ip-range-outside").message == "10.12.0.0/24 is not wholly inside the subnet 10.11.0.0/16."
    assert codes(find(subnet="10.11.0.1/16", ip_range="10.11.4.0/24")) == {"subnet-host-bits"}


def test_a_gateway_may_lie_outside_the_ip_range() -> None:
    assert codes(find(gateway="10.11.255.254", ip_range="10.11.4.0/24")) == set()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (make_network("payments", "10.11.7.0/24"), "overlaps overlay payments (10.11.7.0/24)"),
        (make_network("large", "10.8.0.0/13"), "overlaps overlay large (10.8.0.0/13)"),
        (make_bridge("builds", "10.11.200.0/24"), "overlaps the manager's local network builds (10.11.200.0/24)"),
    ],
)
def test_true_overlap_with_networks(other: Network, words: str) -> None:
    finding = only(find(make_swarm(networks=[other])), "subnet-overlap")
    assert (finding.level, finding.subject) == (BLOCKER, "subnet")
    assert words in finding.message


def test_local_networks_of_nodes_that_were_asked_count_too() -> None:
    """What each node has alike is the manager's too, and named once."""
    alike = make_bridge("docker_gwbridge", "10.11.0.0/18")
    views = tuple(
        NodeView(node_id=f"id-{name}", hostname=name, observed_at=NOW, local_networks=(alike, *more))
        for name, more in (("node1", ()), ("node2", (make_bridge("builds", "10.11.200.0/24"),)), ("node3", ()))
    )
    findings = find(replace(make_swarm(networks=[alike]), node_views=views, manager_id="id-node1"))
    assert [row.message for row in findings if row.code == "subnet-overlap"] == [
        "10.11.0.0/16 overlaps the manager's local network docker_gwbridge (10.11.0.0/18).",
        "10.11.0.0/16 overlaps node2's local network builds (10.11.200.0/24).",
    ]


def test_one_that_overlaps_and_is_too_small_is_not_answered_with_another_too_small_one() -> None:
    findings = find(make_swarm(networks=[make_network("payments", "10.11.0.0/24")]), subnet="10.11.0.0/31")
    assert only(findings, "subnet-overlap").remedy == "Next free /24: 10.11.1.0/24."


def test_every_subnet_of_a_network_counts() -> None:
    two = make_network("two", ipam=(IpamConfig(subnet="10.90.0.0/24"), IpamConfig(subnet="10.11.9.0/24")))
    assert "two (10.11.9.0/24)" in only(find(make_swarm(networks=[two])), "subnet-overlap").message


def test_neighbours_do_not_overlap() -> None:
    beside = [make_network("below", "10.10.0.0/16"), make_network("above", "10.12.0.0/16")]
    assert codes(find(make_swarm(networks=beside))) == set()


def test_the_ingress_that_is_replaced_makes_room() -> None:
    assert codes(find(subnet="10.0.0.0/16")) == set()


def test_node_addresses() -> None:
    finding = only(find(make_swarm(nodes=[make_node("node7", address="10.11.3.4")])), "subnet-overlap")
    assert finding.level is BLOCKER
    assert "overlaps the address of node node7 (10.11.3.4)" in finding.message


def test_many_node_addresses_are_one_overlap() -> None:
    nodes = [make_node(f"node{i}", address=f"10.11.3.{i}") for i in range(1, 8)]
    assert only(find(make_swarm(nodes=nodes)), "subnet-overlap").message == (
        "10.11.0.0/16 overlaps the addresses of 7 nodes: node1 (10.11.3.1), node2 (10.11.3.2), node3 (10.11.3.3), "
        "node4 (10.11.3.4), node5 (10.11.3.5) and 2 more."
    )


@pytest.mark.parametrize("address", [UNSPECIFIED, "fd00::7", ""])
def test_nodes_that_show_no_ipv4_address_hold_nothing(address: str) -> None:
    assert "subnet-overlap" not in codes(find(make_swarm(nodes=[make_node("node7", address=address)])))


def test_reserved_ranges() -> None:
    reserved = (
        ReservedRange(name="office", cidr="10.11.0.0/20", reason="VPN"),
        ReservedRange(name="vpc", cidr="10.9.0.0/16"),
    )
    finding = only(find(reserved=reserved), "subnet-overlap")
    assert finding.level is BLOCKER
    assert "overlaps reserved range office (10.11.0.0/20, VPN)" in finding.message


def test_all_overlaps_at_once_with_the_next_free_subnet_of_the_size() -> None:
    networks = [make_network("a", "10.11.0.0/24"), make_network("b", "10.11.1.0/24"), make_network("c", "10.12.0.0/16")]
    found = [f for f in find(make_swarm(networks=networks)) if f.code == "subnet-overlap"]
    assert [f.message.split()[3] for f in found] == ["a", "b"]
    assert {f.suggestion for f in found} == {"10.13.0.0/16"}
    assert {f.remedy for f in found} == {"Next free /16: 10.13.0.0/16."}


def test_a_suggestion_is_not_the_old_ingress() -> None:
    swarm = make_swarm(ingress=make_ingress("10.11.1.0/24"), networks=[make_network("a", "10.11.0.0/24")])
    assert only(find(swarm, subnet="10.11.0.0/24"), "subnet-overlap").suggestion == "10.11.2.0/24"


def test_no_suggestion_when_nothing_of_the_size_is_free() -> None:
    finding = only(
        find(make_swarm(networks=[make_network("a", "10.11.0.0/24")]), subnet="10.0.0.0/8"), "subnet-overlap"
    )
    assert (finding.suggestion, finding.remedy) == ("", "No private /8 is free.")


def test_hundreds_of_overlaps_are_counted() -> None:
    networks = [make_network(f"n{i}", f"10.11.{i}.0/24") for i in range(100)]
    messages = [f.message for f in find(make_swarm(networks=networks)) if f.code == "subnet-overlap"]
    assert len(messages) == 21
    assert messages[-1] == "10.11.0.0/16 overlaps 80 more."


def test_inside_the_default_pool_is_a_notice() -> None:
    assert only(find(), "subnet-in-pool").level is NOTICE
    assert not [f for f in find(subnet="172.30.0.0/16") if f.code == "subnet-in-pool"]


def test_covering_a_default_pool_is_a_warning() -> None:
    swarm = make_swarm(default_addr_pools=("10.11.8.0/21", "192.168.0.0/20"))
    assert only(find(swarm), "subnet-covers-pool").level is WARNING


def _publishing(replicas: int, order: str = "stop-first") -> Swarm:
    return make_swarm(services=[make_service(replicas=replicas, update_config={"Order": order})])


def test_room_counts_gateway_nodes_vips_and_tasks() -> None:
    finding = only(find(_publishing(10), subnet="10.11.0.0/28"), "room-too-small")
    assert (finding.level, finding.subject) == (BLOCKER, "subnet")
    assert "room for 14 addresses; 15 are needed" in finding.message
    assert "1 for the gateway, 3 for nodes, 1 for services, 10 for containers" in finding.message
    assert codes(find(_publishing(10), subnet=finding.suggestion)) == set()
    assert "room-too-small" not in codes(find(_publishing(9), subnet="10.11.0.0/28"))


def test_start_first_takes_two_addresses_for_each_task() -> None:
    assert "room-too-small" not in codes(find(_publishing(4, "start-first"), subnet="10.11.0.0/28"))
    assert "room-too-small" in codes(find(_publishing(5, "start-first"), subnet="10.11.0.0/28"))


def test_a_global_service_takes_an_address_on_each_node() -> None:
    nodes = [make_node(f"node{n}") for n in range(1, 8)]
    swarm = make_swarm(services=[make_service(mode=Mode.GLOBAL)], nodes=nodes)
    assert "room-too-small" in codes(find(swarm, subnet="10.11.0.0/28"))
    assert "room-too-small" not in codes(find(make_swarm(services=swarm.services), subnet="10.11.0.0/28"))


def test_unpublished_services_take_no_room() -> None:
    swarm = make_swarm(services=[make_service(replicas=100, published=())])
    assert codes(find(swarm, subnet="10.11.0.0/28")) == set()


def test_an_ip_range_limits_the_room_and_a_gateway_outside_takes_none_of_it() -> None:
    swarm = make_swarm(services=[make_service(replicas=12)])
    outside = find(swarm, ip_range="10.11.4.0/28", gateway="10.11.0.1")
    assert "room-too-small" not in codes(outside)
    finding = only(find(swarm, ip_range="10.11.4.0/28", gateway="10.11.4.1"), "room-too-small")
    assert (finding.subject, finding.suggestion) == ("ip_range", "")
    assert finding.message.startswith("10.11.4.0/28 has room for 16 addresses; 17 are needed")


def test_little_room_left_is_a_warning_that_counts() -> None:
    swarm = make_swarm(services=[make_service(replicas=8)])
    finding = only(find(swarm, subnet="10.11.0.0/28"), "room-tight")
    assert (finding.level, finding.subject, finding.suggestion) == (WARNING, "subnet", "10.11.0.0/24")
    assert "room for 1 more" in finding.message
    assert "room-tight" not in codes(find(make_swarm(services=[make_service(replicas=6)]), subnet="10.11.0.0/28"))


def test_a_slash_30_is_judged_like_any_other() -> None:
    one = make_swarm(nodes=1, services=[])
    assert codes(find(one, subnet="10.11.0.0/30")) == {"room-tight"}
    assert codes(find(one, subnet="10.11.0.0/30", gateway="10.11.0.3")) == {"room-tight", "gateway-not-usable"}
    assert codes(find(make_swarm(nodes=2, services=[]), subnet="10.11.0.0/30")) == {"room-too-small"}


def test_network_and_broadcast_address_are_told_apart() -> None:
    said = [only(find(gateway=text), "gateway-not-usable").message for text in ("10.11.0.0", "10.11.255.255")]
    assert [("network" in text, "broadcast" in text) for text in said] == [(True, False), (False, True)]


def test_twenty_overlaps_are_all_named() -> None:
    networks = [make_network(f"n{i}", f"10.11.{i}.0/24") for i in range(20)]
    messages = [f.message for f in find(make_swarm(networks=networks)) if f.code == "subnet-overlap"]
    assert len(messages) == 20
    assert "n19" in messages[-1]


def test_a_global_service_without_tasks_is_wanted_on_every_ready_and_active_node() -> None:
    nodes = [make_node("node1"), make_node("node2", availability="drain"), make_node("node3", state="down")]
    service = make_service(mode=Mode.GLOBAL)
    waiting = make_swarm_task(service, 1, node_id="", state="pending")
    swarm = make_swarm(nodes=nodes, services=[service], swarm_tasks=[waiting])
    assert addresses.wanted_swarm_tasks(swarm=swarm, service=service) == 1
