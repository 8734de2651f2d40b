"""What events say that has changed, what reading it again brings, and what of it has not come to rest yet."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.inventory import JOBS
from overlayweb.domain.swarm import Network, Node, Service, Swarm, SwarmTask

_Row = TypeVar("_Row", bound="_HasId")

NODE, NETWORK, SERVICE = "node", "network", "service"
_UPDATING = frozenset({"updating", "rollback_started"})
_AT_REST = frozenset({"running", "complete", "shutdown", "failed", "rejected", "remove", "orphaned"})


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event of the engine: a hint at what changed. ``kind``: node, network, service; ``id``: the full id."""

    kind: str
    action: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Ids of what is to be read again."""

    nodes: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.nodes or self.networks or self.services)

    def __or__(self, other: "Names") -> "Names":
        return Names(
            nodes=self.nodes | other.nodes,
            networks=self.networks | other.networks,
            services=self.services | other.services,
        )

    @property
    def count(self) -> int:
        """How many."""
        return len(self.nodes) + len(self.networks) + len(self.services)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What was found of ``names``; what is named and not there is gone. ``swarm_tasks``: all of the services'."""

    names: Names
    nodes: tuple[Node, ...] = ()
    networks: tuple[Network, ...] = ()
    services: tuple[Service, ...] = ()
    swarm_tasks: tuple[SwarmTask, ...] = ()


def named(happenings: Iterable[Happening]) -> Names:
    """What the events are about. Containers that come to a network and leave it change nothing that lists show."""
    ids: dict[str, set[str]] = {NODE: set(), NETWORK: set(), SERVICE: set()}
    for one in happenings:
        if one.kind in ids and one.action not in {"connect", "disconnect"}:
            ids[one.kind].add(one.id)
    return Names(nodes=frozenset(ids[NODE]), networks=frozenset(ids[NETWORK]), services=frozenset(ids[SERVICE]))


def merged(swarm: Swarm, part: Part) -> Swarm:
    """The Swarm with this part as it is now; ``observed_at`` stays, as the rest is as old as before.

    The engine's count of addresses comes with a look at everything only: it is dropped where this part is newer.
    """
    kept_tasks = tuple(task for task in swarm.swarm_tasks if task.service_id not in part.names.services)
    now = replace(
        swarm,
        nodes=_replaced(swarm.nodes, part.names.nodes, part.nodes),
        networks=_replaced(swarm.networks, part.names.networks, part.networks),
        services=_replaced(swarm.services, part.names.services, part.services),
        swarm_tasks=(*kept_tasks, *part.swarm_tasks),
    )
    touched = _networks_of(swarm, part.names.services) | _networks_of(now, part.names.services)
    counted = (replace(row, figures=()) if row.figures and row.id in touched else row for row in now.networks)
    return replace(now, networks=tuple(counted))


def moving(before: Swarm, now: Swarm, names: Names) -> Names:
    """What of ``names`` changes on without another event: there are none of Swarm's tasks, addresses and peers.

    Services that are not at rest, those on a node that went or came back, overlays without addresses yet, an ingress
    that ready nodes have not joined.
    """
    turned = _turned(before.nodes, now.nodes, names.nodes)
    there = {task.service_id for task in now.swarm_tasks if task.node_id in turned and task.desired_state == "running"}
    wanted = {service.id: service for service in now.services if service.id in names.services | there}
    return Names(
        networks=frozenset(row.id for row in now.networks if row.id in names.networks and not _joined(now, row)),
        services=frozenset(key for key, row in wanted.items() if key in there or not _at_rest(now, row)),
    )


def ingress_and_nodes(swarm: Swarm) -> Names:
    """What shows that an engine was restarted, and what the ingress is on."""
    return Names(
        nodes=frozenset(node.id for node in swarm.nodes),
        networks=frozenset(network.id for network in swarm.networks if network.ingress),
    )


def _replaced(old: tuple[_Row, ...], names: frozenset[str], found: tuple[_Row, ...]) -> tuple[_Row, ...]:
    """The rows in the order in which they were, what is new at the end."""
    again = {row.id: row for row in found}
    known = {row.id for row in old}
    stayed = [again.get(row.id, row) for row in old if row.id not in names or row.id in again]
    return (*stayed, *[row for row in found if row.id not in known])


def _networks_of(swarm: Swarm, service_ids: frozenset[str]) -> set[str]:
    """Ids of the networks on which these services have addresses."""
    services = [service for service in swarm.services if service.id in service_ids]
    swarm_tasks = [task for task in swarm.swarm_tasks if task.service_id in service_ids]
    vips = {key for service in services for key, _ in service.vips}
    named = {key for service in services for key in service.network_ids}
    return vips | named | {key for task in swarm_tasks for key in task.network_ids}


def _turned(before: Iterable[Node], now: Iterable[Node], names: frozenset[str]) -> set[str]:
    stood = {node.id: (node.state, node.availability) for node in before}
    return {node.id for node in now if node.id in names and stood.get(node.id) != (node.state, node.availability)}


def _joined(swarm: Swarm, network: Network) -> bool:
    if network.scope != "swarm":
        return True
    ready = sum(node.ready for node in swarm.nodes)
    return network.allocated and network.registered and (not network.ingress or len(network.peers) >= ready)


def _at_rest(swarm: Swarm, service: Service) -> bool:
    swarm_tasks = swarm.tasks_of(service.id)
    if service.update_state in _UPDATING or any(task.state not in _AT_REST for task in swarm_tasks):
        return False
    return service.mode in JOBS or len(swarm.running_on(service.id)) >= wanted_swarm_tasks(swarm=swarm, service=service)
