"""How full a subnet is, and how much more fits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from overlayweb.domain import subnets
from overlayweb.domain.addresses import Need, ingress_need, starts_first, wanted_swarm_tasks
from overlayweb.domain.ingress_settings import subnet_of
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.swarm import IpamConfig, Network, Service, Swarm

TIGHT_PERCENT = 80
"""From here on room runs out soon."""

FULL_PERCENT = 95
"""From here on it is as good as full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Addresses of a subnet or its ip-range: how many can be used, and what today's cluster takes of them."""

    usable: int
    need: Need

    @property
    def used(self) -> int:
        """Addresses that are taken, all kinds together."""
        return self.need.total

    @property
    def tight(self) -> int:
        """Above so many used addresses, room runs out soon."""
        return int(0.8 * self.usable)

    @property
    def full(self) -> int:
        """Above so many, it is as good as full."""
        return int(0.95 * self.usable)

    @property
    def free(self) -> int:
        """How many more fit; negative when it is too small."""
        return self.usable - self.need.total


def ingress_room(*, swarm: Swarm, settings: IngressSettings) -> Room | None:
    """The room that an ingress with these settings has; None while they name no subnet that can be used."""
    subnet, within = subnet_of(settings.subnet), subnet_of(settings.ip_range)
    if subnet is None or subnet.prefix_length > subnets.LONGEST_USABLE_PREFIX:
        return None
    block = within if within and subnet.covers(within) else None
    need = ingress_need(
        swarm=swarm, services=swarm.published_services, gateway=block is None or _has(block, settings.gateway)
    )
    return Room(usable=subnets.usable(subnet, block), need=need)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How full one overlay is. ``usable``: addresses that can be given out, of all its subnets or their ip-ranges.

    ``need``: what takes them now, as far as a manager shows it. ``updating``: how many more are taken while its
    start-first services are updated, with both the old and the new container. ``measured``: how many are taken by the
    engine's own count, None where it does not tell (before API 1.52), which makes everything here an estimate.
    ``without_it``: ids of the nodes without a container on it yet; each takes one address with its first. ``drained``:
    ids of the nodes that Swarm gives no containers, not even those of a global service.
    ``per_replica``: 2 where a service that starts first is attached, since an update needs twice as many, else 1.
    """

    network: Network
    usable: int
    need: Need
    updating: int
    without_it: frozenset[str]
    per_replica: int
    drained: frozenset[str] = frozenset()
    measured: int | None = None

    @property
    def used(self) -> int:
        """Addresses that are taken now, by the engine's count where there is one."""
        return self.need.total if self.measured is None else self.measured

    @property
    def left(self) -> int:
        """Addresses that are free now, before anything updates."""
        return max(0, self.usable - self.used)

    @property
    def peak(self) -> int:
        """Addresses that are taken at the worst moment of an update of everything on it."""
        return self.used + self.updating

    @property
    def free(self) -> int:
        """Addresses that are left at that moment; negative where updates will have to wait."""
        return self.usable - self.peak

    @property
    def percent(self) -> int:
        """How full it is at that moment, rounded down, at most 100."""
        return min(100, 100 * self.peak // self.usable) if self.usable else 100

    @property
    def level(self) -> str:
        """ "full", "tight" or "roomy", by the thresholds."""
        if self.percent >= FULL_PERCENT:
            return "full"
        return "tight" if self.percent >= TIGHT_PERCENT else "roomy"

    @property
    def nodes_to_come(self) -> int:
        """How many nodes have no container on it yet and may be given one."""
        return len(self.without_it - self.drained)

    def taken_by(self, *, containers: int, vips: int = 0) -> int:
        """Addresses that so many more containers take at most: Swarm spreads them over nodes that have none yet."""
        return vips + containers + min(containers, self.nodes_to_come)

    @property
    def more_replicas(self) -> int:
        """Room for so many more replicas, each on a node that has none yet as long as there is one."""
        with_node = min(self.nodes_to_come, max(self.free, 0) // (self.per_replica + 1))
        left = self.free - with_node * (self.per_replica + 1)
        more = left // self.per_replica if with_node == self.nodes_to_come else 0
        return max(0, with_node + more)


def fillings(*, swarm: Swarm) -> tuple[Filling, ...]:
    """Every allocated overlay and the ingress, the one that fills first in front. One pass over tasks and services.

    Source: swarmkit gives out the gateway, one address per node with a container on it (for its load balancer), one
    VIP per service and one address per Swarm task, also to those that stand for standalone containers.
    """
    return swarm.once(_fillings)


def filling_of(*, swarm: Swarm, network_id: str) -> Filling | None:
    """How full the overlay of this id is; None for one that has no addresses to give out."""
    return swarm.once(_by_network).get(network_id)


def _by_network(swarm: Swarm) -> Mapping[str, Filling]:
    return {row.network.id: row for row in fillings(swarm=swarm)}


def _fillings(swarm: Swarm) -> tuple[Filling, ...]:
    tallies = _tallies(swarm)
    nodes = frozenset(node.id for node in swarm.nodes)
    drained = frozenset(node.id for node in swarm.nodes if node.availability == "drain")
    counted = (network for network in swarm.networks if _counts(network))
    found = (_filling(network, tallies[network.id], nodes, drained) for network in counted)
    return tuple(sorted(found, key=lambda row: (-row.percent, row.more_replicas, row.network.name)))


@dataclass(slots=True)
class _Tally:
    vips: int = 0
    containers: int = 0
    updating: int = 0
    starts_first: bool = False
    nodes: set[str] = field(default_factory=set)


def _counts(network: Network) -> bool:
    return network.scope == "swarm" and network.registered and any(map(_block, network.ipam))


def _tallies(swarm: Swarm) -> Mapping[str, _Tally]:
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    ingress = tuple(network.id for network in swarm.ingress_networks)
    for network_id in ingress:
        tallies[network_id].nodes.update(node.id for node in swarm.nodes)  # each has it, with or without a container
    for service in swarm.services:
        _count(swarm, service, ingress, tallies)
    for swarm_task in swarm.attachments:
        for network_id in swarm_task.network_ids:
            if swarm_task.desired_state == "running" and swarm_task.may_be_on(network_id):
                tallies[network_id].containers += 1
                tallies[network_id].nodes.add(swarm_task.node_id)
    return tallies


def _count(swarm: Swarm, service: Service, ingress: Sequence[str], tallies: Mapping[str, _Tally]) -> None:
    attached: dict[str, int] = dict.fromkeys(_networks_of(service, ingress), 0)
    for swarm_task in swarm.tasks_of(service.id):
        for network_id in swarm_task.network_ids:
            if swarm_task.desired_state == "running" and swarm_task.may_be_on(network_id):
                attached[network_id] = attached.get(network_id, 0) + 1
                tallies[network_id].nodes.add(swarm_task.node_id)
    wanted, first = wanted_swarm_tasks(swarm=swarm, service=service), starts_first(service)
    vips = {network_id for network_id, _ in service.vips}.union(ingress)
    for network_id, containers in attached.items():
        tally = tallies[network_id]
        tally.vips += network_id in vips
        tally.containers += containers
        tally.updating += max(containers, wanted) * (2 if first else 1) - containers
        tally.starts_first |= first


def _networks_of(service: Service, ingress: Sequence[str]) -> tuple[str, ...]:
    vips = (network_id for network_id, _ in service.vips)
    return tuple(dict.fromkeys((*service.network_ids, *vips, *(ingress if service.ingress_ports else ()))))


def _filling(network: Network, tally: _Tally, nodes: frozenset[str], drained: frozenset[str]) -> Filling:
    blocks = [(block, ipam) for ipam in network.ipam if (block := _block(ipam))]
    gateways = sum(_has(_within(ipam, block) or block, ipam.gateway) for block, ipam in blocks)
    return Filling(
        network=network,
        usable=sum(subnets.usable(block, _within(ipam, block)) for block, ipam in blocks),
        need=Need(nodes=len(tally.nodes), services=tally.vips, containers=tally.containers, gateway=gateways),
        updating=tally.updating,
        without_it=nodes - tally.nodes,
        per_replica=2 if tally.starts_first else 1,
        drained=drained,
        measured=_measured(network, blocks),
    )


def _block(ipam: IpamConfig) -> Subnet | None:
    """Its subnet, where containers can have addresses of it."""
    block = subnet_of(ipam.subnet)
    return block if block and block.prefix_length <= subnets.LONGEST_USABLE_PREFIX else None


def _within(ipam: IpamConfig, block: Subnet) -> Subnet | None:
    """Its ip-range, where it has one inside the subnet."""
    within = subnet_of(ipam.ip_range)
    return within if within and block.covers(within) else None


def _measured(network: Network, blocks: Sequence[tuple[Subnet, IpamConfig]]) -> int | None:
    """Addresses of what can be given out that are taken, by the engine; None unless it tells of every subnet."""
    figures = {row.subnet: row for row in network.figures}
    if not all(ipam.subnet in figures for _, ipam in blocks):
        return None
    usable = sum(subnets.usable(block, _within(ipam, block)) for block, ipam in blocks)
    return max(0, usable - sum(figures[ipam.subnet].available for _, ipam in blocks))


def _has(block: Subnet, address: str) -> bool:
    try:
        return block.has(subnets.parse_address(address))
    except subnets.NotAnAddressError:
        return True
