"""What is wrong with a Swarm's ingress, and how full it is."""

from typing import Any

import pytest

from overlayweb.domain import capacity, diagnosis
from overlayweb.domain.plans import IngressSettings, Level
from tests.domain.builders import make_ingress, make_node, make_service, make_swarm, make_swarm_task

PEERS = ("192.168.50.11", "192.168.50.12", "192.168.50.13")


def codes(**changes: Any) -> list[str]:
    return [finding.code for finding in diagnosis.diagnose(make_swarm(**changes))]


def test_a_healthy_swarm_has_nothing_wrong() -> None:
    assert codes(ingress=make_ingress(peers=PEERS)) == []


def test_each_thing_that_is_wrong() -> None:
    assert codes(ingress=None) == ["ingress-none"]
    assert codes(networks=[make_ingress("10.5.0.0/24", id="second")]) == ["ingress-twice"]
    assert codes(ingress=make_ingress("")) == ["ingress-unallocated"]
    assert codes(ingress=make_ingress(peers=PEERS[:2])) == ["node-without-ingress"]
    assert codes(nodes=[make_node("node1"), make_node("node2", state="down")], swarm_tasks=RUNNING) == [
        "node-not-ready"
    ]


SERVICE = make_service(replicas=2)
RUNNING = (make_swarm_task(SERVICE, 1), make_swarm_task(SERVICE, 2))


def test_a_service_with_nothing_running_weighs_more_than_one_at_half_strength() -> None:
    dark = diagnosis.diagnose(make_swarm(services=[SERVICE], swarm_tasks=[]))
    half = diagnosis.diagnose(make_swarm(services=[SERVICE], swarm_tasks=RUNNING[:1]))
    assert [(f.code, f.level) for f in dark] == [("service-weak", Level.BLOCKER)]
    assert [(f.code, f.level) for f in half] == [("service-weak", Level.WARNING)]
    assert half[0].message == "shop_web runs 1 of 2 containers."


def test_what_swarm_says_of_a_task_is_passed_on() -> None:
    failed = make_swarm_task(SERVICE, 3, state="rejected", error="ingress sandbox already present")
    found = diagnosis.diagnose(make_swarm(services=[SERVICE], swarm_tasks=[RUNNING[0], failed]))
    assert [finding.code for finding in found] == ["node-stale", "service-weak"]
    assert "Swarm says: ingress sandbox already present." in found[1].message


def test_blockers_come_first() -> None:
    swarm = make_swarm(ingress=None, nodes=[make_node("node1", state="down"), make_node("node2")])
    assert [f.code for f in diagnosis.diagnose(swarm)] == ["ingress-none", "node-not-ready"]


@pytest.mark.parametrize(
    ("peers", "absent"),
    [
        (PEERS, []),
        (PEERS[:1], ["node2", "node3"]),
        ((), []),  # not known: nothing is said
        (("10.1.1.1", "10.1.1.2", "10.1.1.3"), []),  # behind NAT: other addresses, as many as nodes
    ],
)
def test_nodes_that_are_not_on_the_ingress(peers: tuple[str, ...], absent: list[str]) -> None:
    ingress = make_ingress(peers=peers)
    found = diagnosis.absent_nodes(swarm=make_swarm(ingress=ingress), ingress=ingress)
    assert [node.hostname for node in found] == absent


@pytest.mark.parametrize(
    ("settings", "usable", "used"),
    [
        (IngressSettings(subnet="10.0.0.0/24", gateway="10.0.0.1"), 254, 7),
        (IngressSettings(subnet="10.0.0.0/24", gateway="10.0.0.1", ip_range="10.0.0.128/25"), 127, 6),
        (IngressSettings(subnet="10.0.0.0/24", gateway="10.0.0.129", ip_range="10.0.0.128/25"), 127, 7),
    ],
)
def test_the_room_in_a_subnet(settings: IngressSettings, usable: int, used: int) -> None:
    """Gateway, three nodes, one service, two containers; a gateway outside the range takes nothing of it."""
    room = capacity.ingress_room(swarm=make_swarm(), settings=settings)
    assert room is not None
    assert (room.usable, room.used, room.free) == (usable, used, usable - used)


@pytest.mark.parametrize("subnet", ["", "10.0.0.0/31", "10.0.0.1/24", "fd00::/64"])
def test_no_room_is_told_of_a_subnet_that_cannot_be_used(subnet: str) -> None:
    assert capacity.ingress_room(swarm=make_swarm(), settings=IngressSettings(subnet=subnet)) is None
