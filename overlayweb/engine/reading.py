"""The engine's JSON → the domain's records. Pure: nothing here calls anything.

Facts about the documents: Engine API 1.41 to 1.51, and what the lab's engines really answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import Spec, canonical
from overlayweb.domain.swarm import (
    DATA_PATH_PORT,
    LEFT_NETWORK,
    STACK_LABEL,
    AddressFigures,
    IpamConfig,
    Mode,
    Network,
    Node,
    Service,
    SwarmTask,
)

Raw = dict[str, Any]

MTU_OPTION = "com.docker.network.driver.mtu"
DEFAULT_STOP_GRACE_SECONDS = 10.0
DEFAULT_ADDRESS_POOL = "10.0.0.0/8"
DEFAULT_SUBNET_SIZE = 24
_NANOSECONDS = 1_000_000_000
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared with, not bound to
_ENGINE_BRIDGES = frozenset({"bridge", "docker_gwbridge"})
_MODES = {
    "Replicated": Mode.REPLICATED,
    "Global": Mode.GLOBAL,
    "ReplicatedJob": Mode.REPLICATED_JOB,
    "GlobalJob": Mode.GLOBAL_JOB,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What was fixed when the Swarm was made."""

    id: str
    default_addr_pools: tuple[str, ...]
    subnet_size: int
    data_path_port: int


def cluster(raw: Raw) -> Cluster:
    """GET /swarm. Left at their defaults, the engine may leave pools out and tell numbers as 0."""
    return Cluster(
        id=raw["ID"],
        default_addr_pools=tuple(raw.get("DefaultAddrPool") or (DEFAULT_ADDRESS_POOL,)),
        subnet_size=raw.get("SubnetSize") or DEFAULT_SUBNET_SIZE,
        data_path_port=raw.get("DataPathPort") or DATA_PATH_PORT,
    )


def own_node_id(raw: Raw) -> str:
    """GET /info: the id of the node that the asked manager is, "" when it does not say."""
    return str((raw.get("Swarm") or {}).get("NodeID", ""))


def version_and_spec(raw: Raw) -> tuple[int, Raw]:
    """What is needed to change an object: its version and its whole spec."""
    return int(raw["Version"]["Index"]), dict(raw["Spec"])


def node(raw: Raw) -> Node:
    """A row of GET /nodes."""
    description = raw.get("Description") or {}
    return Node(
        id=raw["ID"],
        hostname=description.get("Hostname", ""),
        role=raw["Spec"]["Role"],
        state=raw["Status"]["State"],
        availability=raw["Spec"]["Availability"],
        address=_node_address(raw),
        os=(description.get("Platform") or {}).get("OS", "linux"),
        engine_version=(description.get("Engine") or {}).get("EngineVersion", ""),
        leader=bool((raw.get("ManagerStatus") or {}).get("Leader")),
        labels=pairs(raw["Spec"].get("Labels")),
        updated_at=moment(raw.get("UpdatedAt")),
    )


def network(raw: Raw) -> Network:
    """A row of GET /networks, or GET /networks/{id}, which alone has the peers and, from API 1.52 on, the figures.

    An overlay that Swarm has not allocated comes with driver "" and without IPAM.
    """
    options, managed = raw.get("Options") or {}, raw.get("IPAM") or {}
    configs = managed.get("Config") or ()
    return Network(
        id=raw["Id"],
        name=raw["Name"],
        driver=raw.get("Driver", ""),
        scope=raw["Scope"],
        ingress=bool(raw.get("Ingress")),
        attachable=bool(raw.get("Attachable")),
        internal=bool(raw.get("Internal")),
        encrypted="encrypted" in options,
        mtu=options.get(MTU_OPTION, ""),
        ipam=tuple(_ipam(configs)),
        labels=pairs(raw.get("Labels")),
        options=pairs(options),
        peers=tuple(sorted(peer["IP"] for peer in raw.get("Peers") or ())),
        created_at=moment(raw.get("Created")),
        figures=_figures(raw),
        ipam_driver=managed.get("Driver", ""),
        ipam_options=pairs(managed.get("Options")),
        auxiliary=tuple(pair for config in configs for pair in pairs(config.get("AuxiliaryAddresses"))),
        document=canonical(raw),
    )


