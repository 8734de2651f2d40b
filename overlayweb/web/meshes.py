"""The routing mesh as pages show it: one sentence for the banner, the nodes, the services that hang."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain import decoding
from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.decoding import Cause
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
    """A published service below its strength. ``said``: what Swarm says, or ""; ``cause``: what that means."""

    service: Service
    running: int
    wanted: int
    said: str
    cause: Cause | None


def headline(swarm: Swarm, mesh: Mesh) -> str:
    """What is wrong with the mesh, in one or two sentences; "" when it works."""
    if not mesh.wedged:
        return ""
    stale = [node.hostname for node in mesh.nodes if node.stale]
    if not swarm.ingress_networks:
        held = f" {_several(stale)} still {_verb(stale, 'holds', 'hold')} the removed one." if stale else ""
        return f"There is no ingress network. The published ports of the services answer nowhere.{held}"
    if stale:
        return (
            f"The routing mesh is wedged: {_several(stale)} {_verb(stale, 'holds', 'hold')} an ingress that the Swarm"
            f" has removed, and {_verb(stale, 'refuses', 'refuse')} the containers that need the new one."
        )
    if mesh.replace or len(swarm.ingress_networks) > 1:
        return mesh.findings[0].message
    names = [service.name for service in swarm.published_services if service.id in mesh.waiting]
    return f"Swarm has not given {_several(names)} an address on the ingress: {_verb(names, 'it hangs', 'they hang')}."


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
            yield Hanging(service=service, running=running, wanted=wanted, said=said, cause=decoding.decode(said))


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


def _several(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many
