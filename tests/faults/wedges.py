"""Swarms whose routing mesh is broken, each in another way: the services, and what a script that did not wait left."""

from contextlib import suppress

from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.world import World
from tests.faults import stage
from tests.simulator.driver import Driver, published, rebuild_carelessly

CARELESS = "10.50.0.0/20"
TAKEN = "10.60.0.0/24"
SECOND = ("other", "10.70.0.0/24")
WEDGED_AFTER = 30.0
MANAGER = "node1"


def wedged(world: World, nodes: int) -> None:
    """Every node holds the removed ingress. From engine 26.1 on there is no other; on 20.10 containers hang."""
    stage.services(world, nodes)
    rebuild_carelessly(Driver(world=world), CARELESS)
    world.advance(to=world.now + WEDGED_AFTER)


def workers_wedged(world: World, nodes: int) -> None:
    """The manager ran nothing and holds nothing; the workers reject what needs the new ingress."""
    stage.services(world, nodes)
    driver = Driver(world=world)
    driver.set_availability(MANAGER, "drain")
    world.advance(to=world.now + stage.AT_REST)
    rebuild_carelessly(driver, CARELESS)
    world.advance(to=world.now + WEDGED_AFTER)


def late(world: World, nodes: int) -> None:
    """Every node has let go, and the ingress got its addresses only when somebody gave them free."""
    stage.services(world, nodes)
    _late(Driver(world=world))


def late_and_workers_wedged(world: World, nodes: int) -> None:
    """Both: a late ingress, and workers that hold the one before the one that it replaced."""
    workers_wedged(world, nodes)
    _late(Driver(world=world))


def twice_unallocated(world: World, nodes: int) -> None:
    """A second ingress that has no addresses yet: all services work, until the leader changes."""
    stage.services(world, nodes)
    world.add_ingress(*SECOND)
    world.advance(to=world.now + WEDGED_AFTER)


def twice(world: World, nodes: int) -> None:
    """The second one has got its addresses from a new leader, who kept to the first one: nothing is on it."""
    twice_unallocated(world, nodes)
    world.restart_daemon(MANAGER)
    world.advance(to=world.now + WEDGED_AFTER)


def twice_split(world: World, nodes: int) -> None:
    """A new leader has taken the second one: services are on either, and workers cannot let the first one go.

    The one that stops slowly is on the second one, on the manager's node alone.
    """
    stage.services(world, nodes)
    world.add_ingress(*SECOND, preferred=True)
    world.restart_daemon(MANAGER)
    world.advance(to=world.now + WEDGED_AFTER)
    driver = Driver(world=world)
    workers = [name for name in driver.names if name != MANAGER]
    for name in workers:
        driver.set_availability(name, "pause")
    spec = driver.spec("slow")
    driver.update("slow", {**spec, "EndpointSpec": {"Mode": "vip"}})
    driver.spend(2)
    driver.update("slow", spec)
    driver.spend(WEDGED_AFTER)
    for name in workers:
        driver.set_availability(name, "active")
    world.advance(to=world.now + stage.AT_REST)


def twice_and_workers_wedged(world: World, nodes: int) -> None:
    """Two ingress networks, and workers that hold one that the Swarm has removed before."""
    workers_wedged(world, nodes)
    world.add_ingress(*SECOND)
    world.advance(to=world.now + WEDGED_AFTER)


def _late(driver: Driver) -> None:
    before = {key: driver.spec(key) for key in published(driver)}
    for key, spec in before.items():
        driver.update(key, {**spec, "EndpointSpec": {"Mode": "vip"}})
    driver.spend(WEDGED_AFTER)
    (old,) = driver.ingress()
    driver.world.remove_network(old["Id"])
    blocker = driver.create_overlay("blocker", TAKEN)
    driver.spend(2)
    driver.create_ingress(TAKEN)
    for key, spec in before.items():
        with suppress(ApiError):
            driver.update(key, spec)
    driver.spend(2)
    driver.world.remove_network(blocker)
    driver.spend(WEDGED_AFTER)
