"""The lab is what it says: a real Swarm, a mix of services, and nodes that can be looked into."""

import contextlib
import time

import docker
import pytest
import requests

from tests.lab import Lab, health, naive, services
from tests.lab.daemon import Node, wait_until

pytestmark = pytest.mark.requires("dockerd", "root")

_GET = """
exec 3<>/dev/tcp/$1/$2
printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3
timeout 10 cat <&3
"""
_SLOW = {"legacy", "batch"}
_UNPUBLISHED = {"host_only", "shop_cache"}


@pytest.fixture(scope="module")
def mix(lab: Lab) -> dict[str, str]:
    lab.reset()
    return services.create_mix(lab)


def _ingress(lab: Lab) -> str:
    (found,) = health.ingress_ids(lab.manager)
    return found


def test_three_nodes_form_a_swarm_within_ten_seconds() -> None:
    began = time.monotonic()
    with Lab(nodes=3, managers=1) as lab:
        took = time.monotonic() - began
        rows = lab.manager.request("GET", "/nodes")
        assert {row["Description"]["Hostname"]: row["Status"]["Addr"] for row in rows} == {
            node.name: node.address for node in lab.nodes
        }
        assert [row["Status"]["State"] for row in rows] == ["ready"] * 3
        assert sum(row.get("ManagerStatus", {}).get("Leader", False) for row in rows) == 1
    assert took <= 10


def test_a_lab_may_have_more_managers() -> None:
    with Lab(nodes=3, managers=3) as lab:
        rows = lab.nodes[2].request("GET", "/nodes")
        wait_until(lambda: _reachable(lab.nodes[2]) == 3, what="three managers", timeout=20)
        assert [row["Spec"]["Role"] for row in rows] == ["manager"] * 3


def test_the_mix_runs_at_full_strength_and_publishes_nine_services(lab: Lab, mix: dict[str, str]) -> None:
    rows = health.strengths(lab.manager)
    assert {row.service for row in rows if row.full} == mix.keys()
    found = lab.manager.request("GET", "/services")
    published = {row["Spec"]["Name"] for row in found if _modes(row) & {"ingress"}}
    assert published == mix.keys() - _UNPUBLISHED
    assert len(published) == 9
    assert naive.is_wedged(lab) == []


def test_swarm_chooses_a_port_where_none_is_asked_for(lab: Lab, mix: dict[str, str]) -> None:
    service = lab.manager.request("GET", f"/services/{mix['chosen']}")
    (port,) = service["Endpoint"]["Ports"]
    assert "PublishedPort" not in service["Spec"]["EndpointSpec"]["Ports"][0]
    assert port["PublishedPort"] >= 30000


def test_two_services_of_the_mix_ignore_sigterm(lab: Lab, mix: dict[str, str]) -> None:
    published = mix.keys() - _UNPUBLISHED
    for node in lab.nodes:
        for container in node.containers():
            if container["Labels"]["com.docker.swarm.service.name"] in published:
                node.request("POST", f"/containers/{container['Id']}/kill", signal="SIGTERM")
    wait_until(lambda: _exited(lab) >= published - _SLOW, what="what listens to be gone", timeout=20)
    assert _exited(lab) == published - _SLOW
    lab.wait_running(mix)


def test_a_port_in_host_mode_answers_from_another_node(lab: Lab, mix: dict[str, str]) -> None:
    answer = lab.nodes[0].execute("bash", "-c", _GET, "bash", lab.nodes[1].address, "9010")
    assert answer.splitlines()[0].split()[1] == "200"
    assert answer.splitlines()[-1] == "lab"


def test_each_node_tells_which_containers_are_on_the_ingress(lab: Lab, mix: dict[str, str]) -> None:
    net = _ingress(lab)
    wait_until(lambda: _names_on(lab, net) == mix.keys() - _UNPUBLISHED, what="all nine on the ingress", timeout=30)
    assert lab.containers_on(net).keys() == {node.name for node in lab.nodes}


def test_an_update_can_be_caught_under_way(lab: Lab, mix: dict[str, str]) -> None:
    service_id = services.create_updating(lab.manager)
    (row,) = [row for row in health.strengths(lab.manager) if row.service == "updating"]
    assert row.updating
    lab.manager.request("DELETE", f"/services/{service_id}")


def test_waiting_for_what_never_runs_says_which_and_how_far(lab: Lab) -> None:
    with pytest.raises(TimeoutError, match="nowhere missing"):
        lab.wait_running(["nowhere"], timeout=0.1)


