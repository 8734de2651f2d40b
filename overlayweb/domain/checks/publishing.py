"""What speaks against other published ports of a service: what Docker refuses only when it is asked, or never.

Source: swarmkit's control API refuses a port that another service publishes, unless both do so in host mode, and a port
in ingress mode of an endpoint in mode dnsrr; without an ingress, tasks wait in NEW (engine-facts, leader traps).
"""

from collections.abc import Iterator

from overlayweb.domain import capacity
from overlayweb.domain.addresses import starts_first, wanted_swarm_tasks
from overlayweb.domain.checks.case import on_service
from overlayweb.domain.links import Publication
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.swarm import Service, Swarm


def find(*, swarm: Swarm, service: Service, publication: Publication) -> Iterator[Finding]:
    """Everything at once; nothing where no port comes or goes."""
    for port in publication.publish:
        yield from _taken(swarm, service, port)
    if any(port.publish_mode == INGRESS_MODE for port in publication.publish):
        yield from _of_ingress(swarm, service)
    after = publication.of(service.ports)
    meets = starts_first(service) and any(port.publish_mode == INGRESS_MODE for port in after)
    if meets and after != service.ports:
        yield on_service(level=Level.WARNING, code="start-first-publish", service=service,
                         message=f"{service.name} starts first: where old and new containers meet, a node can lose the "
                                 "rules of a port that changes.",
                         remedy="Try the ports on every node afterwards, or run "
                                f"`docker service update --update-order stop-first {service.name}` first.")  # fmt: skip


def _taken(swarm: Swarm, service: Service, port: PublishedPort) -> Iterator[Finding]:
    others = (other for other in swarm.services if other.id != service.id)
    holder = next((other for other in others if any(_collide(port, held) for held in other.ports)), None)
    if holder is not None:
        yield on_service(level=Level.BLOCKER, code="port-taken", service=service,
                         message=f"{holder.name} publishes {port.published_port}/{port.protocol} now.",
                         remedy=f"Take it off {holder.name} first, or adopt the ports as they are.")  # fmt: skip


def _collide(left: PublishedPort, right: PublishedPort) -> bool:
    same = (left.published_port, left.protocol) == (right.published_port, right.protocol)
    return same and bool(left.published_port) and INGRESS_MODE in (left.publish_mode, right.publish_mode)


def _of_ingress(swarm: Swarm, service: Service) -> Iterator[Finding]:
    found = swarm.ingress_networks
    if len(found) != 1 or not found[0].allocated:
        yield on_service(level=Level.BLOCKER, code="no-ingress", service=service,
                         message=f"{service.name} would hang: there is no one ingress network with addresses.",
                         remedy="Plan a repair of the routing mesh first.")  # fmt: skip
        return
    if (service.spec.document().get("EndpointSpec") or {}).get("Mode") == "dnsrr":
        yield on_service(level=Level.BLOCKER, code="dnsrr", service=service,
                         message=f"{service.name} has no address of its own (endpoint mode dnsrr): it cannot publish "
                                 "through the ingress.",
                         remedy="Publish in host mode, or adopt the ports as they are.")  # fmt: skip
    filling = capacity.filling_of(swarm=swarm, network_id=found[0].id)
    if service.ingress_ports or filling is None:
        return
    containers = wanted_swarm_tasks(swarm=swarm, service=service) * (2 if starts_first(service) else 1)
    need = filling.taken_by(containers=containers, vips=1)
    if need > filling.free:
        yield on_service(level=Level.BLOCKER, code="no-addresses", service=service,
                         message=f"{found[0].name} has {max(filling.free, 0)} addresses free; {service.name} needs "
                                 f"{need} there.",
                         remedy="Customise the ingress with a larger subnet first.")  # fmt: skip
