"""Who holds which addresses of a cluster, and how many addresses an ingress network needs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from overlayweb.domain import subnets
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.swarm import Mode, Network, Node, Service, Swarm

START_FIRST = "start-first"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedRange:
    """A range that admins keep free of overlays: a VPC, a VPN, an office. ``cidr`` as text."""

    name: str
    cidr: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A block of addresses that somebody has. ``kind``: "overlay", "local", "node", "reserved".

    ``node``: whose local network it is, "" for the manager's.
    """

    kind: str
    id: str
    name: str
    subnet: Subnet
    note: str = ""
    node: str = ""

    def __str__(self) -> str:
        if self.kind == "node":
            return f"the address of node {self.name} ({subnets.address_text(self.subnet.first)})"
        local = f"{self.node}'s local network" if self.node else "the manager's local network"
        word = {"overlay": "overlay", "local": local, "reserved": "reserved range"}[self.kind]
        return f"{word} {self.name} ({self.subnet}{f', {self.note}' if self.note else ''})"


def holdings(
    *, swarm: Swarm, reserved: Sequence[ReservedRange], without: Iterable[Network] = ()
) -> tuple[Holding, ...]:
    """Everything that a new subnet must stay clear of: overlays, local networks, node addresses, reserved ranges.

    Local networks are the manager's, and those of nodes whose own engine was asked. ``without``: networks that make
    room, such as the ingress that is replaced. Addresses that are not IPv4 and ``0.0.0.0``, which a node behind NAT
    may show, hold nothing.
    """
    leaving = {network.id for network in without}
    seen = swarm.once(_seen)
    staying = (row for row in seen if row.id not in leaving) if leaving else seen
    return (*staying, *of_reserved(reserved))


def wanted_swarm_tasks(*, swarm: Swarm, service: Service) -> int:
    """How many tasks the service wants at once: its replicas, or for a global one what Swarm wants on its nodes."""
    if service.mode is not Mode.GLOBAL:
        return service.replicas
    wanted = {task.node_id for task in swarm.tasks_of(service.id) if task.desired_state == "running" and task.node_id}
    return len(wanted) or sum(node.ready and node.availability == "active" for node in swarm.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Addresses that an ingress takes. ``containers`` counts two for each task of a start-first service."""

    nodes: int
    services: int
    containers: int
    gateway: int = 1

    @property
    def total(self) -> int:
        """All of them."""
        return self.gateway + self.nodes + self.services + self.containers

    def __str__(self) -> str:
        parts = [f"{self.nodes} for nodes", f"{self.services} for services", f"{self.containers} for containers"]
        return ", ".join(["1 for the gateway", *parts] if self.gateway else parts)


def ingress_need(*, swarm: Swarm, services: Sequence[Service], gateway: bool = True) -> Need:
    """What the ingress needs for these published services. ``gateway`` False: it lies outside the ip-range.

    Source: swarmkit allocates the gateway, one address per node for its load balancer, one VIP per service, one
    address per task; start-first runs the old and the new task side by side.
    """
    return Need(
        nodes=len(swarm.nodes),
        services=len(services),
        containers=sum(wanted_swarm_tasks(swarm=swarm, service=s) * (2 if starts_first(s) else 1) for s in services),
        gateway=int(gateway),
    )


def starts_first(service: Service) -> bool:
    """Whether an update of it runs the old and the new Swarm task side by side."""
    if START_FIRST not in service.spec.text:
        return False
    return (service.spec.document().get("UpdateConfig") or {}).get("Order") == START_FIRST


def _seen(swarm: Swarm) -> tuple[Holding, ...]:
    known = tuple(_of_networks(swarm.networks))
    return (*known, *_elsewhere(swarm, known), *_of_nodes(swarm.nodes))


def _of_networks(networks: Iterable[Network]) -> Iterator[Holding]:
    for network in networks:
        for ipam in network.ipam:
            subnet = subnets.parse_or_none(ipam.subnet)
            if subnet is not None:
                kind = "overlay" if network.scope == "swarm" else "local"
                yield Holding(kind=kind, id=network.id, name=network.name, subnet=subnet)


def _elsewhere(swarm: Swarm, known: Iterable[Holding]) -> Iterator[Holding]:
    """Local networks of other nodes. One that each node has alike, such as docker_gwbridge, is named once."""
    told = {(holding.name, holding.subnet) for holding in known}
    for view in swarm.node_views:
        for holding in _of_networks(view.local_networks):
            if view.node_id != swarm.manager_id and (holding.name, holding.subnet) not in told:
                told.add((holding.name, holding.subnet))
                yield replace(holding, node=view.hostname)


def _of_nodes(nodes: Iterable[Node]) -> Iterator[Holding]:
    for node in nodes:
        subnet = subnets.parse_or_none(f"{node.address}/32")
        if subnet is not None and subnet.first:
            yield Holding(kind="node", id=node.id, name=node.hostname, subnet=subnet)


def of_reserved(reserved: Iterable[ReservedRange]) -> Iterator[Holding]:
    """The part of the reserved ranges in all holdings."""
    for row in reserved:
        subnet = subnets.parse_or_none(row.cidr)
        if subnet is not None:
            yield Holding(kind="reserved", id=row.name, name=row.name, subnet=subnet, note=row.reason)