def test_the_docker_command_is_of_the_engines_own_release(lab: Lab) -> None:
    versions = lab.manager.cli("version", "--format", "{{.Client.Version}} {{.Server.Version}}").split()
    assert versions[0] == versions[1]


def test_a_paused_engine_takes_connections_and_answers_nothing(lab: Lab) -> None:
    node = lab.nodes[2]
    node.pause()
    with pytest.raises(requests.Timeout):
        _ping(node)
    node.resume()
    assert _ping(node)


def test_a_stopped_engine_is_down_and_comes_back(lab: Lab) -> None:
    node = lab.nodes[2]
    node.stop()
    wait_until(lambda: _state(lab, node) == "down", what="the node to be down", timeout=30)
    node.start()
    wait_until(lambda: _state(lab, node) == "ready", what="the node to be ready", timeout=30)


def test_a_careless_rebuild_wedges_the_swarm_and_the_lab_sees_it(swarm: Lab) -> None:
    _create_two(swarm)
    old = _ingress(swarm)
    naive.rebuild(swarm.manager, subnet="10.11.0.0/24", gateway="10.11.0.1")
    stale = [f"{node.name} holds the stale ingress {old}" for node in swarm.nodes]
    wait_until(lambda: set(stale) <= set(naive.is_wedged(swarm)), what="the wedge", timeout=20, every=0.5)
    swarm.calm()
    time.sleep(10.0)
    assert set(stale) < set(naive.is_wedged(swarm)), "and more than that: services or the ingress are gone"


def test_a_careless_rebuild_wedges_the_workers_where_the_manager_takes_no_tasks(swarm: Lab) -> None:
    services.set_availability(swarm.manager, swarm.manager.name, "drain")
    _create_two(swarm)
    assert naive.rebuild(swarm.manager, subnet="10.11.0.0/24", gateway="10.11.0.1") is not None
    time.sleep(10.0)  # services that update at once would run again by then
    signs = naive.is_wedged(swarm)
    assert [sign.split()[0] for sign in signs if "stale" in sign] == ["node2", "node3"]
    assert len([sign for sign in signs if sign.startswith("below strength")]) == 2


def test_a_reset_gives_back_an_empty_swarm_on_the_same_sockets(swarm: Lab) -> None:
    sockets, old = [node.socket for node in swarm.nodes], _ingress(swarm)
    services.create(swarm.manager, services.everywhere("agent", services.ingress_port(8003)))
    swarm.wait_running()
    swarm.nodes[1].pause()
    swarm.nodes[2].stop()
    swarm.reset()
    assert [node.socket for node in swarm.nodes] == sockets
    assert swarm.manager.request("GET", "/services") == []
    assert [row["Status"]["State"] for row in swarm.manager.request("GET", "/nodes")] == ["ready"] * 3
    assert _ingress(swarm) != old
    assert [node.request("GET", "/containers/json", all=1) for node in swarm.nodes] == [[], [], []]


def _create_two(lab: Lab) -> None:
    for index in range(2):
        spec = services.replicated(f"web{index}", services.ingress_port(8000 + index))
        at_once = {"Parallelism": 0, "Monitor": services.SECOND}
        services.create(lab.manager, {**spec, "UpdateConfig": at_once})
    lab.wait_running()
    assert naive.is_wedged(lab) == []


def _names_on(lab: Lab, net: str) -> set[str]:
    """Of the services whose containers are on the network. Those restarted after an exit come 5 s late."""
    return {name.split(".")[0] for found in lab.containers_on(net).values() for name in found.values()}


def _exited(lab: Lab) -> set[str]:
    return {
        container["Labels"]["com.docker.swarm.service.name"]
        for node in lab.nodes
        for container in node.request("GET", "/containers/json", all=1)
        if container["State"] == "exited"
    }


def _modes(service: services.Spec) -> set[str]:
    return {port["PublishMode"] for port in service["Endpoint"].get("Ports", [])}


def _ping(node: Node) -> bool:
    with contextlib.closing(docker.APIClient(base_url=node.socket, version="1.41", timeout=1)) as client:
        return client.ping() is True


def _reachable(node: Node) -> int:
    rows = node.request("GET", "/nodes")
    return sum(row.get("ManagerStatus", {}).get("Reachability") == "reachable" for row in rows)


def _state(lab: Lab, node: Node) -> str:
    rows = lab.manager.request("GET", "/nodes")
    states = {row["Description"]["Hostname"]: str(row["Status"]["State"]) for row in rows}
    return states[node.name]
