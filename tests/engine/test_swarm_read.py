"""A real Swarm, read through its manager and held against what the engine itself tells."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Mode, Swarm
from overlayweb.engine.connection import DockerEngine, Endpoint, connect
from overlayweb.engine.errors import NotAManager
from overlayweb.workflows.ports import SwarmEngine
from tests.lab import services
from tests.lab.swarm import Lab

pytestmark = pytest.mark.requires("dockerd", "root")


@pytest.fixture
def engine(lab: Lab, mix: dict[str, str]) -> Iterator[DockerEngine]:
    with connect(Endpoint(url=lab.manager.socket)) as made:
        yield made


@pytest.fixture
def swarm(engine: SwarmEngine) -> Swarm:
    return engine.observe()


def test_the_cluster(lab: Lab, swarm: Swarm) -> None:
    told = lab.manager.request("GET", "/swarm")
    version = lab.manager.request("GET", "/version")
    assert swarm.id == told["ID"]
    assert (swarm.engine_version, swarm.api_version) == (version["Version"], version["ApiVersion"])
    assert (swarm.default_addr_pools, swarm.subnet_size, swarm.data_path_port) == (("10.0.0.0/8",), 24, 4789)
    assert swarm.observed_at.tzinfo is not None
    assert 0 < swarm.latency_seconds < 2
    assert swarm.own_service_ids == ()


def test_the_nodes(lab: Lab, swarm: Swarm) -> None:
    read = {node.hostname: (node.address, node.role, node.leader) for node in swarm.nodes}
    expected = {node.name: (node.address, "worker", False) for node in lab.nodes}
    expected[lab.manager.name] = (lab.manager.address, "manager", True)
    assert read == expected
    assert {(node.state, node.availability, node.os) for node in swarm.nodes} == {("ready", "active", "linux")}
    assert {node.engine_version for node in swarm.nodes} == {swarm.engine_version}


def test_the_networks(lab: Lab, swarm: Swarm) -> None:
    assert {row.id: row.name for row in swarm.networks} == lab.manager.local_networks()
    listed = {row["Id"]: row for row in lab.manager.request("GET", "/networks")}
    assert {row.id: json.loads(row.document) for row in swarm.networks} == listed
    (ingress,) = swarm.ingress_networks
    assert (ingress.name, ingress.driver, ingress.allocated) == ("ingress", "overlay", True)
    assert ingress.ipam[0].subnet == "10.0.0.0/24"
    assert ingress.peers == tuple(node.address for node in lab.nodes)
    bridge = next(row for row in swarm.networks if row.name == "bridge")
    assert (bridge.scope, bridge.driver, bridge.ingress) == ("local", "bridge", False)


def test_the_services_are_whole(lab: Lab, swarm: Swarm, mix: dict[str, str]) -> None:
    assert {row.name: row.id for row in swarm.services} == mix
    for row in swarm.services:
        told = lab.manager.request("GET", f"/services/{row.id}")
        assert row.spec == Spec.of(told["Spec"])
        assert row.version == told["Version"]["Index"]
        assert len(row.ports) == len(told["Endpoint"].get("Ports", []))


def test_the_services_in_particular(swarm: Swarm) -> None:
    rows = {row.name: row for row in swarm.services}
    assert {name for name, row in rows.items() if row.mode is Mode.GLOBAL} == {"agent", "host_only"}
    assert (rows["agent"].replicas, rows["shop_api"].replicas) == (3, 2)
    assert rows["chosen"].ports[0].published_port >= 30000
    assert [port.published_port for port in rows["mixed"].ingress_ports] == [8005]
    assert [port.published_port for port in rows["mixed"].host_ports] == [9005]
    assert (rows["legacy"].init, rows["shop_web"].init) == (False, True)
    assert (rows["legacy"].stop_grace_seconds, rows["shop_pay"].stop_grace_seconds) == (10.0, 3.0)
    backend = next(row for row in swarm.networks if row.name == services.BACKEND)
    assert rows["shop_web"].network_ids == (backend.id,)
    assert {network_id for network_id, _ in rows["shop_web"].vips} == {backend.id, swarm.ingress_networks[0].id}
    assert {row.name for row in rows.values() if row.stack == "shop"} == {
        *("shop_web", "shop_api", "shop_pay", "shop_cache"),
    }
    assert len(swarm.published_services) == 9


def test_the_tasks(lab: Lab, swarm: Swarm) -> None:
    ingress = swarm.ingress_networks[0].id
    for row in swarm.services:
        running = swarm.running_on(row.id)
        assert len(running) == row.replicas
        assert all((ingress in task.network_ids) == bool(row.ingress_ports) for task in running)
    told = {container["Id"] for node in lab.nodes for container in node.containers()}
    assert {task.container_id for task in swarm.swarm_tasks if task.state == "running"} == told


def test_one_of_each_equals_its_row(engine: DockerEngine, swarm: Swarm) -> None:
    for row in swarm.services:
        assert engine.service(row.id) == row
    listed = swarm.ingress_networks[0]
    one = engine.network(listed.id)
    assert one is not None
    # Inspected, it is the node's own, which was made a moment after the Swarm's, and tells of containers.
    assert replace(one, created_at=listed.created_at, document=listed.document) == listed


def test_what_is_not_there_is_none(engine: DockerEngine, swarm: Swarm) -> None:
    assert engine.service("0" * 25) is None
    assert engine.service(swarm.services[0].id[:8]) is None, "the beginning of an id is not an id"
    assert engine.service(swarm.services[0].name) is None
    assert engine.network("0" * 25) is None
    assert engine.network("ingress") is None, "a name is not an id"


def test_overlapping_overlays_are_seen_as_not_allocated(lab: Lab, engine: DockerEngine) -> None:
    spec = {"Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.66.0.0/24"}]}}
    made = [lab.manager.request("POST", "/networks/create", {**spec, "Name": name}) for name in ("first", "second")]
    try:
        rows = {row.id: row for row in engine.networks()}
        assert [rows[each["Id"]].allocated for each in made] == [True, False]
        assert rows[made[1]["Id"]].ipam == ()
        engine.observe()
    finally:
        for each in reversed(made):
            lab.manager.request("DELETE", f"/networks/{each['Id']}")


def test_we_find_ourselves_by_our_container(
    lab: Lab, swarm: Swarm, mix: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERLAYWEB_CONTAINER_ID", swarm.running_on(mix["shop_api"])[0].container_id)
    with connect(Endpoint(url=lab.manager.socket)) as engine:
        own = engine.observe().own_service_ids
    assert {name for name, key in mix.items() if key in own} == {"shop_web", "shop_api", "shop_pay", "shop_cache"}


def test_a_worker_is_not_a_manager(lab: Lab) -> None:
    with connect(Endpoint(url=lab.nodes[1].socket)) as worker, pytest.raises(NotAManager, match="docker node promote"):
        worker.observe()
