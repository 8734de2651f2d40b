"""The services that tests run: one function per kind, each returning a raw spec.

Specs go to the engine as they are, without the client library's defaults and without a look-up of
the image in a registry. `create_mix` makes the mix that the benchmark and the tests of the lab and the
engine use; the tests of whole jobs make a quicker one of the same kinds in `tests/workflows/rig.py`.
"""

from collections.abc import Iterable
from typing import Any

from tests.lab import health, image
from tests.lab.daemon import Node, wait_until
from tests.lab.swarm import Lab

Spec = dict[str, Any]
Port = dict[str, Any]

SECOND = 1_000_000_000
"""Nanoseconds, in which specs tell times."""

STACK_LABEL = "com.docker.stack.namespace"
BACKEND = "shop_backend"
MEBIBYTE = 1024 * 1024


def ingress_port(published: int, target: int = 80) -> Port:
    """Return a port published through the routing mesh; `published` 0 lets Swarm choose."""
    port = {"Protocol": "tcp", "TargetPort": target, "PublishMode": "ingress"}
    return {**port, "PublishedPort": published} if published else port


def host_port(published: int, target: int = 80) -> Port:
    """Return a port published on the nodes that run the service, past the routing mesh."""
    return {
        "Protocol": "tcp",
        "TargetPort": target,
        "PublishedPort": published,
        "PublishMode": "host",
    }