def service(raw: Raw) -> Service:
    """A row of GET /services?status=true.

    ``replicas`` of a global service is how many tasks Swarm wants of it now, which is one per eligible node; of a
    replicated job, how often it has to complete.
    """
    spec = raw["Spec"]
    template = spec.get("TaskTemplate") or {}
    container = template.get("ContainerSpec") or {}
    endpoint = raw.get("Endpoint") or {}
    update = raw.get("UpdateStatus") or {}
    previous = raw.get("PreviousSpec")
    mode = _mode(spec)
    return Service(
        id=raw["ID"],
        version=raw["Version"]["Index"],
        name=spec["Name"],
        spec=Spec.of(spec),
        mode=mode,
        replicas=_replicas(raw, mode),
        stack=(spec.get("Labels") or {}).get(STACK_LABEL, ""),
        ports=tuple(_port(port) for port in endpoint.get("Ports") or ()),
        vips=tuple((vip["NetworkID"], vip.get("Addr", "")) for vip in endpoint.get("VirtualIPs") or ()),
        network_ids=tuple(row["Target"] for row in template.get("Networks") or spec.get("Networks") or ()),
        update_state=update.get("State", ""),
        update_message=update.get("Message", ""),
        update_started_at=moment(update.get("StartedAt")),
        runtime=template.get("Runtime") or "container",
        previous_spec=Spec.of(previous) if previous else None,
        labels=pairs(spec.get("Labels")),
        stop_grace_seconds=_stop_grace(container),
        init=bool(container.get("Init")),
    )


def swarm_task(raw: Raw) -> SwarmTask:
    """A row of GET /tasks. The exit code is told only of a task that has ended: before, the engine says 0."""
    status = raw.get("Status") or {}
    container = status.get("ContainerStatus") or {}
    state = status["State"]
    attachments = raw.get("NetworksAttachments") or ()
    return SwarmTask(
        id=raw["ID"],
        service_id=raw.get("ServiceID", ""),
        node_id=raw.get("NodeID", ""),
        state=state,
        desired_state=raw["DesiredState"],
        network_ids=tuple(row["Network"]["ID"] for row in attachments),
        message=status.get("Message", ""),
        error=status.get("Err", ""),
        container_id=container.get("ContainerID", ""),
        exit_code=container.get("ExitCode") if state in LEFT_NETWORK else None,
        created_at=moment(raw.get("CreatedAt")),
        state_at=moment(status.get("Timestamp")),
    )


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 time with up to nine decimals, cut to microseconds; None for Go's zero time, or none at all."""
    if not text or text.startswith("0001-01-01T"):
        return None
    return datetime.fromisoformat(text)


def pairs(mapping: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """A mapping as pairs in the order of their keys."""
    return tuple(sorted((mapping or {}).items()))


def engine_mtu(networks: Iterable[Network]) -> int | None:
    """The smallest MTU that the manager's engine is set to use for its own bridges, or None where it does not say.

    It is what the engine is configured with (1500, unless somebody set another), not a measurement of the wire.
    """
    bridges = (row for row in networks if row.scope == "local" and row.name in _ENGINE_BRIDGES)
    return min((int(row.mtu) for row in bridges if row.mtu.isascii() and row.mtu.isdigit()), default=None)


def _node_address(raw: Raw) -> str:
    # A manager that joined by itself may be known to the leader as 0.0.0.0; its manager address is a real one.
    address: str = raw["Status"].get("Addr", "")
    if address not in _ANY_ADDRESS:
        return address
    managed: str = (raw.get("ManagerStatus") or {}).get("Addr", "")
    return managed.rpartition(":")[0].strip("[]")


def _figures(raw: Raw) -> tuple[AddressFigures, ...]:
    told = (((raw.get("Status") or {}).get("IPAM") or {}).get("Subnets") or {}).items()
    return tuple(
        AddressFigures(subnet=subnet, in_use=row["IPsInUse"], available=row["DynamicIPsAvailable"])
        for subnet, row in sorted(told)
    )


def _ipam(configs: Iterable[Raw]) -> Iterable[IpamConfig]:
    for config in configs:
        yield IpamConfig(
            subnet=config.get("Subnet", ""), gateway=config.get("Gateway", ""), ip_range=config.get("IPRange", "")
        )


def _port(raw: Raw) -> PublishedPort:
    return PublishedPort(
        target_port=raw.get("TargetPort", 0),
        published_port=raw.get("PublishedPort", 0),
        protocol=raw.get("Protocol", "tcp"),
        publish_mode=raw.get("PublishMode", INGRESS_MODE),
    )


def _mode(spec: Raw) -> Mode:
    mode = spec.get("Mode") or {}
    return next((name for key, name in _MODES.items() if key in mode), Mode.REPLICATED)


def _replicas(raw: Raw, mode: Mode) -> int:
    asked = raw["Spec"].get("Mode") or {}
    if mode is Mode.REPLICATED:
        replicas = (asked.get("Replicated") or {}).get("Replicas")
    elif mode is Mode.REPLICATED_JOB:
        replicas = (asked["ReplicatedJob"] or {}).get("TotalCompletions")
    else:
        replicas = (raw.get("ServiceStatus") or {}).get("DesiredTasks", 0)
    return 1 if replicas is None else int(replicas)


def _stop_grace(container: Raw) -> float:
    nanoseconds = container.get("StopGracePeriod")
    return DEFAULT_STOP_GRACE_SECONDS if nanoseconds is None else nanoseconds / _NANOSECONDS
