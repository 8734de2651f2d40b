"""The wedge: made by a careless order, with each engine's own signs, and healed by nothing but restarts."""

from collections import Counter

import pytest

from overlayweb.simulator.errors import ApiError
from tests.lab.services import everywhere, ingress_port, replicated, slow_stopping, start_first
from tests.simulator.driver import Document, Driver, rebuild_carelessly, rebuild_in_order

NEW = "10.50.0.0/20"


def mix() -> list[Document]:
    return [
        replicated("web", ingress_port(8001)),
        replicated("api", ingress_port(8002), ingress_port(8443), replicas=2),
        everywhere("agent", ingress_port(8003)),
        start_first("portal", ingress_port(8004)),
        replicated("chosen", ingress_port(0), replicas=1),
        slow_stopping("legacy", ingress_port(8008)),
        everywhere("inner"),
    ]


def stale(driver: Driver, old: str) -> set[str]:
    return {name for name, ids in driver.held().items() if old in ids}


def errors(driver: Driver) -> Counter[str]:
    rows = (row["Status"] for row in driver.world.tasks())
    return Counter(status["Err"].split("\n")[0] for status in rows if status["State"] == "rejected")


@pytest.mark.parametrize("engine", ["20.10.24", "26.1.5", "28.5.2", "29.0.0"])
@pytest.mark.parametrize("hold", [True, False], ids=["held", "unpublished"])
def test_the_proven_order_leaves_nothing_behind(engine: str, *, hold: bool) -> None:
    driver = Driver(engine=engine)
    driver.mix(mix())
    before = {name: driver.spec(name) for name in ("web", "api", "agent", "portal", "legacy", "inner")}
    (old,) = driver.ingress()
    new = rebuild_in_order(driver, NEW, hold=hold)
    driver.until(driver.whole)
    driver.spend(5)
    assert driver.held() == {name: [new] for name in driver.names}
    assert driver.peers(new) == driver.addresses
    assert {name: driver.spec(name) for name in before} == before
    assert stale(driver, old["Id"]) == set()
    assert not errors(driver)


@pytest.mark.parametrize("seed", range(5))
def test_five_rebuilds_in_a_row_are_clean(seed: int) -> None:
    driver = Driver(seed=seed)
    driver.mix(mix())
    for number in range(5):
        new = rebuild_in_order(driver, f"10.{50 + number}.0.0/20", hold=bool(number % 2))
        driver.until(driver.whole)
        driver.spend(5)
        assert driver.held() == {name: [new] for name in driver.names}


def test_the_careless_order_wedges_engine_20_10_whose_tasks_hang_in_starting() -> None:
    driver = Driver(engine="20.10.24")
    driver.mix(mix())
    (old,) = driver.ingress()
    new = rebuild_carelessly(driver, NEW)
    driver.spend(120)
    assert stale(driver, old["Id"]) == set(driver.names)
    assert {row["Id"] for row in driver.ingress()} == {old["Id"], new}
    assert driver.states("web")["starting"] == 1
    assert not errors(driver)
    assert "web 2/3" in driver.weak()


@pytest.mark.parametrize("engine", ["26.1.5", "28.5.2"])
def test_later_engines_then_refuse_the_name_and_the_swarm_is_left_without_ingress(engine: str) -> None:
    driver = Driver(engine=engine)
    ids = driver.mix(mix())
    (old,) = driver.ingress()
    assert rebuild_carelessly(driver, NEW) is None
    with pytest.raises(ApiError, match="network with name ingress already exists") as taken:
        driver.create_ingress(NEW)
    with pytest.raises(ApiError, match="service needs ingress network, but no ingress network is present") as needed:
        driver.change(ids["web"], EndpointSpec={"Ports": [ingress_port(8001)]})
    assert (taken.value.status, needed.value.status) == (409, 400)
    driver.spend(600)
    assert stale(driver, old["Id"]) == set(driver.names)


@pytest.mark.parametrize(
    ("subnet", "words"),
    [
        (NEW, "invalid config for network ingress: invalid endpoint settings:"),
        ("10.0.0.0/24", "ingress sandbox already present"),
    ],
)
def test_workers_reject_for_ever_where_the_manager_has_let_go(subnet: str, words: str) -> None:
    driver = Driver()
    driver.set_availability("node1", "drain")
    driver.mix(mix())
    (old,) = driver.ingress()
    assert rebuild_carelessly(driver, subnet)
    driver.spend(60)
    assert stale(driver, old["Id"]) == {"node2", "node3"}
    seen = errors(driver)
    assert set(seen) == {words}
    driver.spend(60)
    assert stale(driver, old["Id"]) == {"node2", "node3"}
    assert driver.weak()


