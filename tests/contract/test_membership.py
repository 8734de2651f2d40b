"""An engine in no Swarm, the Swarm that is made of it, and how it leaves that again."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import deeds
from tests.contract.grounds import NODES, Document, Ground
from tests.contract.test_about import IN_A_SWARM

NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and'
    " try again."
)
NO_ADDRESS = "advertise address must be a non-zero IP address or network interface (with optional port number)"
POOL = "10.77.0.0/16"


@pytest.fixture(scope="module")
def dissolved(ground: Ground) -> Iterator[Ground]:
    """One engine in no Swarm; afterwards a Swarm for whoever comes next."""
    ground.dissolve()
    yield ground
    ground.reset()


@pytest.fixture
def outside(dissolved: Ground) -> Iterator[Ground]:
    """The same, and again in none after the test."""
    yield dissolved
    _leave(dissolved)


def _leave(ground: Ground) -> None:
    assert ground.ask("POST", "/swarm/leave", force="true").status in (200, 503)


def _init(ground: Ground, **more: object) -> str:
    """Make a Swarm; returns the id of its node."""
    return str(ground.do("POST", "/swarm/init", {**_request(), **more}))


def _request() -> Document:
    return {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "192.168.60.11"}


def _ingress(ground: Ground) -> Any:
    ground.until(lambda: any(row["Ingress"] for row in ground.get("/networks")), "the ingress to be listed")
    return deeds.ingress(ground)


def test_it_says_that_it_is_in_no_swarm(outside: Ground) -> None:
    place = outside.get("/info")["Swarm"]
    assert (place["LocalNodeState"], place["ControlAvailable"], place["NodeID"]) == ("inactive", False, "")
    assert (place["RemoteManagers"], place.get("Cluster"), place.get("Nodes")) == (None, None, None)
    ping = outside.ask("GET", "/_ping", api="none")
    assert ping.headers.get("Swarm") == ("inactive" if outside.facts.pings_with_swarm else None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/swarm", "/nodes", "/nodes/self", "/services", "/tasks", "/secrets", "/configs")),
        ("GET", "/services/web"),
        ("GET", "/tasks/one"),
        ("POST", "/swarm/update?version=1"),
        ("POST", "/services/create"),
    ],
)
def test_it_refuses_what_only_a_manager_does(outside: Ground, method: str, path: str) -> None:
    spec = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "lab/web:1"}}}
    answer = outside.ask(method, path, spec if method == "POST" else None)
    assert (answer.status, answer.words) == (503, NO_SWARM)


def test_it_has_networks_of_its_own_alone(outside: Ground) -> None:
    rows = outside.get("/networks")
    assert {row["Name"] for row in rows} - {"docker_gwbridge"} == {"bridge", "host", "none"}
    assert {row["Scope"] for row in rows} == {"local"}
    answer = outside.ask("POST", "/networks/create", {"Name": "mine", "Driver": "overlay"})
    assert (answer.status, answer.words) == (outside.facts.refuses_overlay_outside, NO_SWARM)
    assert outside.ask("GET", "/networks/ingress").status == 404


def test_a_swarm_is_made_of_it(outside: Ground) -> None:
    made = _init(outside)
    (node,) = outside.get("/nodes")
    assert (node["ID"], node["Description"]["Hostname"], node["Spec"]["Role"]) == (made, NODES[0], "manager")
    assert (node["Status"], node["ManagerStatus"]["Leader"]) == ({"State": "ready", "Addr": "192.168.60.11"}, True)
    place = outside.get("/info")["Swarm"]
    assert (place["LocalNodeState"], place["ControlAvailable"], place["NodeID"]) == ("active", True, made)
    told = outside.get("/swarm")
    assert (told["DefaultAddrPool"], told["SubnetSize"], told["DataPathPort"]) == (["10.0.0.0/8"], 24, 4789)
    outside.until(lambda: _ingress(outside)["Driver"], "the ingress to be allocated")
    assert _ingress(outside)["IPAM"]["Config"] == [{"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1"}]
    outside.until(lambda: "Peers" in outside.get("/networks/ingress"), "the ingress to come to the node")
    assert "docker_gwbridge" in {row["Name"] for row in outside.get("/networks")}
    again = outside.ask("POST", "/swarm/init", _request())
    assert (again.status, again.words) == (503, IN_A_SWARM)


def test_networks_come_from_the_pools_that_were_asked_for(outside: Ground) -> None:
    _init(outside, DefaultAddrPool=[POOL, "10.88.0.0/24"], SubnetSize=26, DataPathPort=7789)
    told = outside.get("/swarm")
    assert (told["DefaultAddrPool"], told["SubnetSize"], told["DataPathPort"]) == ([POOL, "10.88.0.0/24"], 26, 7789)
    outside.until(lambda: _ingress(outside)["Driver"], "the ingress to be allocated")
    made = deeds.create_overlay(outside, "next")
    rows = deeds.networks(outside)
    configs = [rows[key]["IPAM"]["Config"] for key in (_ingress(outside)["Id"], made)]
    assert configs == [[{"Subnet": f"10.77.0.{first}/26", "Gateway": f"10.77.0.{first + 1}"}] for first in (0, 64)]


def test_a_size_without_a_pool_has_no_effect(outside: Ground) -> None:
    _init(outside, SubnetSize=26)
    assert (outside.get("/swarm")["DefaultAddrPool"], outside.get("/swarm")["SubnetSize"]) == (["10.0.0.0/8"], 24)


def test_a_pool_without_a_size_makes_a_swarm_that_allocates_nothing(outside: Ground) -> None:
    _init(outside, DefaultAddrPool=[POOL])
    assert outside.get("/swarm")["SubnetSize"] == 0
    made = outside.do("POST", "/networks/create", {"Name": "never", "Driver": "overlay"})["Id"]
    outside.let_pass(2)
    assert [row["Driver"] for row in deeds.networks(outside).values() if row["Scope"] == "swarm"] == ["", ""]
    assert made in deeds.networks(outside)


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"ListenAddr": ""}, 400, 'invalid ListenAddr "": invalid empty address'),
        ({"AdvertiseAddr": "0.0.0.0:2377"}, 400, NO_ADDRESS),
        ({"AdvertiseAddr": "nope0.example"}, 400, NO_ADDRESS),
        ({"DataPathPort": 1023}, 500, "Datapath port number is not in valid range (1024-49151) : 1023"),
        ({"DataPathPort": 49152}, 500, "Datapath port number is not in valid range (1024-49151) : 49152"),
        ({"DefaultAddrPool": [POOL], "SubnetSize": 30}, 500, "subnet size is out of range: 30"),
        (
            {"DefaultAddrPool": ["10.77.0.0/28"], "SubnetSize": 24},
            500,
            'invalid CIDR: "10.77.0.0/28". Subnet size is too small for pool: 24',
        ),
        (
            {"DefaultAddrPool": ["junk"], "SubnetSize": 24},
            500,
            "invalid base pool junk: invalid CIDR address: junk",
        ),
    ],
)
def test_a_swarm_that_can_not_be_is_refused(outside: Ground, asked: Document, status: int, words: str) -> None:
    answer = outside.ask("POST", "/swarm/init", {**_request(), **asked})
    assert (answer.status, answer.words) == (status, words)
    assert outside.get("/info")["Swarm"]["LocalNodeState"] == "inactive"


def test_the_last_manager_leaves_by_force_alone_and_all_is_forgotten(outside: Ground) -> None:
    first = _init(outside)
    bridge = next(row["Id"] for row in outside.get("/networks") if row["Name"] == "bridge")
    outside.do("POST", "/networks/create", {"Name": "forgotten", "Driver": "overlay"})
    answer = outside.ask("POST", "/swarm/leave")
    assert (answer.status, "last manager erases all current state" in answer.words) == (503, True)
    outside.do("POST", "/swarm/leave", force="true")
    answer = outside.ask("POST", "/swarm/leave", force="true")
    assert (answer.status, answer.words) == (503, "This node is not part of a swarm")
    assert _init(outside) != first
    names = {row["Name"]: row["Id"] for row in outside.get("/networks")}
    assert ("forgotten" in names, names["bridge"]) == (False, bridge)
