"""The networks and services of a Swarm as lists show them: one small record each, worked out in one pass.

Ten thousand of each have to be listed, so nothing here looks through all services for each network or the other way
round.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from overlayweb.domain import capacity
from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.capacity import Filling
from overlayweb.domain.ingress_settings import ipv4_ipam, job_of, subnet_of
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.swarm import OWNER_LABEL, STACK_LABEL, Mode, Network, Service, Swarm, SwarmTask

JOBS = frozenset({Mode.REPLICATED_JOB, Mode.GLOBAL_JOB})
LONGEST_LABEL = 255
"""Characters of a label that a row has; Docker takes any number."""
_STOPPED_UPDATE = frozenset({"paused", "rollback_paused"})
_UPDATING = frozenset({"updating", "rollback_started"})


class NetworkState(StrEnum):
    """How a network stands."""

    READY = "ready"
    """It has its addresses."""
    UNALLOCATED = "unallocated"
    """Swarm took it and has not given it addresses: what attaches to it waits."""
    REMOVED = "removed"
    """The Swarm has removed it, and the asked manager's node still holds it."""


class ServiceState(StrEnum):
    """How a service stands."""

    RUNNING = "running"
    """As many containers run as are wanted."""
    SHORT = "short"
    """Fewer run than are wanted."""
    UPDATING = "updating"
    """Swarm is replacing its containers."""
    PAUSED = "paused"
    """An update, or its way back, has stopped after a failure."""
    EMPTY = "empty"
    """None is wanted."""
    DONE = "done"
    """A job that has completed as often as it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedNetwork:
    """One network. ``nodes``: how many have a container on it, of the ingress how many are its peers.

    ``subnets``: its subnets as text; ``first_address``: where the first one begins, to sort by, None without.
    ``job``: the number of the job that made it, by its label, None for one made outside.
    ``named_owner``: whose it is by its label ``owner``, "" without.
    ``used`` of ``usable`` addresses are taken, ``peak`` at the worst moment of an update of everything on it; all 0
    where that is not known. ``words``: what a filter looks in.
    """

    network_id: str
    name: str
    scope: str
    driver: str
    state: str
    subnets: str
    first_address: int | None
    mtu: int | None
    ingress: bool
    attachable: bool
    internal: bool
    encrypted: bool
    job: int | None
    named_owner: str
    stack: str
    services: int
    containers: int
    nodes: int
    used: int
    peak: int
    usable: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedService:
    """One service. ``wanted`` and ``running`` containers; ``completed`` of a job. ``networks``: how many overlays.

    ``network_names`` and ``ports`` as text, in order; ``published``: whether it publishes through the ingress.
    """

    service_id: str
    name: str
    stack: str
    image: str
    mode: str
    state: str
    wanted: int
    running: int
    networks: int
    network_names: str
    ports: str
    published: bool
    words: str


@dataclass(slots=True)
class _Use:
    """What takes addresses of one network."""

    services: set[str] = field(default_factory=set)
    containers: int = 0
    nodes: set[str] = field(default_factory=set)


def networks(swarm: Swarm) -> tuple[ListedNetwork, ...]:
    """All networks that the manager shows, its own local ones too, in the order in which it shows them."""
    uses = swarm.once(_uses)
    return tuple(
        _network(network, uses.get(network.id, _Use()), capacity.filling_of(swarm=swarm, network_id=network.id))
        for network in swarm.networks
    )


def services(swarm: Swarm) -> tuple[ListedService, ...]:
    """All services."""
    names = {network.id: network.name for network in swarm.networks}
    return tuple(_service(swarm, service, names) for service in swarm.services)


def nodes_on(*, swarm: Swarm, network: Network) -> int:
    """On how many nodes the network is, as far as a manager shows it: by containers or by peers."""
    return _nodes_on(network, swarm.once(_uses).get(network.id, _Use()))


def _nodes_on(network: Network, use: _Use) -> int:
    return max(len(use.nodes), len(network.peers))


def _uses(swarm: Swarm) -> Mapping[str, _Use]:
    uses: dict[str, _Use] = defaultdict(_Use)
    for service in swarm.services:
        for network_id in service.network_ids:
            uses[network_id].services.add(service.id)
        for network_id, _ in service.vips:
            uses[network_id].services.add(service.id)
    for network in swarm.ingress_networks:
        uses[network.id].services.update(service.id for service in swarm.published_services)
    for swarm_task in (*swarm.swarm_tasks, *swarm.attachments):
        if swarm_task.desired_state == "running":
            _take(uses, swarm_task)
    return uses


def _take(uses: Mapping[str, _Use], swarm_task: SwarmTask) -> None:
    for network_id in swarm_task.network_ids:
        if swarm_task.may_be_on(network_id):
            uses[network_id].containers += 1
            uses[network_id].nodes.add(swarm_task.node_id)


def _network(network: Network, use: _Use, filling: Filling | None) -> ListedNetwork:
    """``filling``: None where it is not known how full it is, as of the manager's own networks."""
    first = subnet_of(ipv4_ipam(network).subnet)
    labels = dict(network.labels)
    stack, owner = (labels.get(key, "")[:LONGEST_LABEL] for key in (STACK_LABEL, OWNER_LABEL))
    blocks = ", ".join(ipam.subnet for ipam in network.ipam if ipam.subnet)
    return ListedNetwork(
        network_id=network.id,
        name=network.name,
        scope=network.scope,
        driver=network.driver,
        state=_network_state(network),
        subnets=blocks,
        first_address=first.first if first else None,
        mtu=int(network.mtu) if network.mtu.isascii() and network.mtu.isdigit() else None,
        ingress=network.ingress,
        attachable=network.attachable,
        internal=network.internal,
        encrypted=network.encrypted,
        job=job_of(network),
        named_owner=owner,
        stack=stack,
        services=len(use.services),
        containers=use.containers,
        nodes=_nodes_on(network, use),
        used=filling.used if filling else 0,
        peak=filling.peak if filling else 0,
        usable=filling.usable if filling else 0,
        words=_words(network.name, owner, stack, blocks, network.driver, network.id),
    )