def test_neither_unpublishing_nor_scaling_nor_removing_heals_it_and_restarts_do() -> None:
    driver = Driver()
    driver.set_availability("node1", "drain")
    ids = driver.mix([replicated("web", ingress_port(8001)), replicated("api", ingress_port(8002))])
    (old,) = driver.ingress()
    rebuild_carelessly(driver, NEW)
    driver.spend(20)
    specs = {key: driver.spec(key) for key in ids.values()}
    for key in ids.values():
        driver.change(key, EndpointSpec={"Mode": "vip"}, Mode={"Replicated": {"Replicas": 0}})
    driver.spend(30)
    (new,) = driver.ingress()
    driver.world.remove_network(new["Id"])
    driver.spend(30)
    assert stale(driver, old["Id"]) == {"node2", "node3"}
    with pytest.raises(ApiError, match="This node is not a swarm manager"):
        driver.world.remove_network(old["Id"], "node2")
    made = driver.create_ingress(NEW)
    driver.spend(1)
    for key, spec in specs.items():
        driver.update(key, spec)
    driver.spend(60)
    assert driver.weak()
    for name in reversed(driver.names):
        driver.world.restart_daemon(name)
        driver.spend(10)
    driver.until(driver.whole)
    assert driver.held() == {name: [made] for name in driver.names}


def _wedged(engine: str, *, drained: bool) -> Driver:
    """Three nodes after a careless rebuild; the leader's own node is among those that hold the old one, or drained."""
    driver = Driver(engine=engine)
    if drained:
        driver.set_availability("node1", "drain")
    driver.mix([slow_stopping("legacy", ingress_port(8001), replicas=6)])
    assert rebuild_carelessly(driver, NEW)
    driver.spend(30)
    assert any("could not find network allocator state" in line for line in driver.world.log())
    return driver


def _restart(driver: Driver, *names: str) -> None:
    for name in names:
        driver.world.restart_daemon(name)
        driver.spend(10)


@pytest.mark.parametrize(("engine", "drained"), [("28.5.2", True), ("20.10.24", False)])
def test_nodes_that_are_restarted_before_the_leader_run_nothing_until_it_is(engine: str, *, drained: bool) -> None:
    driver = _wedged(engine, drained=drained)
    _restart(driver, "node3", "node2")
    driver.spend(120)
    (new,) = [row["Id"] for row in driver.ingress("node2")]
    assert driver.held()["node3"] == [new], "they come onto the new one at once"
    nodes = {driver.world.node(name)["ID"] for name in ("node2", "node3")}
    there = [row for row in driver.tasks("legacy") if row.get("NodeID") in nodes and row["DesiredState"] == "running"]
    assert {row["Status"]["State"] for row in there} == {"preparing"}
    _restart(driver, "node1")
    driver.until(driver.whole)


def test_on_20_10_they_run_at_once_where_the_leader_holds_nothing() -> None:
    driver = _wedged("20.10.24", drained=True)
    _restart(driver, "node3", "node2")
    driver.until(driver.whole)


def test_one_node_alone_can_be_stale() -> None:
    driver = Driver()
    driver.mix([slow_stopping("legacy", ingress_port(8008), replicas=1)])
    (old,) = driver.ingress()
    rebuild_carelessly(driver, NEW)
    driver.spend(30)
    assert len(stale(driver, old["Id"])) == 1


def test_a_node_that_was_cut_off_comes_back_stale_and_a_restart_heals_it() -> None:
    driver = Driver()
    driver.mix([everywhere("agent", ingress_port(8003))])
    (old,) = driver.ingress()
    driver.world.cut_off_node("node3")
    driver.until(lambda: driver.world.node("node3")["Status"]["State"] == "down")
    new = rebuild_in_order_without(driver, old["Id"])
    driver.world.reconnect_node("node3")
    driver.spend(20)
    assert driver.held() == {"node1": [new], "node2": [new], "node3": [old["Id"]]}
    driver.world.restart_daemon("node3")
    driver.until(driver.whole)
    driver.spend(5)
    assert driver.held() == {name: [new] for name in driver.names}


def rebuild_in_order_without(driver: Driver, old: str) -> str:
    """Rebuild without waiting for the node that is away, whose container can not be seen to leave."""
    spec = driver.spec("agent")
    driver.change("agent", EndpointSpec={"Mode": "vip"})
    driver.spend(30)
    driver.world.remove_network(old)
    driver.spend(2)
    new = driver.create_ingress(NEW)
    driver.until(lambda: driver.allocated(new))
    driver.update("agent", spec)
    driver.spend(30)
    return new
