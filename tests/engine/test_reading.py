"""The engine's documents, in small, and what they become."""

from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

import pytest

from overlayweb.domain.ports import PublishedPort
from overlayweb.domain.swarm import IpamConfig, Mode
from overlayweb.engine import reading

Raw = dict[str, Any]


def _node(**changes: Any) -> Raw:
    return {
        "ID": "n1",
        "Version": {"Index": 9},
        "Spec": {"Labels": {"zone": "b", "disk": "ssd"}, "Role": "manager", "Availability": "drain"},
        "Description": {
            "Hostname": "node1",
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Engine": {"EngineVersion": "20.10.24+dfsg1"},
        },
        "Status": {"State": "ready", "Addr": "192.168.60.11"},
        "ManagerStatus": {"Leader": True, "Reachability": "reachable", "Addr": "192.168.60.11:2377"},
        **changes,
    }


def _service(**spec: Any) -> Raw:
    template = spec.pop("TaskTemplate", {"ContainerSpec": {"Image": "web:1"}})
    return {
        "ID": "s1",
        "Version": {"Index": 21},
        "Spec": {"Name": "web", "Labels": {}, "TaskTemplate": template, "Mode": {"Replicated": {}}, **spec},
        "Endpoint": {"Spec": {}},
    }


def _task(**status: Any) -> Raw:
    return {
        "ID": "t1",
        "CreatedAt": "2026-11-23T19:11:04.335145678Z",
        "ServiceID": "s1",
        "NodeID": "n1",
        "Status": {"Timestamp": "2026-11-23T19:11:08.4Z", "State": "running", "Message": "started", **status},
        "DesiredState": "running",
        "NetworksAttachments": [
            {"Network": {"ID": "net1", "Spec": {"Name": "ingress"}}, "Addresses": ["10.0.0.7/24"]},
            {"Network": {"ID": "net2"}},
        ],
    }


def test_a_node() -> None:
    node = reading.node(_node())
    assert (node.id, node.hostname, node.role, node.state, node.availability) == (
        *("n1", "node1", "manager", "ready", "drain"),
    )
    assert (node.address, node.os, node.engine_version, node.leader) == (
        "192.168.60.11",
        "linux",
        "20.10.24+dfsg1",
        True,
    )
    assert node.labels == (("disk", "ssd"), ("zone", "b"))


@pytest.mark.parametrize(
    ("status", "manager", "address"),
    [
        ("::", "192.168.60.11:2377", "192.168.60.11"),
        (str(IPv4Address(0)), "192.168.60.11:2377", "192.168.60.11"),
        ("", "[fd00::5]:2377", "fd00::5"),
        ("192.168.60.12", "10.1.1.1:2377", "192.168.60.12"),
    ],
)
def test_the_address_of_a_manager(status: str, manager: str, address: str) -> None:
    raw = _node(Status={"State": "ready", "Addr": status}, ManagerStatus={"Addr": manager})
    assert reading.node(raw).address == address


def test_a_worker_that_never_came_up() -> None:
    raw = _node(Spec={"Role": "worker", "Availability": "active", "Labels": None}, Status={"State": "unknown"})
    del raw["Description"], raw["ManagerStatus"]
    node = reading.node(raw)
    assert (node.hostname, node.address, node.leader, node.labels) == ("", "", False, ())


def test_what_a_network_s_ipam_has_beside_its_subnets() -> None:
    rows = [
        {"Subnet": "10.11.0.0/24", "AuxiliaryAddresses": {"printer": "10.11.0.9"}},
        {"Subnet": "10.12.0.0/24", "AuxiliaryAddresses": {"camera": "10.12.0.9"}},
        {"Subnet": "10.13.0.0/24"},
    ]
    raw = {"Id": "net1", "Name": "lake", "Scope": "swarm", "Driver": "overlay"}
    network = reading.network({**raw, "IPAM": {"Driver": "weave", "Options": {"pool": "a"}, "Config": rows}})
    assert (network.ipam_driver, network.ipam_options) == ("weave", (("pool", "a"),))
    assert network.auxiliary == (("printer", "10.11.0.9"), ("camera", "10.12.0.9"))
    bare = reading.network({**raw, "IPAM": {"Driver": "default", "Options": None, "Config": None}})
    assert (bare.ipam_driver, bare.ipam_options, bare.auxiliary) == ("default", (), ())