def _network_state(network: Network) -> NetworkState:
    if not network.registered:
        return NetworkState.REMOVED
    waits = network.scope == "swarm" and network.driver in ("", "overlay") and not network.allocated
    return NetworkState.UNALLOCATED if waits else NetworkState.READY


def _service(swarm: Swarm, service: Service, names: Mapping[str, str]) -> ListedService:
    wanted = wanted_swarm_tasks(swarm=swarm, service=service)
    running = len(swarm.running_on(service.id))
    attached = sorted(names.get(network_id, network_id) for network_id in service.network_ids)
    ports = ", ".join(map(_port, sorted(service.ports, key=lambda port: port.published_port)))
    image = _image(service)
    return ListedService(
        service_id=service.id,
        name=service.name,
        stack=service.stack[:LONGEST_LABEL],
        image=image,
        mode=service.mode,
        state=_service_state(swarm, service, wanted=wanted, running=running),
        wanted=wanted,
        running=running,
        networks=len(attached),
        network_names=", ".join(attached),
        ports=ports,
        published=bool(service.ingress_ports),
        words=_words(service.name, service.stack, image, ports, *attached, service.id),
    )


def _service_state(swarm: Swarm, service: Service, *, wanted: int, running: int) -> ServiceState:
    if service.mode in JOBS:
        completed = sum(swarm_task.state == "complete" for swarm_task in swarm.tasks_of(service.id))
        if completed >= wanted:
            return ServiceState.DONE
        return ServiceState.RUNNING if running else ServiceState.SHORT
    if service.update_state in _STOPPED_UPDATE:
        return ServiceState.PAUSED
    if service.update_state in _UPDATING:
        return ServiceState.UPDATING
    if running < wanted:
        return ServiceState.SHORT
    return ServiceState.RUNNING if wanted else ServiceState.EMPTY


def _port(port: PublishedPort) -> str:
    protocol = "" if port.protocol == "tcp" else f"/{port.protocol}"
    mode = "" if port.publish_mode == INGRESS_MODE else " on its nodes"
    return f"{port.published_port or 'auto'}{protocol}{mode}"


def _image(service: Service) -> str:
    """The image as the spec names it, without the digest that the engine adds."""
    container = (service.spec.document().get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return str(container.get("Image", "")).partition("@")[0]


def _words(*parts: str) -> str:
    return " ".join(filter(None, _once(parts))).lower()


def _once(parts: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(parts)
