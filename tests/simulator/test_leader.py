"""The five traps on the leader, and what its allocator does with addresses."""

import pytest

from overlayweb.simulator.errors import ApiError
from tests.lab.services import everywhere, ingress_port, replicated, slow_stopping
from tests.simulator.driver import Driver, rebuild_carelessly


def gone(driver: Driver) -> None:
    """Remove the ingress and wait until the manager's node has let it go."""
    (old,) = driver.ingress()
    driver.world.remove_network(old["Id"])
    driver.until(lambda: not driver.ingress())


def test_1_creating_it_attaches_no_node_and_a_label_does() -> None:
    driver = Driver()
    gone(driver)
    new = driver.create_ingress("10.50.0.0/24")
    driver.spend(30)
    assert driver.allocated(new)
    assert driver.held() == {name: [] for name in driver.names}
    driver.nudge("1", names=["node2"])
    driver.spend(3)
    assert driver.held() == {"node1": [], "node2": [new], "node3": []}
    assert driver.peers(new) == set(), "the manager's own node does not hold it, and shows no peers"
    driver.nudge("1")
    driver.spend(3)
    assert driver.peers(new) == driver.addresses


def test_1_a_task_attaches_its_node_too() -> None:
    driver = Driver()
    driver.mix([replicated("inner", replicas=1)])
    gone(driver)
    new = driver.create_ingress("10.50.0.0/24")
    driver.spend(5)
    driver.change("inner", TaskTemplate={**driver.spec("inner")["TaskTemplate"], "ForceUpdate": 1})
    driver.spend(20)
    assert [new] in driver.held().values()
    assert [] in driver.held().values()


def test_2_a_late_ingress_serves_nobody_until_it_is_made_again() -> None:
    driver = Driver()
    gone(driver)
    blocker = driver.create_overlay("blocker", "10.20.0.0/24")
    driver.spend(1)
    late = driver.create_ingress("10.20.0.0/24")
    driver.spend(2)
    assert not driver.allocated(late)
    assert any("Pool overlaps" in line for line in driver.world.log())
    driver.world.remove_network(blocker)
    driver.until(lambda: driver.allocated(late), within=5)
    after = driver.create(replicated("after", ingress_port(8002)))
    driver.nudge("1")
    driver.spend(30)
    assert driver.states(after) == {"new": 3}
    assert driver.held() == {name: [] for name in driver.names}
    driver.change(after, EndpointSpec={"Mode": "vip"})
    gone(driver)
    driver.create_ingress("10.20.0.0/24")
    driver.spend(1)
    driver.change(after, EndpointSpec={"Mode": "vip", "Ports": [ingress_port(8002)]})
    driver.until(driver.whole)


def test_2_a_new_leader_knows_it() -> None:
    driver = Driver()
    gone(driver)
    blocker = driver.create_overlay("blocker", "10.20.0.0/24")
    driver.spend(1)
    late = driver.create_ingress("10.20.0.0/24")
    service = driver.create(replicated("before", ingress_port(8001)))
    driver.world.remove_network(blocker)
    driver.spend(20)
    assert driver.states(service) == {"new": 3}
    driver.world.restart_daemon("node1")
    driver.spend(5)
    driver.until(driver.whole)
    assert driver.allocated(late)


def test_3_published_before_the_ingress_is_allocated_it_stays_new_until_its_next_update() -> None:
    driver = Driver()
    gone(driver)
    driver.world.create_network({"Name": "ingress", "Driver": "overlay", "Ingress": True})
    early = driver.world.create_service(replicated("early", ingress_port(8001)))["ID"]
    driver.spend(60)
    assert driver.states(early) == {"new": 3}
    driver.change(early, TaskTemplate={**driver.spec(early)["TaskTemplate"], "ForceUpdate": 1}, UpdateConfig=AT_ONCE)
    driver.until(lambda: driver.states(early)["running"] == 3, within=120)


AT_ONCE = {"Parallelism": 0, "Order": "start-first", "Monitor": 1, "FailureAction": "continue"}


