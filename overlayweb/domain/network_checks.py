"""Checks of the settings of an overlay that is to be made, each problem beside its field."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from overlayweb.domain import blocks, subnets
from overlayweb.domain.addresses import ReservedRange, holdings
from overlayweb.domain.checks import addressing, fields, overlap
from overlayweb.domain.checks.case import Case, on_field
from overlayweb.domain.ingress_settings import MTU_OPTION, VXLAN_IDS_OPTION, subnet_of
from overlayweb.domain.network_settings import ENCRYPTED_OPTION, NetworkSettings
from overlayweb.domain.plans import Finding, IngressRequest, IngressSettings, Level
from overlayweb.domain.swarm import IpamConfig, Network, Service, Swarm
from overlayweb.domain.wording import several

_AUXILIARY = frozenset({"aux-address", "aux-addresses", "auxiliary-address", "AuxiliaryAddresses"})

_OF_SETTINGS = (fields.name, fields.mtu, fields.labels)
_OF_SUBNET = (
    addressing.subnet,
    overlap.overlaps,
    overlap.room,
    overlap.pools,
    addressing.gateway,
    addressing.ip_range,
)


def of_settings(
    swarm: Swarm,
    after: NetworkSettings,
    *,
    leaves: tuple[Network, ...] = (),
    attached: Sequence[Service] = (),
    reserved: Sequence[ReservedRange] = (),
    kept: Sequence[tuple[str, str]] = (),
) -> Iterator[Finding]:
    """Everything that Docker refuses, or takes and later hangs on: names, sizes, overlaps, gateways, ranges, MTU.

    ``leaves``: networks that make room. ``attached``: services that will need addresses on it. ``kept``: labels that
    are there already, or were approved, such as the mark of its stack, and may stay whatever their keys. Of several
    subnets the ``subject_name`` tells which one is meant.
    """
    after = replace(after, labels=tuple(row for row in after.labels if row not in kept))
    cases = [
        case_of(swarm, after, row, leaves, attached, reserved) for row in after.subnets or (IpamConfig(subnet=""),)
    ]
    for check in _OF_SETTINGS:
        for finding in check(cases[0]):
            yield finding if after.name else replace(finding, suggestion="")
    yield from _ingress_name(swarm, after)
    yield from _options(after)
    if not after.subnets:
        yield from _of_default_pools(swarm, reserved)
        return
    for case in cases:
        yield from (replace(finding, subject_name=case.after.subnet) for finding in _of_subnet(case))
    blocks = [case.subnet for case in cases if case.subnet]
    for number, block in enumerate(blocks):
        if any(subnets.overlaps(block, other) for other in blocks[:number]):
            yield on_field(
                level=Level.BLOCKER,
                code="subnet-twice",
                field="subnet",
                message=f"{block} overlaps another subnet of the same network.",
                remedy="Choose blocks that lie apart.",
            )


def _of_subnet(case: Case) -> list[Finding]:
    """What is wrong with one subnet; only where it can stay, what is good to know of it too."""
    found = [finding for check in _OF_SUBNET for finding in check(case)]
    stays = all(finding.level is not Level.BLOCKER or finding.subject != "subnet" for finding in found)
    return [finding for finding in found if stays or finding.level is not Level.NOTICE]


def _of_default_pools(swarm: Swarm, reserved: Sequence[ReservedRange]) -> Iterator[Finding]:
    """Swarm gives a network without a subnet a block of its default pools that no overlay has.

    It knows of nobody else: who holds addresses in the pools is told. A pool without a free block is not refused
    either, the network stays without addresses.
    """
    pools = blocks.swarm_pools(swarm)
    held = holdings(swarm=swarm, reserved=reserved)
    words = f"default pool{'s' if len(pools) > 1 else ''} {', '.join(map(str, pools))}"
    overlays = [holding.subnet for holding in held if holding.kind == "overlay"]
    if pools and not subnets.next_free(prefix_length=swarm.subnet_size, taken=overlays, pools=pools):
        yield on_field(
            level=Level.BLOCKER,
            code="pool-exhausted",
            field="subnet",
            message=f"No /{swarm.subnet_size} is free in the {words}. Swarm takes the network and never allocates it.",
            remedy="Name a subnet outside of them, or have a free block picked.",
        )
        return
    met = [row for row in held if row.kind != "overlay" and any(subnets.overlaps(row.subnet, pool) for pool in pools)]
    if met:
        named = several(map(str, sorted(met, key=lambda row: row.kind != "reserved")))
        yield on_field(
            level=Level.WARNING,
            code="pool-shared",
            field="subnet",
            message=f"Swarm takes a /{swarm.subnet_size} of its {words} and does not look who else is there: {named}.",
            remedy="Name a subnet, or have a free block picked.",
        )


def _ingress_name(swarm: Swarm, after: NetworkSettings) -> Iterator[Finding]:
    """The name that the ingress has."""
    ingress = next((row for row in swarm.networks if row.ingress and row.has_name(after.name)), None)
    if ingress:
        yield on_field(
            level=Level.BLOCKER,
            code="name-taken",
            field="name",
            message=f"The ingress network is called {ingress.name}.",
            remedy="Choose another name.",
        )


def _options(after: NetworkSettings) -> Iterator[Finding]:
    """Driver options that cannot be as they are, and those that nothing follows from.

    Source: the overlay driver of moby reads the MTU, ``encrypted`` and the VXLAN ids; any other is kept and not read.
    """
    keys = [key for key, _ in after.options]
    for key in sorted({key for key in keys if keys.count(key) > 1 or not key or any(map(str.isspace, key))}):
        yield _option(
            code="option-key",
            message=f"The option “{key}” is empty, holds a blank, or is given twice.",
            remedy="Write each option once, as key=value.",
        )
    if any(key.lstrip("-") in _AUXILIARY for key in keys):
        yield _option(code="option-auxiliary", message=addressing.AUXILIARY_REASON, remedy="Take the option out.")
    for key in (MTU_OPTION, ENCRYPTED_OPTION):
        if key in keys:
            yield _option(
                code="option-has-a-field",
                message=f"{key} has a field of its own here: Docker takes any value of it and nodes fail later.",
                remedy="Use the field, and take the option out.",
            )
    if VXLAN_IDS_OPTION in keys:
        yield _option(
            code="option-of-swarm",
            message=f"Swarm chooses the {VXLAN_IDS_OPTION}. One that is no number, or that another network has, it "
            "takes, and never allocates the network.",
            remedy="Take the option out.",
        )
    told = {"", MTU_OPTION, ENCRYPTED_OPTION, VXLAN_IDS_OPTION}
    unread = sorted({key for key in keys if key not in told and key.lstrip("-") not in _AUXILIARY})
    if unread:
        yield _option(
            level=Level.WARNING,
            code="option-unread",
            message=f"Docker takes {', '.join(unread)}, and the overlay driver of Linux nodes does not read it.",
            remedy="Take it out, unless something of yours reads it. The MTU and encryption have fields here.",
        )


def _option(*, code: str, message: str, remedy: str, level: Level = Level.BLOCKER) -> Finding:
    return on_field(level=level, code=code, field="options", message=message, remedy=remedy)


def case_of(
    swarm: Swarm,
    after: NetworkSettings,
    row: IpamConfig,
    leaves: tuple[Network, ...],
    attached: Sequence[Service],
    reserved: Sequence[ReservedRange],
) -> Case:
    """What the checks of settings look at: one subnet of the wanted network, and the Swarm around it."""
    others = tuple(network for network in swarm.networks if network not in leaves)
    beside = [block for other in after.subnets if other != row and (block := subnet_of(other.subnet))]
    settings = IngressSettings(
        name=after.name,
        subnet=row.subnet,
        gateway=row.gateway,
        mtu=after.mtu,
        ip_range=row.ip_range,
        labels=after.labels,
    )
    return Case(
        # Only where something differs: a copy knows nothing of what was worked out from the observation.
        swarm=replace(swarm, networks=others) if leaves else swarm,
        request=IngressRequest(settings=settings),
        after=settings,
        before=None,
        ingress=None,
        services=tuple(attached),
        subnet=subnet_of(row.subnet),
        ip_range=subnet_of(row.ip_range),
        held=holdings(swarm=swarm, reserved=reserved, without=leaves),
        avoided=tuple(sorted((*(h.subnet for h in holdings(swarm=swarm, reserved=reserved)), *beside))),
        encrypted=after.encrypted,
    )


def of_nodes(swarm: Swarm, after: NetworkSettings) -> Iterator[Finding]:
    """Nodes that cannot take part in a network with these settings, and what has to pass between all of them."""
    if after.encrypted:
        yield Finding(
            level=Level.NOTICE,
            code="encrypted-esp",
            about="cluster",
            subject=swarm.id,
            message="Containers on an encrypted overlay reach each other only where IP protocol 50 (ESP) passes "
            "between the nodes, which no manager shows.",
            remedy="The readiness page has the rules for every node's firewall.",
        )
    windows = run_windows(swarm)
    if after.encrypted and windows:
        yield on_field(
            level=Level.BLOCKER,
            code="encrypted-windows",
            field="encrypted",
            message=f"{windows}, which takes no part in encrypted overlays and says nothing.",
            remedy="Leave the network unencrypted, or take Windows nodes out of the Swarm.",
        )


def run_windows(swarm: Swarm) -> str:
    """Which nodes do, as in "win1 and win2 run Windows"; of many the first, and how many more; "" when none does."""
    names = sorted(node.hostname for node in swarm.nodes if node.os == "windows")
    return f"{several(names)} run{'s' if len(names) == 1 else ''} Windows" if names else ""
