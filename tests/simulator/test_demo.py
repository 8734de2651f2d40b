"""The demo's Swarm is as large as it is said to be, and so is its cast."""

from collections import Counter

from overlayweb.demo import people
from overlayweb.domain.policy import Role
from overlayweb.domain.swarm import STACK_LABEL
from overlayweb.simulator import demo
from tests.simulator.driver import Driver


def test_five_nodes_with_a_windows_one_forty_services_in_six_stacks_and_four_people() -> None:
    driver = Driver(nodes=0)
    demo.fill(driver.world)
    systems = Counter(row["Description"]["Platform"]["OS"] for row in driver.world.nodes())
    assert systems == {"linux": 4, "windows": 1}
    services = driver.world.services()
    assert len(services) == 40
    assert {row["Spec"]["Labels"][STACK_LABEL] for row in services} == set(demo.STACKS)
    assert len(demo.STACKS) == 6
    assert Counter(part.role for part in people.PARTS) == {Role.ADMIN: 1, Role.MEMBER: 2, Role.READER: 1}


def test_one_overlay_has_hardly_an_address_left_and_another_none_at_all() -> None:
    driver = Driver(nodes=0)
    demo.fill(driver.world)
    overlays = {row["Name"]: row["Id"] for row in driver.world.networks() if row["Scope"] == "swarm"}
    assert [name for name, key in overlays.items() if not driver.allocated(key)] == ["analytics_lake"]
    assert any("Pool overlaps" in line for line in driver.world.log())
    del overlays["analytics_lake"]
    left = {name: _left(driver, key) for name, key in overlays.items()}
    assert left.pop("search_mesh") in range(1, 4)
    assert min(left.values()) > 100


def _left(driver: Driver, network_id: str) -> int:
    """How many of its addresses are free."""
    status = driver.world.address_status(network_id)
    assert status is not None
    (subnet,) = status["IPAM"]["Subnets"].values()
    return int(subnet["DynamicIPsAvailable"])
