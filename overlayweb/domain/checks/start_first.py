"""What only one container at a time can have, and what start-first does not promise."""

from collections.abc import Iterator

from overlayweb.domain import specs
from overlayweb.domain.addresses import starts_first, wanted_swarm_tasks
from overlayweb.domain.checks.case import on_service
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.swarm import Mode, Service, Swarm
from overlayweb.domain.updating import container_of


def start_first(swarm: Swarm, service: Service) -> Iterator[Finding]:
    """Ports, volumes and the health check of a service that starts new containers before old ones stop."""
    if not starts_first(service):
        return
    remedy = f"Run `docker service update --update-order stop-first {service.name}` first."
    yield from _ports(swarm, service, remedy)
    yield from _volumes(service, remedy)
    if wanted_swarm_tasks(swarm=swarm, service=service) and not specs.has_health_check(service.spec):
        yield on_service(level=Level.WARNING, code="start-first-unchecked", service=service,
                         message=f"{service.name} starts first with no health check in its spec: an old container "
                                 "stops when the new one runs, and nobody knows when that one answers.",
                         remedy="Give it a health check, unless its image has one, which no manager "
                                "shows.")  # fmt: skip


def _ports(swarm: Swarm, service: Service, remedy: str) -> Iterator[Finding]:
    if not service.host_ports:
        return
    nodes = sum(node.ready and node.availability == "active" for node in swarm.nodes)
    full = service.mode is Mode.GLOBAL or service.replicas >= nodes
    ports = ", ".join(str(port.published_port) for port in service.host_ports)
    where = "no node is free for the new one" if full else "the new one needs a node without one"
    yield on_service(level=Level.BLOCKER if full else Level.WARNING, code="start-first-host-port", service=service,
                     message=f"{service.name} starts first and has host port {ports}: {where}.",
                     remedy=remedy)  # fmt: skip


def _volumes(service: Service, remedy: str) -> Iterator[Finding]:
    for mount in container_of(service).get("Mounts") or []:
        kind, source = mount.get("Type", ""), mount.get("Source") or "of its own"
        if kind == "cluster":
            yield on_service(level=Level.BLOCKER, code="start-first-volume", service=service,
                             message=f"{service.name} starts first; only one uses cluster volume {source}.",
                             remedy=remedy)  # fmt: skip
        elif kind == "volume" and mount.get("Source") and not mount.get("ReadOnly"):
            yield on_service(level=Level.WARNING, code="start-first-volume", service=service,
                             message=f"{service.name} starts first: old and new write volume {source} at once.",
                             remedy=f"Where only one may: {remedy}")  # fmt: skip