@pytest.mark.parametrize("careless", [True, False])
def test_4_removing_it_with_tasks_attached_leaks_addresses_of_other_overlays(*, careless: bool) -> None:
    driver = Driver()
    driver.set_availability("node1", "drain")
    backend = driver.create_overlay("backend", "10.60.0.0/28")  # 14: gateway, VIP, two nodes, ten tasks
    driver.mix([slow_stopping("legacy", ingress_port(8008), replicas=2)])
    driver.change("legacy", TaskTemplate=_on(driver.spec("legacy")["TaskTemplate"], backend), UpdateConfig=AT_ONCE_STOP)
    driver.spend(1)
    driver.until(driver.whole, within=90)
    if careless:
        rebuild_carelessly(driver, "10.50.0.0/24")
    driver.world.remove_service("legacy")
    driver.spend(40)
    driver.create(replicated("next", replicas=14, networks=[backend]))
    driver.spend(60)
    assert driver.states("next")["running"] == (8 if careless else 10)
    driver.world.restart_daemon("node1")
    driver.until(lambda: driver.world.answers() and driver.states("next")["running"] == 10, within=60)


AT_ONCE_STOP = {**AT_ONCE, "Order": "stop-first"}


def _on(template: dict[str, object], network: str) -> dict[str, object]:
    return {**template, "Networks": [{"Target": network}]}


def test_5_there_is_one_in_the_swarm_and_the_manager_lists_a_stale_one_beside_it() -> None:
    driver = Driver(engine="20.10.24")
    driver.mix([slow_stopping("legacy", ingress_port(8008), replicas=3)])
    with pytest.raises(ApiError, match="is already present") as second:
        driver.create_ingress("10.50.0.0/24", Name="other")
    assert second.value.status == 409
    (old,) = driver.ingress()
    new = rebuild_carelessly(driver, "10.50.0.0/24")
    driver.spend(5)
    assert [row["Id"] for row in driver.ingress()] == [new, old["Id"]]
    with pytest.raises(ApiError, match="2 matches found based on name"):
        driver.world.network("ingress")


def test_5_a_second_one_gets_addresses_from_a_new_leader_who_works_with_the_lowest_id() -> None:
    for preferred in (False, True):
        driver = Driver()
        driver.mix([everywhere("agent", ingress_port(8001))])
        (first,) = (row["Id"] for row in driver.ingress())
        second = driver.world.add_ingress("other", "10.70.0.0/24", preferred=preferred)
        driver.spend(5)
        assert not driver.allocated(second)
        driver.world.restart_daemon("node1")
        driver.spend(30)
        assert driver.allocated(second)
        (vip,) = driver.world.service("agent")["Endpoint"]["VirtualIPs"]
        assert vip["NetworkID"] == first
        # Workers keep the one that containers are on; the manager's node was started anew.
        works_with = second if preferred else first
        assert driver.held() == {"node1": [works_with], "node2": [first], "node3": [first]}
        assert any("Failed to delete ingress" in line for line in driver.world.log("node2")) is preferred


def test_the_removal_looks_at_specs_alone() -> None:
    driver = Driver()
    ids = driver.mix([replicated("one", ingress_port(8001)), replicated("two", ingress_port(8002))])
    for key in ids.values():
        driver.change(key, Mode={"Replicated": {"Replicas": 0}})
    driver.spend(30)
    (old,) = driver.ingress()
    with pytest.raises(ApiError) as refusal:
        driver.world.remove_network(old["Id"])
    words = "rpc error: code = FailedPrecondition desc = ingress network cannot be removed because service {} depends"
    assert (refusal.value.status, refusal.value.message) == (400, f"{words.format(ids['one'])} on it")
    driver.world.remove_service("one")
    driver.change("two", EndpointSpec={"Mode": "vip"})
    driver.world.remove_network(old["Id"])


def test_scaling_to_zero_hides_tasks_whose_containers_are_still_attached() -> None:
    driver = Driver()
    driver.mix([replicated("web", ingress_port(8001))])
    (old,) = driver.ingress()
    driver.change("web", EndpointSpec={"Mode": "vip"}, Mode={"Replicated": {"Replicas": 0}})
    driver.until(lambda: not driver.tasks("web"), within=10, every=0.05)
    driver.world.remove_network(old["Id"])
    driver.spend(20)
    assert any(old["Id"] in ids for ids in driver.held().values())


