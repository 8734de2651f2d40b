"""Who reaches whom: two services reach each other by name on every overlay that both are attached to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Network, Service, Swarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One service on one overlay. ``address``: its VIP without the prefix, "" where it has none (dnsrr, or not yet)."""

    network: Network
    aliases: tuple[str, ...]
    address: str
    neighbours: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One service of the matrix. ``cells``: for each column whether it is attached, in the columns' order."""

    service: Service
    cells: tuple[bool, ...]
    reaches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Services by overlays. ``found`` and ``crossed``: how many services and overlays fit before they were cut off."""

    networks: tuple[Network, ...]
    rows: tuple[Row, ...]
    found: int
    crossed: int


def overlays(swarm: Swarm) -> tuple[Network, ...]:
    """Overlays that a service may be attached to, by name: not the ingress, nothing of one node alone."""
    return swarm.once(_overlays)


def _overlays(swarm: Swarm) -> tuple[Network, ...]:
    found = (n for n in swarm.networks if n.scope == "swarm" and not n.ingress and n.registered)
    return tuple(sorted(found, key=lambda network: network.name))


def on_networks(swarm: Swarm) -> Mapping[str, tuple[Service, ...]]:
    """The services attached to each network by its full id, in the order of their names."""
    return swarm.once(_on_networks)


def _on_networks(swarm: Swarm) -> Mapping[str, tuple[Service, ...]]:
    found: dict[str, list[Service]] = defaultdict(list)
    for service in swarm.once(_by_name):
        for network_id in dict.fromkeys(service.network_ids):
            found[network_id].append(service)
    return {key: tuple(services) for key, services in found.items()}


def attachments(swarm: Swarm, service: Service) -> tuple[Attachment, ...]:
    """The service's overlays by name, each with who else is on it."""
    there, vips = on_networks(swarm), dict(service.vips)
    aliases = aliases_of(service.spec)
    found = (
        Attachment(
            network=network,
            aliases=aliases.get(network.id, ()),
            address=vips.get(network.id, "").partition("/")[0],
            neighbours=tuple(other for other in there[network.id] if other.id != service.id),
        )
        for network in overlays(swarm)
        if network.id in service.network_ids
    )
    return tuple(found)


def aliases_of(spec: Spec) -> Mapping[str, tuple[str, ...]]:
    """The aliases of each attachment by the network's full id."""
    document = spec.document()
    rows: Iterable[dict[str, Any]] = (document.get("TaskTemplate") or {}).get("Networks") or ()
    rows = rows or document.get("Networks") or ()
    return {row["Target"]: tuple(row.get("Aliases") or ()) for row in rows}


def cut(
    *, swarm: Swarm, service_id: str, before: Collection[str], after: Mapping[str, Collection[str]]
) -> tuple[str, ...]:
    """Names of services that the service shares a network with by ``before`` and with none after, in order.

    ``after``: full ids of the networks of each service whose networks change.
    """
    mine = set(after.get(service_id, before))
    return tuple(
        other.name
        for other in swarm.once(_by_name)
        if other.id != service_id
        and set(before) & set(other.network_ids)
        and not mine & set(after.get(other.id, other.network_ids))
    )


def matrix(
    *, swarm: Swarm, services: str = "", networks: str = "", most: tuple[int, int] = (200, 50), shared: bool = False
) -> Matrix:
    """The matrix of services and overlays whose names (or a service's stack) hold the text, at most ``most`` of each.

    ``shared``: only overlays with at least two services.
    """
    there = on_networks(swarm)
    wanted = [n for n in overlays(swarm) if networks.lower() in n.name.lower()]
    wanted = [n for n in wanted if not shared or len(there.get(n.id, ())) > 1]
    columns = wanted[: most[1]]
    found = [s for s in swarm.once(_by_name) if _fits(s, services)]
    if networks or shared:
        keys = {network.id for network in wanted}
        found = [s for s in found if keys & set(s.network_ids)]
    rows = (_row(service, columns, there) for service in found[: most[0]])
    return Matrix(networks=tuple(columns), rows=tuple(rows), found=len(found), crossed=len(wanted))


def _by_name(swarm: Swarm) -> tuple[Service, ...]:
    return tuple(sorted(swarm.services, key=lambda s: s.name))


def _row(service: Service, columns: Sequence[Network], there: Mapping[str, tuple[Service, ...]]) -> Row:
    mine = set(service.network_ids)
    others = {other.id for key in mine for other in there.get(key, ())} - {service.id}
    return Row(service=service, cells=tuple(network.id in mine for network in columns), reaches=len(others))


def _fits(service: Service, text: str) -> bool:
    return text.lower() in service.name.lower() or text.lower() in service.stack.lower()
