"""One seed tells one story, another seed another, and a quiet Swarm costs nothing."""

import json
import time

import pytest

from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.times import Times
from tests.lab.services import everywhere, ingress_port, replicated, slow_stopping
from tests.simulator.driver import Driver, rebuild_carelessly


def story(seed: int) -> str:
    """All that a manager and the nodes show after an eventful minute."""
    driver = Driver(seed=seed)
    driver.mix([replicated("web", ingress_port(8001)), everywhere("agent"), slow_stopping("legacy", ingress_port(0))])
    rebuild_carelessly(driver, "10.50.0.0/24")
    driver.world.crash_node("node3")
    driver.spend(30)
    driver.world.start_node("node3")
    driver.spend(30)
    world = driver.world
    shown = [world.nodes(), world.networks(), world.services(status=True), world.tasks(), world.events()]
    return json.dumps([*shown, driver.held(), world.log()])


def test_the_same_seed_tells_the_same_story() -> None:
    assert story(11) == story(11)


def test_another_seed_tells_another() -> None:
    assert story(11) != story(12)


def test_time_that_passes_in_small_steps_tells_the_same_story_as_in_one() -> None:
    told = []
    for steps in (1, 600):
        driver = Driver()
        driver.create(replicated("web", ingress_port(8001)))
        for _ in range(steps):
            driver.spend(30 / steps)
        told.append([row["Status"] for row in driver.world.tasks()])
    assert told[0] == told[1]


def test_a_container_is_prepared_while_its_image_is_pulled_and_takes_its_start_after_that() -> None:
    """Each by a fifth more or less."""
    driver = Driver(times=Times(pull=20, start=20))
    driver.create(replicated("web", replicas=2))
    seen = []
    for seconds in (12, 18, 20):
        driver.spend(seconds)
        seen.append(dict(driver.states("web")))
    assert seen == [{"preparing": 2}, {"starting": 2}, {"running": 2}]


def test_a_quiet_swarm_of_ten_nodes_and_fifty_services_costs_nothing() -> None:
    driver = Driver(nodes=10)
    driver.mix(replicated(f"s{number}", ingress_port(8000 + number), replicas=3) for number in range(50))
    driver.spend(60)
    assert driver.world.next_at is None
    since = time.perf_counter()
    for _ in range(1000):
        driver.spend(0.1)
        driver.world.tasks()
    assert (time.perf_counter() - since) / 1000 < 0.002


def test_a_service_that_is_removed_at_once_leaves_nothing() -> None:
    driver = Driver()
    key = driver.world.create_service(replicated("short", ingress_port(8001)))["ID"]
    driver.world.remove_service(key)
    driver.spend(30)
    assert driver.world.tasks() == []
    with pytest.raises(ApiError, match=f"service {key} not found"):
        driver.world.service(key)
