"""What is wrong with addresses: an ingress in a reserved range, overlays without addresses, or nearly full."""

from dataclasses import replace

import pytest

from overlayweb.domain import address_troubles, capacity
from overlayweb.domain.addresses import ReservedRange
from tests.domain.builders import make_ingress, make_network, make_service, make_swarm, make_swarm_task

OFFICE = ReservedRange(name="office", cidr="10.20.0.0/16", reason="Lisbon")


def test_an_ingress_in_a_reserved_range_is_told_where_to_go() -> None:
    swarm = make_swarm(ingress=make_ingress("10.20.0.0/24"))
    finding = address_troubles.of_ingress(swarm=swarm, reserved=[OFFICE])
    assert finding is not None
    assert finding.message == "The ingress 10.20.0.0/24 collides with reserved range office (10.20.0.0/16, Lisbon)."
    assert finding.suggestion == "10.21.0.0/24"
    assert finding.suggestion in finding.remedy


def test_an_ingress_elsewhere_is_well_placed() -> None:
    assert address_troubles.find(swarm=make_swarm(ingress=make_ingress("10.30.0.0/24")), reserved=[OFFICE]) == ()


def test_overlays_in_a_reserved_range_are_one_finding_for_the_range() -> None:
    networks = [make_network("lake", "10.20.7.0/24"), make_network("mesh", "10.20.8.0/24")]
    swarm = make_swarm(networks=[*networks, make_network("apart", "10.40.0.0/24")])
    lab = ReservedRange(name="lab", cidr="10.20.8.128/25")
    empty = ReservedRange(name="empty", cidr="10.50.0.0/16")
    told = address_troubles.find(swarm=swarm, reserved=[OFFICE, lab, empty])
    assert [finding.message for finding in told] == [
        "Overlays lake and mesh overlap reserved range office (10.20.0.0/16, Lisbon).",
        "Overlay mesh overlaps reserved range lab (10.20.8.128/25).",
    ]
    assert [(finding.code, finding.subject) for finding in told] == [
        ("reserved-range-used", "10.20.0.0/16"),
        ("reserved-range-used", "10.20.8.128/25"),
    ]


def test_an_overlay_that_was_never_allocated_is_named() -> None:
    swarm = make_swarm(networks=[make_network("lake", "")])
    [finding] = address_troubles.find(swarm=swarm, reserved=[])
    assert finding.code == "network-unallocated"
    assert "lake has no addresses" in finding.message


@pytest.mark.parametrize(
    ("replicas", "order", "level"),
    [(8, "stop-first", "roomy"), (9, "stop-first", "tight"), (5, "start-first", "tight"), (11, "stop-first", "full")],
)
def test_an_overlay_that_is_nearly_full_is_named_by_the_same_level_as_on_the_addresses_page(
    replicas: int, order: str, level: str
) -> None:
    network = make_network("mesh", "10.33.1.0/28")
    update = {"Order": order}
    service = make_service("api", published=(), replicas=replicas, network_ids=(network.id,), update_config=update)
    service = replace(service, vips=((network.id, "10.33.1.2/28"),))
    tasks = tuple(make_swarm_task(service, number, node_id="id-node1") for number in range(replicas))
    swarm = replace(make_swarm(services=[service], networks=[network]), swarm_tasks=tasks)
    room = next(row for row in capacity.fillings(swarm=swarm) if row.network == network)
    assert (room.used, room.usable, room.level) == (3 + replicas, 14, level)  # gateway, node, service
    told = address_troubles.find(swarm=swarm, reserved=[])
    assert [finding.code for finding in told] == ["overlay-tight"][: level != "roomy"]
    assert all(f"is {level}: {room.used} of 14" in row.message and str(room.peak) in row.message for row in told)
