"""Several managers, of whom a majority has to be there, and nodes that run Windows."""

import pytest

from overlayweb.simulator.errors import ApiError
from tests.lab.services import everywhere, ingress_port, replicated
from tests.simulator.driver import Driver

NO_LEADER = (
    "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online."
    " Make sure more than half of the managers are online."
)


@pytest.fixture
def managers() -> Driver:
    """Three managers and a worker with a published service."""
    driver = Driver(nodes=1)
    for number in (2, 3):
        driver.world.add_node(f"node{number}", role="manager")
    driver.world.add_node("node4")
    driver.spend(5)
    driver.mix([replicated("web", ingress_port(8001), replicas=4)])
    return driver


def leaders(driver: Driver, view: str = "") -> list[str]:
    rows = driver.world.nodes(view=view)
    return [row["Description"]["Hostname"] for row in rows if row.get("ManagerStatus", {}).get("Leader")]


def test_one_of_the_managers_leads_and_each_of_them_answers(managers: Driver) -> None:
    assert [leaders(managers, name) for name in ("node1", "node2", "node3")] == [["node1"]] * 3
    place = managers.world.info("node2")["Swarm"]
    assert (place["ControlAvailable"], place["Managers"], place["Nodes"]) == (True, 3, 4)


def test_where_the_leader_falls_away_another_one_leads_and_brings_its_containers_up_elsewhere(managers: Driver) -> None:
    managers.world.crash_node("node1")
    managers.spend(1)
    assert leaders(managers, "node2") == ["node2"]
    managers.until(lambda: managers.world.node("node1", view="node3")["Status"]["State"] == "down")
    managers.until(managers.whole)
    assert managers.world.node("node1", view="node3")["ManagerStatus"]["Reachability"] == "unreachable"


@pytest.mark.parametrize("lost", [("node1", "node2"), ("node2", "node3")], ids=["the leader too", "the others"])
def test_without_a_majority_nothing_of_the_swarm_is_told_and_containers_run_on(
    managers: Driver, lost: tuple[str, str]
) -> None:
    (left,) = {"node1", "node2", "node3"} - {*lost}
    running = len(managers.world.containers("node4"))
    for name in lost:
        managers.world.crash_node(name)
    managers.spend(60)
    world = managers.world
    for ask in (world.nodes, world.services, world.tasks, world.swarm):
        with pytest.raises(ApiError) as refusal:
            ask(view=left)
        assert (refusal.value.status, refusal.value.message) == (500, NO_LEADER)
    with pytest.raises(ApiError, match="does not have a leader"):
        world.create_network({"Name": "late", "Driver": "overlay"}, left)
    assert world.info(left)["Swarm"]["LocalNodeState"] == "active"
    assert len(world.containers("node4")) == running > 0

    world.start_node(lost[0])
    managers.until(lambda: leaders(managers, left))
    managers.until(managers.whole)


def test_a_windows_node_has_networks_of_its_own_kind_and_takes_what_is_not_kept_off_it() -> None:
    driver = Driver()
    driver.world.add_node("win1", os="windows")
    driver.spend(5)
    assert {row["Name"] for row in driver.world.networks("win1") if row["Scope"] == "local"} == {"nat", "none"}
    row = driver.world.node("win1")
    assert row["Description"]["Platform"]["OS"] == driver.world.info("win1")["OSType"] == "windows"
    assert {"Type": "Network", "Name": "nat"} in row["Description"]["Engine"]["Plugins"]
    linux = everywhere("linux")
    linux["TaskTemplate"]["Placement"] = {"Constraints": ["node.platform.os==linux"]}
    ids = driver.mix([linux, everywhere("any")])
    on = {name: {task["NodeID"] for task in driver.tasks(key)} for name, key in ids.items()}
    assert (row["ID"] in on["linux"], row["ID"] in on["any"]) == (False, True)
