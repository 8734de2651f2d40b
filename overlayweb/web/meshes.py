"""The routing mesh as pages show it: the nodes, and the services that hang."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.mesh import Mesh, NodeMesh, Presence
from overlayweb.domain.swarm import Service, Swarm, SwarmTask

_HOW = {
    (Presence.PRESENT, True): "Its engine says so.",
    (Presence.PRESENT, False): "It is a peer of the ingress, or runs a container on it.",
    (Presence.ABSENT, True): "Its engine has no ingress.",
    (Presence.ABSENT, False): "It is not among the ingress's peers.",
    (Presence.UNKNOWN, False): "Nothing that a manager shows tells.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node in the mesh. ``how``: how its presence is known; ``asked``: whether its own engine was asked at
    the last look; ``error``: why that failed, or "".
    """

    node: NodeMesh
    asked: bool
    how: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """A published service below its strength. ``said``: what Swarm says, or ""."""

    service: Service
    running: int
    wanted: int
    said: str


def nodes(swarm: Swarm, mesh: Mesh) -> list[NodeRow]:
    """All nodes by name, each with which ingress it has and how that is known."""
    errors = {view.node_id: view.error for view in swarm.node_views}
    return [
        NodeRow(
            node=node,
            asked=any(view.node_id == node.node_id for view in swarm.node_views),
            how=" ".join(node.evidence) or _how(swarm, node),
            error=errors.get(node.node_id, ""),
        )
        for node in mesh.nodes
    ]


def hanging(swarm: Swarm, mesh: Mesh) -> list[Hanging]:
    """The published services that run fewer containers than they should, by name, with the latest complaint."""
    return list(_hanging(swarm, mesh))


def _hanging(swarm: Swarm, mesh: Mesh) -> Iterator[Hanging]:
    for service in swarm.published_services:
        wanted, running = wanted_swarm_tasks(swarm=swarm, service=service), len(swarm.running_on(service.id))
        if running < wanted:
            said = _said(swarm.tasks_of(service.id)) or ("It stays in NEW." if service.id in mesh.waiting else "")
            yield Hanging(service=service, running=running, wanted=wanted, said=said)


def _said(swarm_tasks: Sequence[SwarmTask]) -> str:
    """The latest error of its tasks."""
    complaints = [task for task in swarm_tasks if task.error]
    latest = max(complaints, key=lambda t: t.state_at.timestamp() if t.state_at else 0.0, default=None)
    return latest.error.strip() if latest else ""


def _how(swarm: Swarm, node: NodeMesh) -> str:
    if node.exact:
        return _HOW.get((node.presence, True), "")
    if not node.ready:
        return "The managers do not hear from it."
    if node.presence is Presence.ABSENT and not swarm.ingress_networks:
        return "The Swarm has none."
    return _HOW.get((node.presence, False), "")
