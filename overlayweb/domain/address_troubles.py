"""What is wrong with the addresses of a Swarm right now: ranges that collide, overlays without any, or nearly full."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from overlayweb.domain import capacity, subnets
from overlayweb.domain.addresses import Holding, ReservedRange, holdings, of_reserved
from overlayweb.domain.capacity import Filling
from overlayweb.domain.checks.addressing import next_free_text, roomy_prefix
from overlayweb.domain.checks.case import case_of, on_network
from overlayweb.domain.ingress_settings import settings_of, subnet_of
from overlayweb.domain.plans import Finding, IngressRequest, Level
from overlayweb.domain.swarm import Network, Swarm
from overlayweb.domain.wording import several

INGRESS_COLLIDES = "ingress-collides"


def find(*, swarm: Swarm, reserved: Sequence[ReservedRange]) -> tuple[Finding, ...]:
    """Everything wrong, the ingress first, then reserved ranges that overlays lie in, then overlays by name."""
    return (*_ingress(swarm, reserved), *swarm.lately(_in_reserved, tuple(reserved)), *swarm.once(_overlays))


def of_ingress(*, swarm: Swarm, reserved: Sequence[ReservedRange]) -> Finding | None:
    """Why the ingress should lie elsewhere, with a free subnet as its suggestion; None where it is well placed."""
    return next(_ingress(swarm, reserved), None)


def _ingress(swarm: Swarm, reserved: Sequence[ReservedRange]) -> Iterator[Finding]:
    if len(swarm.ingress_networks) != 1:
        return
    network = swarm.ingress_networks[0]
    settings = settings_of(network)
    subnet = subnet_of(settings.subnet)
    met = [str(row) for row in of_reserved(reserved) if subnet and subnets.overlaps(subnet, row.subnet)]
    if subnet is None or not met:
        return
    case = case_of(swarm=swarm, request=IngressRequest(settings=settings), reserved=reserved)
    free = next_free_text(case, min(roomy_prefix(case), subnet.prefix_length), subnet.first)
    finding = on_network(
        level=Level.WARNING,
        code=INGRESS_COLLIDES,
        network=network,
        message=f"The ingress {subnet} collides with {', '.join(met)}.",
        remedy=f"Whoever is there does not reach published ports. {f'{free} is free.' if free else 'Nothing is free.'}",
    )
    yield replace(finding, suggestion=free)


def _in_reserved(swarm: Swarm, reserved: tuple[ReservedRange, ...]) -> tuple[Finding, ...]:
    """One finding for each range, however many overlays lie in it."""
    held = holdings(swarm=swarm, reserved=(), without=swarm.ingress_networks)
    overlays = sorted((row.name, row.subnet) for row in held if row.kind == "overlay")
    met = (
        (row, dict.fromkeys(name for name, subnet in overlays if subnets.overlaps(subnet, row.subnet)))
        for row in of_reserved(reserved)
    )
    return tuple(_in_way(row, tuple(names)) for row, names in met if names)


def _in_way(reserved: Holding, names: Sequence[str]) -> Finding:
    one = len(names) == 1
    return Finding(
        level=Level.WARNING,
        code="reserved-range-used",
        about="range",
        subject=str(reserved.subnet),
        subject_name=reserved.name,
        message=f"{'Overlay' if one else 'Overlays'} {several(names)} {'overlaps' if one else 'overlap'} {reserved}.",
        remedy="Containers there do not reach whoever has the range. "
        f"Replace {'it by an overlay' if one else 'them by overlays'} elsewhere, or edit the range.",
    )


def _overlays(swarm: Swarm) -> tuple[Finding, ...]:
    return tuple(_of_overlays(swarm))


def _of_overlays(swarm: Swarm) -> Iterator[Finding]:
    overlays = (row for row in swarm.networks if row.scope == "swarm" and not row.ingress)
    for network in sorted(overlays, key=lambda row: row.name):
        if network.driver in ("", "overlay") and not network.ipam:
            yield _unallocated(network)
        elif filling := capacity.filling_of(swarm=swarm, network_id=network.id):
            yield from _tight(filling)


def _unallocated(network: Network) -> Finding:
    return on_network(
        level=Level.WARNING,
        code="network-unallocated",
        network=network,
        message=f"Overlay {network.name} has no addresses: Swarm took it and never allocated it.",
        remedy="What attaches to it waits for ever.",
    )


def _tight(filling: Filling) -> Iterator[Finding]:
    if filling.level == "roomy":
        return
    name = filling.network.name
    yield on_network(
        level=Level.WARNING,
        code="overlay-tight",
        network=filling.network,
        message=f"Overlay {name} is {filling.level}: {filling.used} of {filling.usable} addresses are taken, "
        f"{filling.peak} while everything on it updates.",
        remedy="New containers wait for an address when it is full. Move its services to a larger overlay.",
    )
