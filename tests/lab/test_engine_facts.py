"""What the product takes for granted about Swarm, asked of a real one."""

import copy
import time
from collections import Counter
from typing import Any

import docker
import pytest

from tests.lab import Lab, health, naive, services
from tests.lab.daemon import wait_until

pytestmark = pytest.mark.requires("dockerd", "root")


def _create_ingress(lab: Lab, subnet: str, **extra: Any) -> str:
    spec = {
        "Name": "ingress",
        "Driver": "overlay",
        "Ingress": True,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": subnet}]},
        **extra,
    }
    return str(lab.manager.request("POST", "/networks/create", spec)["Id"])


def _create_overlay(lab: Lab, name: str, subnet: str) -> str:
    spec = {"Name": name, "Driver": "overlay", "IPAM": {"Config": [{"Subnet": subnet}]}}
    return str(lab.manager.request("POST", "/networks/create", spec)["Id"])


def _remove_ingress(lab: Lab) -> None:
    """Remove the ingress and wait until its name is free again."""
    for key in health.ingress_ids(lab.manager):
        lab.manager.request("DELETE", f"/networks/{key}")
    wait_until(lambda: health.ingress_ids(lab.manager) == [], what="the ingress to go", timeout=20)


def _listed(lab: Lab, network_id: str) -> Any:
    """Return the row of a network in the manager's list, where an unallocated one is told too."""
    rows = lab.manager.request("GET", "/networks")
    return next((row for row in rows if row["Id"] == network_id), None)


def _allocated(lab: Lab, network_id: str) -> bool:
    row = _listed(lab, network_id)
    return bool(row and row["Driver"])


def _peers(lab: Lab, network_id: str) -> set[str]:
    peers = lab.manager.request("GET", f"/networks/{network_id}").get("Peers") or []
    return {peer["IP"] for peer in peers}


def _task_states(lab: Lab, service_id: str) -> Counter[str]:
    """Return how many tasks of a service, that are meant to run, are in which state."""
    rows = lab.manager.request("GET", "/tasks")
    return Counter(
        row["Status"]["State"] for row in rows if row["ServiceID"] == service_id and row["DesiredState"] == "running"
    )


def _task_ids(lab: Lab, service_id: str) -> set[str]:
    return {row["ID"] for row in lab.manager.request("GET", "/tasks") if row["ServiceID"] == service_id}


def _change(lab: Lab, service_id: str, **change: Any) -> None:
    """Update a service's spec, replacing the given top-level parts."""
    spec = lab.manager.request("GET", f"/services/{service_id}")["Spec"]
    services.update(lab.manager, service_id, {**copy.deepcopy(spec), **change})


def test_scaling_to_zero_keeps_the_ingress_in_use_and_the_refusal_names_one_service_by_id(swarm: Lab) -> None:
    first, second = (
        services.create(swarm.manager, services.replicated(name, services.ingress_port(port)))
        for name, port in (("one", 8001), ("two", 8002))
    )
    swarm.wait_running()
    for service_id in (first, second):
        _change(swarm, service_id, Mode={"Replicated": {"Replicas": 0}})
    (ingress,) = health.ingress_ids(swarm.manager)
    with pytest.raises(docker.errors.APIError) as refusal:
        swarm.manager.request("DELETE", f"/networks/{ingress}")
    assert [service_id in str(refusal.value) for service_id in (first, second)].count(True) == 1


def test_a_port_in_host_mode_does_not_keep_the_ingress(swarm: Lab) -> None:
    services.create(swarm.manager, services.everywhere("agent", services.host_port(9010)))
    swarm.wait_running()
    _remove_ingress(swarm)


def test_taking_the_ports_off_lets_the_ingress_go_while_containers_are_attached(swarm: Lab) -> None:
    service_id = services.create(swarm.manager, services.slow_stopping("legacy", services.ingress_port(8008)))
    swarm.wait_running()
    (ingress,) = health.ingress_ids(swarm.manager)
    _change(swarm, service_id, EndpointSpec={"Mode": "vip"})
    swarm.manager.request("DELETE", f"/networks/{ingress}")
    assert swarm.containers_on(ingress) != {}
    wait_until(lambda: health.stale_ingress(swarm.nodes) != {}, what="a node to keep it", timeout=10)


def test_there_is_only_one_ingress_and_it_is_not_attachable(swarm: Lab) -> None:
    with pytest.raises(docker.errors.APIError, match="already"):
        _create_ingress(swarm, "10.12.0.0/24", Name="other")
    _remove_ingress(swarm)
    with pytest.raises(docker.errors.APIError, match="attachable"):
        _create_ingress(swarm, "10.12.0.0/24", Attachable=True)


