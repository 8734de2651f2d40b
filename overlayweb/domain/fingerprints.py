"""What a plan depends on, as readable parts; and what has moved when two plans differ.

Left out on purpose: versions, tasks and timings, which move by themselves, and networks that neither overlap the
wanted subnet nor bear the wanted name: a colleague who creates an unrelated overlay must not void an approval.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from overlayweb.domain import addresses, subnets
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.ingress_settings import subnet_of
from overlayweb.domain.plans import IngressSettings, Plan
from overlayweb.domain.specs import canonical, publishes_through_ingress
from overlayweb.domain.swarm import Network, Node, Service, Swarm

Part = tuple[str, str]


def parts(*, swarm: Swarm, after: IngressSettings, reserved: Sequence[ReservedRange]) -> tuple[Part, ...]:
    """(readable subject, digest) pairs in order, for everything that a rebuild to ``after`` depends on.

    Subjects are "service shop_web", "node node1", "ingress ingress", "network backend", "reserved range VPC".
    """
    found = (
        *(("node", n.hostname, _node(n)) for n in swarm.nodes),
        *(("ingress", n.name, _network(n)) for n in swarm.ingress_networks),
        *_neighbours(swarm, after, reserved),
    )
    return _numbered([*swarm.once(_published), *map(_read, found)])


def repair_parts(*, swarm: Swarm, after: IngressSettings, reserved: Sequence[ReservedRange]) -> tuple[Part, ...]:
    """(readable subject, digest) pairs in order, for everything that a repair of the mesh depends on.

    Fewer than a rebuild's: in a wedge ports, states of nodes and removed networks come and go, and a person who
    restarts an engine before the job does not void the approval.
    """
    found = (
        *(("node", n.hostname, [n.id]) for n in swarm.nodes),
        *(("ingress", n.name, _network(n)) for n in swarm.ingress_networks),
        *_neighbours(swarm, after, reserved),
    )
    return _numbered([*swarm.once(_repaired), *map(_read, found)])


def may_be_repaired(service: Service) -> bool:
    """Whether a repair may write the service: it publishes through the ingress, or did before its last update."""
    specs = (service.spec, service.previous_spec)
    return any(publishes_through_ingress(spec) for spec in specs if spec is not None)


def fingerprint(base: Sequence[Part]) -> str:
    """sha256 of the parts, as hexadecimal digits."""
    return digest([list(part) for part in base])


def drift(*, before: Plan, now: Plan) -> tuple[str, ...]:
    """What has moved between two plans of one request, one short sentence for each thing; () when nothing has."""
    old, new = dict(before.base), dict(now.base)
    return tuple(
        _sentence(subject, old, new) for subject in sorted({*old, *new}) if old.get(subject) != new.get(subject)
    )


_CAME = {
    "attached service": "is attached to the network now",
    "connected service": "is there now",
    "connected network": "is there now",
    "service": "publishes through the ingress now",
    "node": "has joined",
    "ingress": "has been created",
    "network": "is in the way now",
    "reserved range": "is in the way now",
    "container": "is there now",
    "engine": "is in no Swarm now",
}
_WENT = {
    "attached service": "is no longer attached to the network",
    "connected service": "has been removed",
    "connected network": "has been removed",
    "service": "no longer publishes through the ingress",
    "node": "has left",
    "ingress": "has been removed",
    "network": "is no longer in the way",
    "reserved range": "is no longer in the way",
    "container": "is gone",
    "engine": "is part of a Swarm now",
}
_CHANGED = {
    "attached service": "has been changed: its spec",
    "connected service": "has been changed: its spec",
    "connected network": "has been changed or replaced",
    "service": "has been changed: its spec or its ports",
    "node": "has changed: its state, availability, address or engine version",
    "ingress": "has been changed or replaced",
    "network": "has been changed: its subnets",
    "reserved range": "has been changed",
    "container": "has come to a network or left one",
    "engine": "is another engine now, or has another name or version",
}


def _sentence(subject: str, old: dict[str, str], new: dict[str, str]) -> str:
    kind = next(kind for kind in _CAME if subject.startswith(f"{kind} "))
    words = _CAME if subject not in old else _WENT if subject not in new else _CHANGED
    name = subject.removeprefix(f"{kind} ")
    return f"{kind.capitalize()} {name} {words[kind]}."


def _neighbours(
    swarm: Swarm, after: IngressSettings, reserved: Sequence[ReservedRange]
) -> Iterator[tuple[str, str, object]]:
    wanted = subnet_of(after.subnet)
    leaving = (*swarm.ingress_networks, *swarm.stale_ingress_networks)
    held = addresses.holdings(swarm=swarm, reserved=reserved, without=leaving)
    near = {h.id for h in held if wanted and subnets.overlaps(wanted, h.subnet) and h.kind != "node"}
    for network in swarm.networks:
        if not network.ingress and (network.id in near or network.name == after.name):
            yield "network", network.name, _network(network)
    for row in reserved:
        if row.name in near:
            yield "reserved range", row.name, row.cidr


_Read = tuple[str, str, str]
"""(text that sorts it, subject, digest) of one thing."""


def _read(row: tuple[str, str, object]) -> _Read:
    kind, name, content = row
    return canonical(row), f"{kind} {name}", digest(content)


def _numbered(found: Iterable[_Read]) -> tuple[Part, ...]:
    """In order, with a number where several bear one name."""
    seen: dict[str, int] = {}
    base = []
    for _, subject, content in sorted(found):
        seen[subject] = seen.get(subject, 0) + 1
        number = f" ({seen[subject]})" if seen[subject] > 1 else ""
        base.append((subject + number, content))
    return tuple(base)


def _published(swarm: Swarm) -> tuple[_Read, ...]:
    return tuple(_read(("service", service.name, _service(service))) for service in swarm.published_services)


def _repaired(swarm: Swarm) -> tuple[_Read, ...]:
    found = (service for service in swarm.services if may_be_repaired(service))
    return tuple(_read(("service", service.name, [service.id, service.spec.digest])) for service in found)


def _service(service: Service) -> object:
    ports = sorted((p.published_port, p.target_port, p.protocol, p.publish_mode) for p in service.ports)
    return [service.id, service.spec.digest, ports]


def _node(node: Node) -> object:
    return [node.id, node.state, node.availability, node.engine_version, node.address]


def _network(network: Network) -> object:
    blocks = sorted((ipam.subnet, ipam.gateway, ipam.ip_range) for ipam in network.ipam)
    return [network.id, network.name, network.mtu, blocks, sorted(network.labels), sorted(network.options)]


def digest(content: object) -> str:
    """sha256 of anything that is JSON, as hexadecimal digits."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()
