"""What is wrong with a Swarm's ingress right now, whatever anybody asks for."""

from collections.abc import Iterator

from overlayweb.domain import mesh
from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.swarm import Network, Node, Service, Swarm


def diagnose(swarm: Swarm) -> tuple[Finding, ...]:
    """Everything wrong, blockers (something does not work) first: the mesh, then nodes, then services by name."""
    return swarm.once(_diagnose)


def _diagnose(swarm: Swarm) -> tuple[Finding, ...]:
    found = (*_mesh(swarm), *_nodes(swarm), *_services(swarm))
    return tuple(sorted(found, key=lambda finding: finding.level is not Level.BLOCKER))


def absent_nodes(*, swarm: Swarm, ingress: Network) -> tuple[Node, ...]:
    """Ready nodes that are not among the ingress's peers, by host name; () while no peer is known.

    Nodes behind NAT show other addresses than their peers: when no address matches, only the counts are compared,
    and equal counts mean that nobody is absent.
    """
    ready = sorted((node for node in swarm.nodes if node.ready), key=lambda node: node.hostname)
    if not ingress.peers or len(ingress.peers) >= len(ready):
        return ()
    return tuple(node for node in ready if node.address not in ingress.peers)


def _mesh(swarm: Swarm) -> Iterator[Finding]:
    found = mesh.recognise(swarm)
    yield from found.findings
    if found.ingress is not None and not found.replaced:
        # By more than peers: those of a node that has just been restarted come late.
        away = {node.node_id for node in found.nodes if node.presence is mesh.Presence.ABSENT}
        yield from (finding for finding in _absent(swarm, found.ingress) if finding.subject in away)


def _absent(swarm: Swarm, ingress: Network) -> Iterator[Finding]:
    for node in absent_nodes(swarm=swarm, ingress=ingress):
        yield Finding(
            level=Level.WARNING,
            code="node-without-ingress",
            about="node",
            subject=node.id,
            subject_name=node.hostname,
            message=f"{node.hostname} is not on the ingress: published ports do not answer there.",
            remedy="A node that runs no published service joins when it gets one. Otherwise restart its engine.",
        )


def _nodes(swarm: Swarm) -> Iterator[Finding]:
    for node in sorted(swarm.nodes, key=lambda n: n.hostname):
        if not node.ready:
            yield Finding(
                level=Level.WARNING,
                code="node-not-ready",
                about="node",
                subject=node.id,
                subject_name=node.hostname,
                message=f"{node.hostname} is {node.state}: the managers do not hear from it.",
                remedy="Look at its engine and at ports 2377/tcp and 7946/tcp+udp between the nodes.",
            )


def _services(swarm: Swarm) -> Iterator[Finding]:
    for service in swarm.published_services:
        wanted, running = wanted_swarm_tasks(swarm=swarm, service=service), len(swarm.running_on(service.id))
        if running < wanted:
            yield _weak(swarm, service, running, wanted)


def _weak(swarm: Swarm, service: Service, running: int, wanted: int) -> Finding:
    errors = [task.error for task in swarm.tasks_of(service.id) if task.error]
    said = f" Swarm says: {errors[-1]}." if errors else ""
    return Finding(
        level=Level.WARNING if running else Level.BLOCKER,
        code="service-weak",
        about="service",
        subject=service.id,
        subject_name=service.name,
        message=f"{service.name} runs {running} of {wanted} containers.{said}",
        remedy=f"See docker service ps --no-trunc {service.name}.",
    )
