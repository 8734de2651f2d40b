"""What every check reads, worked out once; and short ways to write a finding."""

from collections.abc import Sequence
from dataclasses import dataclass

from overlayweb.domain.addresses import Holding, ReservedRange, holdings
from overlayweb.domain.ingress_settings import resolved, settings_of, subnet_of
from overlayweb.domain.plans import Finding, IngressRequest, IngressSettings, Level
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.swarm import Network, Node, Service, Swarm

FIELD_NAMES = {
    "name": "Name",
    "subnet": "Subnet",
    "gateway": "Gateway",
    "mtu": "MTU",
    "encrypted": "Encrypted",
    "ip_range": "IP range",
    "options": "Driver options",
    "labels": "Labels",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request on one Swarm. ``subnet`` and ``ip_range`` are None while their texts are empty or wrong.

    ``ingress``: the one that is replaced, None when there is none. ``services``: those that publish through it.
    ``held``: what the new subnet must stay clear of. ``avoided``: what is not suggested; the old ingress too, since
    its own subnet is no change. ``encrypted``: of the wanted network; an ingress is never made so.
    """

    swarm: Swarm
    request: IngressRequest
    after: IngressSettings
    before: IngressSettings | None
    ingress: Network | None
    services: tuple[Service, ...]
    subnet: Subnet | None
    ip_range: Subnet | None
    held: tuple[Holding, ...]
    avoided: tuple[Subnet, ...]
    encrypted: bool = False


def case_of(*, swarm: Swarm, request: IngressRequest, reserved: Sequence[ReservedRange]) -> Case:
    """The case to judge. Addresses of the replaced ingress, and of removed ones that a node holds, count as free."""
    after = resolved(request.settings)
    ingress = next(iter(sorted(swarm.ingress_networks, key=lambda network: network.id)), None)
    return Case(
        swarm=swarm,
        request=request,
        after=after,
        before=settings_of(ingress) if ingress else None,
        ingress=ingress,
        services=swarm.published_services,
        subnet=subnet_of(after.subnet),
        ip_range=subnet_of(after.ip_range),
        held=holdings(swarm=swarm, reserved=reserved, without=(*swarm.ingress_networks, *swarm.stale_ingress_networks)),
        avoided=tuple(sorted(holding.subnet for holding in holdings(swarm=swarm, reserved=reserved))),
    )


def on_field(*, level: Level, code: str, field: str, message: str, remedy: str, suggestion: str = "") -> Finding:
    """A finding beside a field of the form."""
    return Finding(
        level=level,
        code=code,
        about="field",
        subject=field,
        subject_name=FIELD_NAMES[field],
        message=message,
        remedy=remedy,
        suggestion=suggestion,
    )


def on_service(*, level: Level, code: str, service: Service, message: str, remedy: str) -> Finding:
    """A finding beside a service."""
    return Finding(
        level=level,
        code=code,
        about="service",
        subject=service.id,
        subject_name=service.name,
        message=message,
        remedy=remedy,
    )


def on_node(*, level: Level, code: str, node: Node, message: str, remedy: str) -> Finding:
    """A finding beside a node."""
    return Finding(
        level=level,
        code=code,
        about="node",
        subject=node.id,
        subject_name=node.hostname,
        message=message,
        remedy=remedy,
    )


def on_network(*, level: Level, code: str, network: Network, message: str, remedy: str) -> Finding:
    """A finding beside a network."""
    return Finding(
        level=level,
        code=code,
        about="network",
        subject=network.id,
        subject_name=network.name,
        message=message,
        remedy=remedy,
    )


def on_cluster(*, level: Level, code: str, case: Case, message: str, remedy: str) -> Finding:
    """A finding about the cluster as a whole."""
    return Finding(level=level, code=code, about="cluster", subject=case.swarm.id, message=message, remedy=remedy)