def test_an_inspected_ingress() -> None:
    network = reading.network(
        {
            "Id": "net1",
            "Name": "ingress",
            "Scope": "swarm",
            "Driver": "overlay",
            "EnableIPv6": False,
            "IPAM": {
                "Driver": "default",
                "Options": None,
                "Config": [{"Subnet": "10.11.0.0/16", "IPRange": "10.11.4.0/24", "Gateway": "10.11.0.1"}],
            },
            "Internal": False,
            "Attachable": False,
            "Ingress": True,
            "Options": {"com.docker.network.driver.mtu": "1400", "encrypted": "false"},
            "Labels": {"owner": "platform"},
            "Peers": [{"Name": "b1", "IP": "192.168.60.12"}, {"Name": "a7", "IP": "192.168.60.11"}],
        }
    )
    assert network.ipam == (IpamConfig(subnet="10.11.0.0/16", gateway="10.11.0.1", ip_range="10.11.4.0/24"),)
    assert (network.ingress, network.mtu, network.allocated) == (True, "1400", True)
    assert network.encrypted, "the presence of the key encrypts, whatever it says"
    assert network.peers == ("192.168.60.11", "192.168.60.12")
    assert network.labels == (("owner", "platform"),)


def test_an_overlay_that_is_not_allocated() -> None:
    raw = {"Id": "net2", "Name": "late", "Scope": "swarm", "Driver": "", "IPAM": {"Driver": "", "Config": None}}
    for document in (raw, {**raw, "IPAM": None, "Options": None, "Labels": None}):
        network = reading.network(document)
        assert (network.driver, network.ipam, network.allocated) == ("", (), False)


def test_a_service_with_all_that_matters() -> None:
    ports = [{"Protocol": "tcp", "TargetPort": 80, "PublishMode": "ingress"}]
    raw = _service(
        Labels={"com.docker.stack.namespace": "shop", "a": "b"},
        TaskTemplate={
            "ContainerSpec": {"Image": "web:1", "StopGracePeriod": 3_500_000_000, "Init": True},
            "Networks": [{"Target": "net2", "Aliases": ["web"]}],
            "Runtime": "container",
        },
        Mode={"Replicated": {"Replicas": 0}},
        EndpointSpec={"Mode": "vip", "Ports": ports},
    )
    raw["Endpoint"] = {
        "Spec": {},
        "Ports": [
            {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 30001, "PublishMode": "ingress"},
            {"Protocol": "udp", "TargetPort": 53, "PublishedPort": 53, "PublishMode": "host"},
        ],
        "VirtualIPs": [{"NetworkID": "net1", "Addr": "10.0.0.5/24"}, {"NetworkID": "net2"}],
    }
    raw["UpdateStatus"] = {"State": "paused", "StartedAt": "2026-11-23T19:11:08.4Z", "Message": "update paused"}
    raw["PreviousSpec"] = {"Name": "web", "Labels": {"older": "yes"}}
    service = reading.service(raw)
    assert (service.id, service.version, service.name, service.stack) == ("s1", 21, "web", "shop")
    assert service.spec.document() == raw["Spec"]
    assert service.previous_spec is not None
    assert service.previous_spec.document() == raw["PreviousSpec"]
    assert (service.mode, service.replicas) == (Mode.REPLICATED, 0)
    assert service.ports == (
        PublishedPort(target_port=80, published_port=30001),
        PublishedPort(target_port=53, published_port=53, protocol="udp", publish_mode="host"),
    )
    assert service.vips == (("net1", "10.0.0.5/24"), ("net2", ""))
    assert service.network_ids == ("net2",)
    assert (service.update_state, service.update_message) == ("paused", "update paused")
    assert (service.stop_grace_seconds, service.init, service.runtime) == (3.5, True, "container")
    assert service.labels == (("a", "b"), ("com.docker.stack.namespace", "shop"))


def test_a_service_with_nothing_said() -> None:
    service = reading.service(_service())
    assert (service.stop_grace_seconds, service.init, service.replicas, service.stack) == (10.0, False, 1, "")
    assert (service.ports, service.vips, service.network_ids, service.previous_spec) == ((), (), (), None)
    assert (service.runtime, service.update_state) == ("container", "")


def test_a_stop_grace_of_zero_is_zero() -> None:
    service = reading.service(_service(TaskTemplate={"ContainerSpec": {"StopGracePeriod": 0}}))
    assert service.stop_grace_seconds == 0


