"""Plans of an overlay that is made: what Swarm would take in silence is said first."""

from typing import Any

from overlayweb.domain import network_plans
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.network_plans import CreateRequest, DeleteRequest
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.swarm import IpamConfig, Swarm
from tests.domain.builders import make_attachment, make_network, make_node, make_service, make_swarm

OFFICE = ReservedRange(name="office", cidr="10.20.0.0/16", reason="VPN")


def found(swarm: Swarm, *reserved: ReservedRange, **settings: Any) -> dict[str, Finding]:
    request = CreateRequest(settings=NetworkSettings(name="lake", **settings))
    plan = network_plans.create(swarm=swarm, request=request, reserved=reserved)
    return {finding.code: finding for finding in plan.findings}


def test_without_a_subnet_whoever_else_has_addresses_in_the_default_pools_is_named() -> None:
    said = found(make_swarm(), OFFICE)["pool-shared"]
    assert (said.level, said.subject) == (Level.WARNING, "subnet")
    assert "its default pool 10.0.0.0/8 and does not look" in said.message
    assert said.message.endswith("who else is there: reserved range office (10.20.0.0/16, VPN).")
    elsewhere = make_swarm(default_addr_pools=("172.30.0.0/16",))
    assert "pool-shared" not in found(elsewhere, OFFICE)


def test_default_pools_without_a_free_block_are_refused() -> None:
    taken = [make_network("first", "172.30.0.0/25"), make_network("second", "172.30.0.128/25")]
    swarm = make_swarm(networks=taken, default_addr_pools=("172.30.0.0/24",), subnet_size=25)
    said = found(swarm)["pool-exhausted"]
    assert (said.level, said.subject) == (Level.BLOCKER, "subnet")
    assert "No /25 is free in the default pool 172.30.0.0/24." in said.message
    half = make_swarm(networks=taken[:1], default_addr_pools=("172.30.0.0/24",), subnet_size=25)
    assert "pool-exhausted" not in found(half)
    assert "pool-exhausted" not in found(swarm, subnets=(IpamConfig(subnet="172.31.0.0/24"),))


def test_what_encryption_needs_is_said_and_windows_refused() -> None:
    block = (IpamConfig(subnet="10.44.0.0/24"),)
    assert {"encrypted-esp", "encrypted-windows"}.isdisjoint(found(make_swarm(), subnets=block))
    said = found(make_swarm(), subnets=block, encrypted=True)
    assert said["encrypted-esp"].level is Level.NOTICE
    windows = make_swarm(nodes=[make_node("node1"), *(make_node(f"win{number}", os="windows") for number in range(9))])
    refused = found(windows, subnets=block, encrypted=True)["encrypted-windows"]
    assert (refused.level, refused.about, refused.subject) == (Level.BLOCKER, "field", "encrypted")
    assert refused.message.startswith("win0, win1, win2 and 6 more run Windows, ")


def test_options_that_no_overlay_driver_reads_are_told() -> None:
    said = found(make_swarm(), options=(("mtu", "1400"), ("depth", "3"), ("aux-address", "x=10.0.0.1"), ("", "x")))
    assert (said["option-unread"].level, said["option-unread"].subject) == (Level.WARNING, "options")
    assert "Docker takes depth, mtu, and the overlay driver" in said["option-unread"].message
    assert "option-unread" not in found(make_swarm(), options=(("encrypted", ""),))


def test_of_a_subnet_that_cannot_stay_only_what_is_wrong_is_told() -> None:
    assert "subnet-in-pool" in found(make_swarm(), subnets=(IpamConfig(subnet="10.44.0.0/24"),))
    assert "subnet-in-pool" in found(make_swarm(), subnets=(IpamConfig(subnet="10.44.0.0/24", gateway="10.9.9.9"),))
    assert "subnet-in-pool" not in found(make_swarm(), subnets=(IpamConfig(subnet="10.44.0.0/31"),))


def test_everybody_on_it_keeps_a_network_from_being_deleted() -> None:
    lake = make_network("lake", "10.44.0.0/24")
    web = make_service("web", published=(), network_ids=(lake.id,))
    box, left = make_attachment(lake, "f00d" * 16), make_attachment(lake, "cafe" * 16, desired_state="shutdown")
    swarm = make_swarm(services=[web], networks=[lake], attachments=(box, left))
    plan = network_plans.delete(swarm=swarm, request=DeleteRequest(network_id=lake.id))
    assert [(row.code, row.subject_name) for row in plan.blockers] == [
        ("network-in-use", "web"),
        ("standalone-container", "lake"),
    ]
    assert "Standalone container f00df00df00d on node1" in plan.blockers[1].message
    assert "docker network disconnect lake f00df00df00d" in plan.blockers[1].remedy
    alone = make_swarm(networks=[lake], attachments=(left,))
    assert not network_plans.delete(swarm=alone, request=DeleteRequest(network_id=lake.id)).blockers