def replicated(name: str, *ports: Port, replicas: int = 3, networks: Iterable[str] = (), stack: str = "") -> Spec:
    """Return a service of `replicas` web servers that stop at once when told to."""
    labels = {STACK_LABEL: stack} if stack else {}
    spec: Spec = {
        "Name": name,
        "Labels": labels,
        "TaskTemplate": {
            "ContainerSpec": {"Image": image.IMAGE, "Init": True, "Labels": dict(labels)},
            "Networks": [{"Target": network} for network in networks],
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
    }
    return {**spec, "EndpointSpec": {"Mode": "vip", "Ports": list(ports)}} if ports else spec


def everywhere(name: str, *ports: Port) -> Spec:
    """Return a global service: one web server on each node."""
    return {**replicated(name, *ports), "Mode": {"Global": {}}}


def start_first(name: str, *ports: Port) -> Spec:
    """Return a service whose updates start the new container before the old one stops."""
    update = {
        "Parallelism": 1,
        "Delay": SECOND // 2,
        "FailureAction": "rollback",
        "Monitor": SECOND,
        "MaxFailureRatio": 0.25,
        "Order": "start-first",
    }
    return {**replicated(name, *ports, replicas=2), "UpdateConfig": update}


def slow_stopping(name: str, *ports: Port, replicas: int = 2) -> Spec:
    """Return a service that ignores SIGTERM and is killed after Swarm's default grace of 10 s."""
    spec = replicated(name, *ports, replicas=replicas)
    spec["TaskTemplate"]["ContainerSpec"]["Init"] = False
    return spec


def rich(name: str, *ports: Port, secret: Spec, config: Spec) -> Spec:
    """Return a service with nearly all that a spec can hold; `secret` and `config` are references."""
    spec = replicated(name, *ports, replicas=2, stack="shop")
    spec["Labels"]["shop.owner"] = "payments"
    spec["TaskTemplate"]["ContainerSpec"].update(
        Env=["SHOP_MODE=test"],
        StopGracePeriod=3 * SECOND,
        Healthcheck={
            "Test": ["CMD", "/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1/"],
            "Interval": SECOND,
            "Timeout": 2 * SECOND,
            "Retries": 5,
        },
        Mounts=[
            {"Type": "volume", "Source": "shop_data", "Target": "/data"},
            {"Type": "tmpfs", "Target": "/scratch", "TmpfsOptions": {"SizeBytes": MEBIBYTE}},
        ],
        Secrets=[secret],
        Configs=[config],
    )
    spec["TaskTemplate"].update(
        Resources={
            "Limits": {"NanoCPUs": SECOND // 2, "MemoryBytes": 64 * MEBIBYTE},
            "Reservations": {"MemoryBytes": 4 * MEBIBYTE},
        },
        Placement={
            "Constraints": ["node.platform.os==linux"],
            "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}],
            "MaxReplicas": 2,
        },
        RestartPolicy={"Condition": "any", "Delay": SECOND, "MaxAttempts": 5},
    )
    spec["UpdateConfig"] = {"Parallelism": 2, "FailureAction": "pause", "Order": "stop-first"}
    spec["RollbackConfig"] = {"Parallelism": 1, "FailureAction": "pause", "Order": "stop-first"}
    return spec


def create(node: Node, spec: Spec) -> str:
    """Create a service through a manager and return its id."""
    return str(node.request("POST", "/services/create", spec)["ID"])


def create_secret(node: Node, name: str) -> Spec:
    """Create a secret; return the reference by which a service asks for it."""
    made = node.request("POST", "/secrets/create", {"Name": name, "Data": "bGFiCg=="})
    return {"SecretID": made["ID"], "SecretName": name, "File": _file(name)}


def create_config(node: Node, name: str) -> Spec:
    """Create a config; return the reference by which a service asks for it."""
    made = node.request("POST", "/configs/create", {"Name": name, "Data": "bGFiCg=="})
    return {"ConfigID": made["ID"], "ConfigName": name, "File": _file(f"/{name}")}


def create_overlay(node: Node, name: str, *, attachable: bool = False) -> str:
    """Create an overlay network with an address range of Swarm's choice and return its id."""
    spec = {"Name": name, "Driver": "overlay", "Attachable": attachable}
    return str(node.request("POST", "/networks/create", spec)["Id"])


def create_updating(node: Node, name: str = "updating", *, port: int = 8050) -> str:
    """Create a service and begin an update of it that takes ten minutes; return its id."""
    spec = replicated(name, ingress_port(port))
    service_id = create(node, spec)
    wait_until(lambda: _running(node, name) == 3, what=f"{name} to run", timeout=60, every=0.2)
    spec["TaskTemplate"]["ForceUpdate"] = 1
    spec["UpdateConfig"] = {"Parallelism": 1, "Delay": 300 * SECOND, "Order": "stop-first"}
    update(node, service_id, spec)
    wait_until(lambda: _updating(node, service_id), what=f"{name} to update", timeout=20)
    return service_id


def set_availability(node: Node, name: str, availability: str) -> None:
    """Make the node called `name` active, pause or drain, through the manager `node`."""
    _update_node(node, name, {"Availability": availability})


def set_node_labels(node: Node, name: str, labels: dict[str, str]) -> None:
    """Give the node called `name` these labels and no others, through the manager `node`."""
    _update_node(node, name, {"Labels": labels})


def update(node: Node, service_id: str, spec: Spec) -> None:
    """Replace a service's spec as a whole."""
    version = node.request("GET", f"/services/{service_id}")["Version"]["Index"]
    node.request("POST", f"/services/{service_id}/update", spec, version=version)


def create_mix(lab: Lab, *, timeout: float = 90.0) -> dict[str, str]:
    """Create nine services published through the routing mesh and two that are not; wait for all.

    Two of the nine ignore SIGTERM. Returns service ids by name. Raises TimeoutError, naming the
    services that do not run, after `timeout` seconds.
    """
    node = lab.manager
    backend = create_overlay(node, BACKEND)
    references = {
        "secret": create_secret(node, "shop_key"),
        "config": create_config(node, "shop_settings"),
    }
    specs = [
        replicated("shop_web", ingress_port(8001), networks=[backend], stack="shop"),
        replicated("shop_api", ingress_port(8002), ingress_port(8443), replicas=2, stack="shop"),
        everywhere("agent", ingress_port(8003)),
        start_first("portal", ingress_port(8004)),
        replicated("mixed", ingress_port(8005), host_port(9005), replicas=2),
        replicated("chosen", ingress_port(0), replicas=1),
        rich("shop_pay", ingress_port(8007), **references),
        slow_stopping("legacy", ingress_port(8008)),
        slow_stopping("batch", ingress_port(8009), replicas=1),
        everywhere("host_only", host_port(9010)),
        replicated("shop_cache", replicas=1, networks=[backend], stack="shop"),
    ]
    ids = {spec["Name"]: create(node, spec) for spec in specs}
    lab.wait_running(ids, timeout=timeout)
    return ids


def _update_node(node: Node, name: str, change: Spec) -> None:
    rows = node.request("GET", "/nodes")
    row = next(row for row in rows if row["Description"]["Hostname"] == name)
    version = row["Version"]["Index"]
    node.request("POST", f"/nodes/{row['ID']}/update", {**row["Spec"], **change}, version=version)


def _file(name: str) -> Spec:
    return {"Name": name, "UID": "0", "GID": "0", "Mode": 0o444}


def _running(node: Node, name: str) -> int:
    rows = health.strengths(node)
    return sum(row.running for row in rows if row.service == name)


def _updating(node: Node, service_id: str) -> bool:
    service = node.request("GET", f"/services/{service_id}")
    return bool(service.get("UpdateStatus", {}).get("State") == "updating")