def test_an_overlay_without_addresses_left_keeps_tasks_new_until_some_are_freed() -> None:
    driver = Driver()
    small = driver.create_overlay("small", "10.60.0.0/28")  # 14: gateway, VIP, three nodes, nine tasks
    driver.create(replicated("many", replicas=12, networks=[small]))
    driver.spend(20)
    assert driver.states("many") == {"running": 9, "new": 3}
    driver.change("many", Mode={"Replicated": {"Replicas": 9}})
    driver.spend(20)
    driver.create(replicated("other", replicas=1))
    driver.until(driver.whole)


def test_a_node_without_an_address_rejects() -> None:
    driver = Driver()
    tiny = driver.create_overlay("tiny", "10.60.0.0/29")  # six: gateway, VIP, and what tasks and nodes share
    driver.create(replicated("few", replicas=3, networks=[tiny]))
    driver.spend(20)
    said = {row["Status"].get("Err") for row in driver.tasks("few") if row["Status"]["State"] == "rejected"}
    assert said == {"node is missing network attachments, ip addresses may be exhausted"}


def test_the_default_pool_is_used_in_order_and_overlaps_hang_without_a_word() -> None:
    driver = Driver()
    ids = [driver.create_overlay(name) for name in ("a", "b")]
    hanging = driver.create_overlay("hanging", "10.0.1.0/25")
    unlooked = driver.create_overlay("unlooked", IPAM={"Config": [{"Subnet": "10.0.1.0/25", "IPRange": "10.0.1.0/26"}]})
    driver.spend(1)
    subnets = {row["Id"]: row["IPAM"]["Config"] for row in driver.world.networks()}
    assert [subnets[key][0]["Subnet"] for key in ids] == ["10.0.1.0/24", "10.0.2.0/24"]
    assert subnets[hanging] is None
    assert subnets[unlooked][0]["Subnet"] == "10.0.1.0/25"
    assert driver.world.network(hanging)["Driver"] == ""


def test_from_api_1_52_on_an_overlay_without_addresses_is_not_found_but_listed() -> None:
    driver = Driver(engine="29.0.0")
    driver.create_overlay("a", "10.60.0.0/24")
    hanging = driver.create_overlay("b", "10.60.0.0/24")
    driver.spend(1)
    assert not driver.allocated(hanging)
    assert hanging in {row["Id"] for row in driver.world.networks()}
    with pytest.raises(ApiError, match=f"network {hanging} not found"):
        driver.world.network(hanging)


def test_allocation_can_be_made_to_fail() -> None:
    driver = Driver()
    driver.world.fail_allocation("10.60.0.0/16")
    made = driver.create_overlay("a", "10.60.3.0/24")
    driver.spend(5)
    assert not driver.allocated(made)
    driver.world.allow_allocation("10.60.0.0/16")
    driver.world.remove_network(driver.create_overlay("b"))
    driver.until(lambda: driver.allocated(made), within=5)


def test_peers_follow_late_and_can_be_held() -> None:
    driver = Driver()
    gone(driver)
    driver.world.hold_peers("node3")
    new = driver.create_ingress("10.50.0.0/24")
    driver.spend(1)
    driver.nudge("1")
    assert driver.peers(new) == set()
    driver.spend(5)
    assert len(driver.peers(new)) == 2
    driver.world.release_peers("node3")
    assert driver.peers(new) == driver.addresses


def test_a_global_task_on_a_paused_node_is_not_updated() -> None:
    driver = Driver()
    driver.mix([everywhere("agent", ingress_port(8003))])
    (old,) = driver.ingress()
    driver.set_availability("node3", "pause")
    driver.spend(2)
    driver.change("agent", EndpointSpec={"Mode": "vip"}, UpdateConfig=AT_ONCE_STOP)
    driver.spend(30)
    left = [row for row in driver.tasks("agent") if row["Status"]["State"] == "running" and _attached(row, old["Id"])]
    assert [driver.world.node(row["NodeID"])["Description"]["Hostname"] for row in left] == ["node3"]


def _attached(row: dict[str, list[dict[str, dict[str, str]]]], network: str) -> bool:
    return any(place["Network"]["ID"] == network for place in row.get("NetworksAttachments", []))
