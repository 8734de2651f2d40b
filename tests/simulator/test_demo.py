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