def test_nodes_get_a_new_ingress_when_their_label_changes(swarm: Lab) -> None:
    _remove_ingress(swarm)
    created = _create_ingress(swarm, "10.12.0.0/24")
    wait_until(lambda: _allocated(swarm, created), what="the ingress to be allocated", timeout=10)
    time.sleep(3.0)
    assert _peers(swarm, created) < {node.address for node in swarm.nodes}, "nothing has told the nodes yet"
    for nudge in ("1", "2", "3"):
        for node in swarm.nodes:
            services.set_node_labels(swarm.manager, node.name, {"nudge": nudge})
        time.sleep(2.0)
    assert _peers(swarm, created) == {node.address for node in swarm.nodes}


def test_an_overlay_that_overlaps_is_made_and_never_allocated(swarm: Lab) -> None:
    _create_overlay(swarm, "first", "10.20.0.0/24")
    second = _create_overlay(swarm, "second", "10.20.0.0/25")
    time.sleep(2.0)
    assert _listed(swarm, second)["Driver"] == ""


def test_an_ingress_that_is_allocated_late_serves_nobody_until_it_is_made_again(swarm: Lab) -> None:
    """A service published before keeps its tasks in NEW; so does one published after, on the same ingress."""
    _remove_ingress(swarm)
    blocker = _create_overlay(swarm, "blocker", "10.20.0.0/24")
    wait_until(lambda: _allocated(swarm, blocker), what="the overlay to be allocated", timeout=10)
    late = _create_ingress(swarm, "10.20.0.0/24")
    before = services.create(swarm.manager, services.replicated("before", services.ingress_port(8001)))
    time.sleep(2.0)
    assert not _allocated(swarm, late)

    swarm.manager.request("DELETE", f"/networks/{blocker}")
    wait_until(lambda: _allocated(swarm, late), what="the ingress to be allocated late", timeout=20)
    after = services.create(swarm.manager, services.replicated("after", services.ingress_port(8002)))
    time.sleep(5.0)
    assert [_task_states(swarm, key) for key in (before, after)] == [{"new": 3}, {"new": 3}]

    for key in (before, after):
        _change(swarm, key, EndpointSpec={"Mode": "vip"})
    _remove_ingress(swarm)
    made_again = _create_ingress(swarm, "10.20.0.0/24")
    wait_until(lambda: _allocated(swarm, made_again), what="the new ingress", timeout=20)
    for key, port in ((before, 8001), (after, 8002)):
        _change(swarm, key, EndpointSpec={"Mode": "vip", "Ports": [services.ingress_port(port)]})
    swarm.wait_running()


def test_tasks_of_a_removed_service_can_not_be_asked_for(swarm: Lab) -> None:
    web = services.create(swarm.manager, services.replicated("web"))
    swarm.wait_running()
    swarm.manager.request("DELETE", f"/services/{web}")
    with pytest.raises(docker.errors.NotFound):
        swarm.manager.request("GET", "/tasks", filters=f'{{"service": {{"{web}": true}}}}')


def test_ports_restart_tasks_and_labels_do_not(swarm: Lab) -> None:
    web = services.create(swarm.manager, services.replicated("web", services.ingress_port(8001)))
    swarm.wait_running()
    before = _task_ids(swarm, web)
    _change(swarm, web, Labels={"owner": "shop"}, UpdateConfig={"Parallelism": 0, "Order": "stop-first"})
    time.sleep(3.0)
    assert _task_ids(swarm, web) == before
    _change(swarm, web, EndpointSpec={"Mode": "vip", "Ports": [services.ingress_port(8101)]})
    wait_until(lambda: len(_task_ids(swarm, web) - before) == 3, what="three new tasks", timeout=20)


def test_a_wedge_is_healed_by_restarting_every_node(swarm: Lab) -> None:
    services.set_availability(swarm.manager, swarm.manager.name, "drain")
    services.create(swarm.manager, services.replicated("web", services.ingress_port(8001)))
    services.create(swarm.manager, services.replicated("api", services.ingress_port(8002)))
    swarm.wait_running()
    naive.rebuild(swarm.manager, subnet="10.11.0.0/24", gateway="10.11.0.1")
    wait_until(lambda: health.stale_ingress(swarm.nodes) != {}, what="the wedge", timeout=20)
    for node in reversed(swarm.nodes):
        node.restart()
    wait_until(lambda: naive.is_wedged(swarm) == [], what="all services at full strength", timeout=90, every=1)
