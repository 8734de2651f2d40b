"""What is wrong with the addresses of a Swarm right now: ranges that collide, overlays without any, or nearly full."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from overlayweb.domain import subnets
from overlayweb.domain.addresses import Need, ReservedRange
from overlayweb.domain.capacity import Room
from overlayweb.domain.checks.addressing import next_free_text, roomy_prefix
from overlayweb.domain.checks.case import case_of, on_network
from overlayweb.domain.checks.overlap import TIGHT
from overlayweb.domain.ingress_settings import ipv4_ipam, settings_of, subnet_of
from overlayweb.domain.plans import Finding, IngressRequest, Level
from overlayweb.domain.swarm import Network, Service, Swarm

INGRESS_COLLIDES = "ingress-collides"


def find(*, swarm: Swarm, reserved: Sequence[ReservedRange]) -> tuple[Finding, ...]:
    """Everything wrong, the ingress first, then overlays by name."""
    return (*_ingress(swarm, reserved), *_overlays(swarm))


def of_ingress(*, swarm: Swarm, reserved: Sequence[ReservedRange]) -> Finding | None:
    """Why the ingress should lie elsewhere, with a free subnet as its suggestion; None where it is well placed."""
    return next(_ingress(swarm, reserved), None)


def overlay_room(*, swarm: Swarm, network: Network) -> Room | None:
    """Room in an overlay, as far as a manager shows it; None for one without addresses.

    Source: swarmkit gives out the gateway, one address for each node with a container, one for each service and one
    for each container. Containers attached by hand are not shown, so there may be less room.
    """
    subnet = subnet_of(ipv4_ipam(network).subnet)
    if subnet is None:
        return None
    inside = [task for task in swarm.swarm_tasks if task.may_be_on(network.id) and task.desired_state == "running"]
    need = Need(
        nodes=len({task.node_id for task in inside}),
        services=sum(_has_address(service, network) for service in swarm.services),
        containers=len(inside),
    )
    return Room(usable=subnets.usable(subnet), need=need)


def _ingress(swarm: Swarm, reserved: Sequence[ReservedRange]) -> Iterator[Finding]:
    if len(swarm.ingress_networks) != 1:
        return
    network = swarm.ingress_networks[0]
    case = case_of(swarm=swarm, request=IngressRequest(settings=settings_of(network)), reserved=reserved)
    if case.subnet is None:
        return
    met = [str(held) for held in case.held if held.kind == "reserved" and subnets.overlaps(case.subnet, held.subnet)]
    if not met:
        return
    free = next_free_text(case, min(roomy_prefix(case), case.subnet.prefix_length), case.subnet.first)
    finding = on_network(
        level=Level.WARNING,
        code=INGRESS_COLLIDES,
        network=network,
        message=f"The ingress {case.subnet} collides with {', '.join(met)}.",
        remedy=f"Whoever is there does not reach published ports. {f'{free} is free.' if free else 'Nothing is free.'}",
    )
    yield replace(finding, suggestion=free)


def _overlays(swarm: Swarm) -> Iterator[Finding]:
    overlays = (row for row in swarm.networks if row.scope == "swarm" and not row.ingress)
    for network in sorted(overlays, key=lambda row: row.name):
        if network.driver in ("", "overlay") and not network.ipam:
            yield _unallocated(network)
        elif room := overlay_room(swarm=swarm, network=network):
            yield from _tight(network, room)


def _unallocated(network: Network) -> Finding:
    return on_network(
        level=Level.WARNING,
        code="network-unallocated",
        network=network,
        message=f"Overlay {network.name} has no addresses: Swarm took it and never allocated it.",
        remedy="Its subnet overlaps another network, most likely. What attaches to it waits for ever. Remove it.",
    )


def _tight(network: Network, room: Room) -> Iterator[Finding]:
    if room.used <= TIGHT * room.usable:
        return
    more = "no more container" if room.free <= 0 else f"{room.free} more {'address' if room.free == 1 else 'addresses'}"
    yield on_network(
        level=Level.WARNING,
        code="overlay-tight",
        network=network,
        message=f"Overlay {network.name} has room for {more}: {room.used} of {room.usable} are taken.",
        remedy="New containers wait for an address when it is full. Move its services to a larger overlay.",
    )


def _has_address(service: Service, network: Network) -> bool:
    return any(network_id == network.id for network_id, _ in service.vips)
