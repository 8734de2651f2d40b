"""A Swarm as a manager shows it: nodes, networks, services and their tasks at one moment.

Frozen records in Docker's own words. The engine adapter makes them; everything else only reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import Spec, publishes_through_ingress

T = TypeVar("T")

STACK_LABEL = "com.docker.stack.namespace"
OWNER_LABEL = "owner"
"""By which people commonly say whose a network is; Docker knows nothing of it."""

SELF_LABEL = "com.overlayweb.self"
"""A service with this label is Overlayweb itself, whatever container asks."""

DATA_PATH_PORT = 4789
"""The UDP port of VXLAN where a Swarm was made with no other."""

DEFAULT_IPAM = "default"
"""The engine's own IPAM driver."""

ORPHANED = "orphaned"
"""Of a Swarm task whose node has been away for a day, or was removed from the Swarm."""

LEFT_NETWORK = frozenset({"complete", "shutdown", "failed", "rejected", "remove"})
"""States of a Swarm task that has left its networks. ``orphaned`` proves nothing."""


class Mode(StrEnum):
    """How Swarm schedules a service."""

    REPLICATED = "replicated"
    GLOBAL = "global"
    REPLICATED_JOB = "replicated-job"
    GLOBAL_JOB = "global-job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node. ``state``: ready, down, unknown, disconnected. ``availability``: active, pause, drain.

    ``updated_at``: when its record last changed; it does whenever its engine registers anew, however quickly.
    """

    id: str
    hostname: str
    role: str
    state: str
    availability: str
    address: str
    os: str = "linux"
    engine_version: str = ""
    leader: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    updated_at: datetime | None = None

    @property
    def ready(self) -> bool:
        """Whether the managers hear from it."""
        return self.state == "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class IpamConfig:
    """One subnet of a network, addresses as text: CIDR, gateway address, CIDR."""

    subnet: str
    gateway: str = ""
    ip_range: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFigures:
    """What an engine says of one subnet (API 1.52 and later): addresses in use, network and broadcast too, and free.

    ``available``: those of the ip-range, or of the whole subnet without one, that can still be given out.
    """

    subnet: str
    in_use: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network. ``scope`` "swarm" or "local". ``mtu`` is the driver option's raw text, "" when unset.

    An overlay that Swarm could not allocate shows no driver in the list and no subnets.
    ``peers`` are the addresses of nodes whose data plane joined; only an inspected network has them.
    ``figures``: how full its subnets are by the engine's own count; only an inspected network of API 1.52 has them.
    ``ipam_driver``, ``ipam_options``, ``auxiliary``: of its IPAM; the last are (name, address) pairs of all subnets.
    ``registered`` False: the Swarm has removed it, and only the node of the asked manager still holds it.
    ``document``: the row of the engine's list whole, as canonical JSON text; nothing is decided by it.
    """

    id: str
    name: str
    driver: str
    scope: str
    ingress: bool = False
    attachable: bool = False
    internal: bool = False
    encrypted: bool = False
    mtu: str = ""
    ipam: tuple[IpamConfig, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    peers: tuple[str, ...] = ()
    registered: bool = True
    created_at: datetime | None = None
    figures: tuple[AddressFigures, ...] = ()
    ipam_driver: str = ""
    ipam_options: tuple[tuple[str, str], ...] = ()
    auxiliary: tuple[tuple[str, str], ...] = ()
    document: str = ""

    @property
    def allocated(self) -> bool:
        """Whether Swarm has given it its addresses."""
        return bool(self.driver) and bool(self.ipam)

    def has_name(self, name: str) -> bool:
        """Whether it takes this name from others. To Swarm capitals make no other name. [lab: "name conflicts"]"""
        return self.name == name or (self.scope == "swarm" and self.name.casefold() == name.casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service. ``spec`` is whole; ``ports`` are ``Endpoint.Ports``, with what Swarm chose.

    ``update_state`` is Docker's: "", updating, paused, completed, rollback_started, rollback_paused,
    rollback_completed. ``vips``: (network id, address in CIDR) pairs. ``network_ids``: those the spec attaches to.
    """

    id: str
    version: int
    name: str
    spec: Spec
    mode: Mode = Mode.REPLICATED
    replicas: int = 1
    stack: str = ""
    ports: tuple[PublishedPort, ...] = ()
    vips: tuple[tuple[str, str], ...] = ()
    network_ids: tuple[str, ...] = ()
    update_state: str = ""
    update_message: str = ""
    update_started_at: datetime | None = None
    runtime: str = "container"
    previous_spec: Spec | None = None
    labels: tuple[tuple[str, str], ...] = ()
    stop_grace_seconds: float = 10.0
    init: bool = False

    @property
    def ingress_ports(self) -> tuple[PublishedPort, ...]:
        """Ports that every node answers, with what Swarm chose."""
        return tuple(port for port in self.ports if port.publish_mode == INGRESS_MODE)

    @property
    def host_ports(self) -> tuple[PublishedPort, ...]:
        """Ports that only the nodes with its containers answer."""
        return tuple(port for port in self.ports if port.publish_mode != INGRESS_MODE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmTask:
    """One Swarm task (not a Celery task). ``network_ids``: networks its node was told to attach it to."""

    id: str
    service_id: str
    node_id: str
    state: str
    desired_state: str
    network_ids: tuple[str, ...] = ()
    message: str = ""
    error: str = ""
    container_id: str = ""
    exit_code: int | None = None
    created_at: datetime | None = None
    state_at: datetime | None = None

    def may_be_on(self, *network_ids: str) -> bool:
        """Whether a container of this task may still be attached to one of them, as far as a manager can tell."""
        placed = bool(self.node_id) and self.state not in LEFT_NETWORK
        return placed and any(network_id in self.network_ids for network_id in network_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A running container outside services. ``network_ids``: full ids. ``own``: Overlayweb itself runs in it."""

    id: str
    name: str
    image: str = ""
    network_ids: tuple[str, ...] = ()
    own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """What a node's own engine, asked at its own endpoint, shows.

    ``ingress_ids``: full ids of the ingress networks that it holds. ``local_networks``: those that only it has, such
    as its bridges. ``containers``: those outside services. ``error``: why it could not be asked, or "".
    """

    node_id: str
    hostname: str
    observed_at: datetime
    ingress_ids: tuple[str, ...] = ()
    local_networks: tuple[Network, ...] = ()
    containers: tuple[Container, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swarm:
    """Everything read from one manager at ``observed_at``. ``latency_seconds``: median of its answers.

    ``manager_id``: the node id of that manager, "" when it is not known. ``node_views``: of the nodes whose own
    engine was asked too. ``attachments``: the Swarm tasks that stand for containers outside services.
    ``containers``: those of the manager's own node.
    """

    id: str
    observed_at: datetime
    engine_version: str = ""
    api_version: str = ""
    default_addr_pools: tuple[str, ...] = ()
    subnet_size: int = 24
    data_path_port: int = DATA_PATH_PORT
    nodes: tuple[Node, ...] = ()
    networks: tuple[Network, ...] = ()
    services: tuple[Service, ...] = ()
    swarm_tasks: tuple[SwarmTask, ...] = ()
    own_service_ids: tuple[str, ...] = ()
    latency_seconds: float = 0.0
    underlay_mtu: int | None = None
    manager_id: str = ""
    node_views: tuple[NodeView, ...] = ()
    attachments: tuple[SwarmTask, ...] = ()
    containers: tuple[Container, ...] = ()
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def ingress_networks(self) -> tuple[Network, ...]:
        """By the flag, never by the name; one in a healthy Swarm. Without removed ones that a node still holds."""
        return tuple(network for network in self.once(_ingresses) if network.registered)

    @property
    def stale_ingress_networks(self) -> tuple[Network, ...]:
        """Ingress networks that the Swarm has removed and the node of the asked manager still holds."""
        return tuple(network for network in self.once(_ingresses) if not network.registered)

    @property
    def published_services(self) -> tuple[Service, ...]:
        """Services that publish at least one port through the ingress, by name.

        By the spec too, not only by the endpoint: a spec alone keeps the ingress from being removed, and a service
        that Swarm has not allocated yet shows no ports at its endpoint.
        """
        return self.once(_published)

    def tasks_of(self, service_id: str) -> tuple[SwarmTask, ...]:
        """All its Swarm tasks that the manager still shows, ended ones too."""
        return self.once(_tasks_by_service).get(service_id, ())

    def tasks_at(self, node_id: str) -> tuple[SwarmTask, ...]:
        """All Swarm tasks of the node that the manager still shows, of every service."""
        return self.once(_tasks_by_node).get(node_id, ())

    def running_on(self, service_id: str) -> tuple[SwarmTask, ...]:
        """Its Swarm tasks that run and are meant to."""
        return tuple(t for t in self.tasks_of(service_id) if t.state == "running" and t.desired_state == "running")

    def once(self, work: "Callable[[Swarm], T]") -> T:
        """What follows from this observation alone, worked out when it is first asked for.

        An observation is read by many pages and never changes; with ten thousand services and networks nobody should
        look through all of them for each. What ``work`` returns is shared, so nothing that can be changed.
        """
        if work not in self._known:
            self._known[work] = work(self)
        return cast(T, self._known[work])

    def lately(self, work: "Callable[..., T]", *asked: object) -> T:
        """As :meth:`once`, of what follows from the observation and ``asked``: kept until it is asked for with other.

        A plan is worked out while it is typed, and again by each page that shows it; mostly the same is asked.
        """
        kept = self._known.get(work)
        if kept is None or kept[0] != asked:
            kept = self._known[work] = (asked, work(self, *asked))
        return cast(T, kept[1])


def _ingresses(swarm: Swarm) -> tuple[Network, ...]:
    return tuple(network for network in swarm.networks if network.ingress and network.scope == "swarm")


def _published(swarm: Swarm) -> tuple[Service, ...]:
    published = (s for s in swarm.services if s.ingress_ports or publishes_through_ingress(s.spec))
    return tuple(sorted(published, key=lambda s: s.name))


def _tasks_by_service(swarm: Swarm) -> Mapping[str, tuple[SwarmTask, ...]]:
    return _grouped(swarm, lambda swarm_task: swarm_task.service_id)


def _tasks_by_node(swarm: Swarm) -> Mapping[str, tuple[SwarmTask, ...]]:
    return _grouped(swarm, lambda swarm_task: swarm_task.node_id)


def _grouped(swarm: Swarm, key: Callable[[SwarmTask], str]) -> Mapping[str, tuple[SwarmTask, ...]]:
    grouped: dict[str, list[SwarmTask]] = {}
    for swarm_task in swarm.swarm_tasks:
        grouped.setdefault(key(swarm_task), []).append(swarm_task)
    return {name: tuple(rows) for name, rows in grouped.items()}