@pytest.mark.parametrize(
    ("mode", "desired", "read", "replicas"),
    [
        ({"Global": {}}, 3, Mode.GLOBAL, 3),
        ({"Global": {}}, None, Mode.GLOBAL, 0),
        ({"ReplicatedJob": {"MaxConcurrent": 2, "TotalCompletions": 5}}, 2, Mode.REPLICATED_JOB, 5),
        ({"GlobalJob": {}}, 2, Mode.GLOBAL_JOB, 2),
        ({"Replicated": {"Replicas": 4}}, 2, Mode.REPLICATED, 4),
    ],
)
def test_modes(mode: Raw, desired: int | None, read: Mode, replicas: int) -> None:
    raw = _service(Mode=mode)
    if desired is not None:
        raw["ServiceStatus"] = {"RunningTasks": 1, "DesiredTasks": desired, "CompletedTasks": 0}
    service = reading.service(raw)
    assert (service.mode, service.replicas) == (read, replicas)


def test_a_plugin_service() -> None:
    plugin = {"PluginSpec": {"name": "logs", "remote": "logs:1"}, "Runtime": "plugin"}
    assert reading.service(_service(TaskTemplate=plugin)).runtime == "plugin"


def test_networks_in_the_place_they_had_long_ago() -> None:
    assert reading.service(_service(Networks=[{"Target": "net9"}])).network_ids == ("net9",)


def test_a_running_task() -> None:
    task = reading.swarm_task(_task(ContainerStatus={"ContainerID": "c" * 64, "PID": 7, "ExitCode": 0}))
    assert (task.id, task.service_id, task.node_id, task.state, task.desired_state) == (
        *("t1", "s1", "n1", "running", "running"),
    )
    assert task.network_ids == ("net1", "net2")
    assert (task.container_id, task.exit_code, task.message) == ("c" * 64, None, "started")
    assert task.created_at == datetime(2026, 11, 23, 19, 11, 4, 335145, tzinfo=UTC)
    assert task.state_at == datetime(2026, 11, 23, 19, 11, 8, 400000, tzinfo=UTC)


def test_a_task_that_failed() -> None:
    raw = _task(State="failed", Err="task: non-zero exit (137)", ContainerStatus={"ContainerID": "c", "ExitCode": 137})
    task = reading.swarm_task(raw)
    assert (task.exit_code, task.error, task.may_be_on("net1")) == (137, "task: non-zero exit (137)", False)


def test_a_task_that_has_nothing_yet() -> None:
    raw = _task(State="new")
    del raw["NodeID"], raw["NetworksAttachments"]
    task = reading.swarm_task(raw)
    assert (task.node_id, task.network_ids, task.container_id, task.exit_code) == ("", (), "", None)


@pytest.mark.parametrize("text", [None, "", "0001-01-01T00:00:00Z"])
def test_no_time(text: str | None) -> None:
    assert reading.moment(text) is None


def test_a_time_of_another_zone() -> None:
    assert reading.moment("2026-11-23T21:11:04.9+02:00") == datetime(2026, 11, 23, 19, 11, 4, 900000, tzinfo=UTC)


def test_the_swarm() -> None:
    raw = {"ID": "c1", "DefaultAddrPool": ["10.20.0.0/14"], "SubnetSize": 26, "DataPathPort": 7777}
    cluster = reading.cluster(raw)
    assert (cluster.default_addr_pools, cluster.subnet_size, cluster.data_path_port) == (("10.20.0.0/14",), 26, 7777)


def test_the_swarm_with_its_defaults() -> None:
    cluster = reading.cluster({"ID": "c1", "DefaultAddrPool": None, "SubnetSize": 0, "DataPathPort": 0})
    assert (cluster.default_addr_pools, cluster.subnet_size, cluster.data_path_port) == (("10.0.0.0/8",), 24, 4789)


@pytest.mark.parametrize(
    ("mtus", "known"),
    [
        ({"bridge": "1500", "docker_gwbridge": "1400"}, 1400),
        ({"bridge": "9000", "docker_gwbridge": ""}, 9000),
        ({"bridge": "", "docker_gwbridge": ""}, None),
        ({"mine": "1200"}, None),
        ({"bridge": "abc"}, None),
    ],
)
def test_the_mtu_of_the_engine(mtus: dict[str, str], known: int | None) -> None:
    rows = [
        reading.network(
            {"Id": name, "Name": name, "Scope": "local", "Driver": "bridge", "Options": {reading.MTU_OPTION: mtu}}
        )
        for name, mtu in mtus.items()
    ]
    overlay = {"Id": "o", "Name": "bridge", "Scope": "swarm", "Driver": "overlay", "Options": {reading.MTU_OPTION: "1"}}
    assert reading.engine_mtu([*rows, reading.network(overlay)]) == known
