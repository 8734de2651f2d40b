"""What is wrong with the routing mesh, read from what a manager shows and, where they are given, from the nodes.

The mesh is wedged when a node holds an ingress that the Swarm has removed: it refuses the containers that need the
new one, and nothing but a restart of its engine makes it let go. What shows that, and what does not, is written in
docs/decisions/0016-how-a-wedged-mesh-is-recognised.md. Source: lab, engines 20.10.24, 26.1.5 and 28.5.2.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.ingress_settings import ipv4_ipam
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import Document, Spec, ports_of, publishes_through_ingress
from overlayweb.domain.swarm import Network, Node, NodeView, Service, Swarm, SwarmTask

HANGS_AFTER = timedelta(seconds=30)
"""A container that is prepared or started for longer than this is stuck, where the mesh is broken anyway."""

REFUSALS = (
    "ingress sandbox already present",
    "no configured subnet or ip-range contain",
    "could not find network allocator state",
    "node is missing network attachments",
)
"""What engines say when they reject a container because the node's ingress is not the Swarm's."""


ENOUGH = 3
"""So many sentences show what is wrong with a node; of thousands of services each could add one."""

_WANTED = frozenset({"running", "ready"})
_STARTING = frozenset({"preparing", "starting", "assigned", "accepted", "ready"})


class Presence(StrEnum):
    """Which ingress a node has."""

    PRESENT = "present"
    """The one that the Swarm has."""
    ABSENT = "absent"
    """None."""
    STALE = "stale"
    """One that the Swarm has removed."""
    UNKNOWN = "unknown"
    """Nothing tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeMesh:
    """One node in the mesh. ``exact``: its own engine, or the manager on it, was asked; else it is inferred.

    ``evidence``: what shows ``presence``, in sentences.
    """

    node_id: str
    hostname: str
    address: str
    leader: bool
    ready: bool
    presence: Presence
    exact: bool = False
    evidence: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether its engine has to be restarted."""
        return self.presence is Presence.STALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """The verdict on one observation. ``ingress``: the one that the Swarm has, of several the one that services use.

    ``replaced``: those that have to be removed before one is made anew, ``ingress`` last; () where it can stay.
    ``waiting``: ids of services that Swarm has not allocated. ``lost``: ids of services that were unpublished while
    there was no ingress to come back to.
    """

    ingress: Network | None
    nodes: tuple[NodeMesh, ...]
    replaced: tuple[Network, ...] = ()
    waiting: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def wedged(self) -> bool:
        """Whether something of the mesh does not work and does not mend itself."""
        return any(finding.level is Level.BLOCKER for finding in self.findings)

    @property
    def stale_nodes(self) -> tuple[NodeMesh, ...]:
        """The nodes whose engines have to be restarted, the leader last."""
        return tuple(sorted((n for n in self.nodes if n.stale), key=lambda n: (n.leader, n.hostname)))


def recognise(swarm: Swarm) -> Mesh:
    """What is wrong with the mesh of this Swarm; no findings when it is whole."""
    return swarm.once(_recognise)


def _recognise(swarm: Swarm) -> Mesh:
    registered = by_use(swarm)
    ingress = next(iter(registered), None)
    nodes = tuple(_node(swarm, node, registered) for node in sorted(swarm.nodes, key=lambda n: n.hostname))
    stays = len(registered) == 1 and registered[0].allocated and not _is_late(swarm, registered[0], nodes)
    mesh = Mesh(
        ingress=ingress,
        nodes=nodes,
        replaced=() if stays else registered[::-1],
        waiting=tuple(s.id for s in swarm.published_services if _waits(swarm, s)),
        lost=() if ingress else tuple(s.id for s in swarm.services if lost_ports(s)),
    )
    return replace(mesh, findings=tuple(_findings(swarm, mesh)))


def by_use(swarm: Swarm) -> tuple[Network, ...]:
    """The Swarm's ingress networks, the one that published services use first; there should be one.

    That is the one on which most have an address; else most containers; else one that Swarm has allocated; else the
    lowest id, which a new leader takes. Source: swarmkit, manager/allocator/network.go.
    """
    return swarm.once(_by_use)


def _by_use(swarm: Swarm) -> tuple[Network, ...]:
    def rank(network: Network) -> tuple[int, int, bool, str]:
        addresses = sum(network.id in dict(service.vips) for service in swarm.published_services)
        containers = sum(_runs_on(swarm_task, {network.id}) for swarm_task in swarm.swarm_tasks)
        return -addresses, -containers, not network.allocated, network.id

    return tuple(sorted(swarm.ingress_networks, key=rank))


def lost_ports(service: Service) -> tuple[PublishedPort, ...]:
    """The ingress ports that its last update took off, if that update changed nothing else that matters.

    That is what a rebuild by hand leaves behind when it breaks off after unpublishing: the ports stand in
    ``PreviousSpec`` only.
    """
    before = service.previous_spec
    if (
        before is None
        or publishes_through_ingress(service.spec)
        or _without_ports(before) != _without_ports(service.spec)
    ):
        return ()
    return tuple(port for port in ports_of(before) if port.publish_mode == INGRESS_MODE)


def _without_ports(spec: Spec) -> Document:
    return {key: value for key, value in spec.document().items() if key not in {"EndpointSpec", "UpdateConfig"}}


def _is_late(swarm: Swarm, ingress: Network, nodes: tuple[NodeMesh, ...]) -> bool:
    """Allocated, but not when it was made: Swarm gives no service an address on it, and nothing changes that."""
    published = swarm.published_services
    served = any(ingress.id in dict(service.vips) for service in published)
    return bool(published) and not served and all(_waits(swarm, s) for s in published) and not any(map(_stale, nodes))


def _stale(node: NodeMesh) -> bool:
    return node.stale


def _waits(swarm: Swarm, service: Service) -> bool:
    """Whether Swarm has not allocated it on the ingress: tasks in NEW, no address of its own there.

    Containers from before it was published may run on beside them: its update does not come past the first new task.
    A service on other networks too may hang for their sake; it counts where no ingress could serve it.
    """
    registered = {network.id for network in swarm.ingress_networks}
    if not registered.isdisjoint(key for key, _ in service.vips):
        return False
    usable = any(network.allocated for network in swarm.ingress_networks)
    hangs = any(t.state == "new" and t.desired_state in _WANTED for t in swarm.tasks_of(service.id))
    return hangs and not (usable and service.network_ids)


def _node(swarm: Swarm, node: Node, registered: tuple[Network, ...]) -> NodeMesh:
    presence, exact, evidence = _presence(swarm, node, registered)
    return NodeMesh(
        node_id=node.id,
        hostname=node.hostname,
        address=node.address,
        leader=node.leader,
        ready=node.ready,
        presence=presence,
        exact=exact,
        evidence=evidence,
    )


_Sight = tuple[Presence, bool, tuple[str, ...]]


def _presence(swarm: Swarm, node: Node, registered: tuple[Network, ...]) -> _Sight:
    """By what its own engine says; else what the manager on it lists; else peers; else its containers."""
    view = next((v for v in swarm.node_views if v.node_id == node.id and not v.error), None)
    if view is not None:
        return _by_view(view, {n.id for n in registered})
    gone = swarm.stale_ingress_networks
    if gone and swarm.manager_id == node.id:
        return Presence.STALE, True, tuple(f"Its engine still lists {_named(network)}." for network in gone)
    held = tuple(f"It is a peer of the removed {_named(network)}." for network in gone if node.address in network.peers)
    if held:
        return Presence.STALE, False, held
    if _joined(swarm, node, registered):
        return Presence.PRESENT, False, ()
    # Where peers of the removed one are shown, they are all the nodes that hold it.
    shown = () if any(network.peers for network in gone) else tuple(islice(_by_swarm_tasks(swarm, node), ENOUGH))
    if shown:
        return Presence.STALE, False, shown
    seen = gone or not registered or any(network.peers for network in registered)
    return (Presence.ABSENT if seen else Presence.UNKNOWN), False, ()


def _by_view(view: NodeView, registered: set[str]) -> _Sight:
    held = set(view.ingress_ids)
    if gone := sorted(held - registered):
        return Presence.STALE, True, tuple(f"Its own engine lists the removed ingress {key[:12]}." for key in gone)
    return (Presence.PRESENT if held else Presence.ABSENT), True, ()


def _joined(swarm: Swarm, node: Node, registered: tuple[Network, ...]) -> bool:
    """A peer of the ingress, or it runs a container on it: peers come late after a restart. [lab]"""
    if any(node.address in network.peers for network in registered):
        return True
    current = {network.id for network in registered}
    return any(_runs_on(swarm_task, current) for swarm_task in swarm.tasks_at(node.id))


def _by_swarm_tasks(swarm: Swarm, node: Node) -> Iterator[str]:
    """What containers on a node that is not on the ingress tell: ones on a network that is gone, refused, hanging.

    Rows of rejected tasks stay listed: what is older than the engine's last registration says nothing any more.
    """
    listed = {network.id for network in swarm.networks}
    at_node = {swarm_task.service_id for swarm_task in swarm.tasks_at(node.id)}
    services = [service for service in swarm.published_services if service.id in at_node]
    for service in services:
        here = [t for t in swarm.running_on(service.id) if t.node_id == node.id]
        if any(not listed.issuperset(t.network_ids) for t in here):
            yield f"A container of {service.name} runs there on a network that the Swarm has removed."
    for service in services:
        if len(swarm.running_on(service.id)) >= wanted_swarm_tasks(swarm=swarm, service=service):
            continue
        here = [t for t in swarm.tasks_of(service.id) if t.node_id == node.id and _since_start(t, node)]
        refused = [t.error for t in here if t.state == "rejected" and any(words in t.error for words in REFUSALS)]
        if refused:
            yield f"It rejects containers of {service.name}: {refused[-1].strip().rstrip('.')}."
        elif any(_hangs(t, swarm.observed_at) for t in here):
            yield f"A container of {service.name} has been starting there for more than {HANGS_AFTER.seconds} s."


def _since_start(swarm_task: SwarmTask, node: Node) -> bool:
    return None in (node.updated_at, swarm_task.state_at) or bool(
        node.updated_at and swarm_task.state_at and swarm_task.state_at > node.updated_at
    )


def _runs_on(swarm_task: SwarmTask, ingress_ids: set[str]) -> bool:
    return swarm_task.state == "running" and not ingress_ids.isdisjoint(swarm_task.network_ids)


def _hangs(swarm_task: SwarmTask, now: datetime) -> bool:
    since = swarm_task.state_at or swarm_task.created_at
    starting = swarm_task.state in _STARTING and swarm_task.desired_state == "running"
    return starting and since is not None and now - since > HANGS_AFTER


def _findings(swarm: Swarm, mesh: Mesh) -> Iterator[Finding]:
    yield from _of_ingress(swarm, mesh)
    yield from (_of_stale(node) for node in mesh.stale_nodes)
    names = {service.id: service for service in swarm.services}
    yield from (_of_waiting(names[key]) for key in mesh.waiting)
    yield from (_of_lost(names[key]) for key in mesh.lost)


def _of_ingress(swarm: Swarm, mesh: Mesh) -> Iterator[Finding]:
    if not swarm.ingress_networks:
        yield _finding(
            "ingress-none",
            "cluster",
            swarm.id,
            "The Swarm has no ingress network: no published port answers, and no service can be published.",
            "The repair creates it, once no node holds a removed one.",
        )
    elif mesh.ingress and len(mesh.replaced) > 1:
        named = ", ".join(_named_with_id(network) for network in mesh.replaced[::-1])
        yield _finding(
            "ingress-twice",
            "cluster",
            swarm.id,
            f"The Swarm has {len(mesh.replaced)} ingress networks: {named}. It works with one only, and each change of"
            " its leader may make that another one.",
            f"The repair removes all of them and makes one with the settings of {_named(mesh.ingress)}."
            if mesh.ingress.allocated
            else "The repair removes all of them and makes one.",
        )
    elif mesh.ingress and mesh.replaced:
        code = "ingress-late" if mesh.ingress.allocated else "ingress-unallocated"
        yield _finding(code, "network", mesh.ingress.id, _unusable(mesh.ingress), _ANEW, mesh.ingress.name)


_ANEW = "The repair removes it and creates it anew."


def _unusable(ingress: Network) -> str:
    if ingress.allocated:
        return f"{_named(ingress)} got its addresses too late: Swarm gives services none on it."
    return f"Swarm has given {_named(ingress)} no addresses: no published port answers."


def _of_stale(node: NodeMesh) -> Finding:
    evidence = " ".join(node.evidence)
    return _finding(
        "node-stale",
        "node",
        node.node_id,
        f"{node.hostname} holds an ingress that the Swarm has removed, so published containers fail there. {evidence}",
        f"Only a restart of its engine heals that: `{RESTART_COMMAND}` on {node.hostname}.",
        node.hostname,
    )


def _of_waiting(service: Service) -> Finding:
    return _finding(
        "service-new",
        "service",
        service.id,
        f"{service.name} hangs in NEW: Swarm has not given it an address on the ingress.",
        "The repair publishes it again once the ingress works.",
        service.name,
    )


def _of_lost(service: Service) -> Finding:
    ports = ", ".join(map(str, lost_ports(service)))
    return replace(
        _finding(
            "service-ports-lost",
            "service",
            service.id,
            f"{service.name} was unpublished by its last update and never got its ports back: {ports}.",
            "The repair puts the spec back that it had before.",
            service.name,
        ),
        level=Level.WARNING,
    )


RESTART_COMMAND = "systemctl restart docker"


def _finding(code: str, about: str, subject: str, message: str, remedy: str, name: str = "") -> Finding:
    return Finding(
        level=Level.BLOCKER,
        code=code,
        about=about,
        subject=subject,
        subject_name=name,
        message=message,
        remedy=remedy,
    )


def _named_with_id(network: Network) -> str:
    return f"{network.name} {ipv4_ipam(network).subnet or 'without addresses'} (id {network.id[:12]})"


def _named(network: Network) -> str:
    subnet = ipv4_ipam(network).subnet
    return f"{network.name} {subnet or network.id[:12]}"
