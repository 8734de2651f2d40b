"""docker_gwbridge of one node made anew with settings of one's own: the documented way, as a checklist.

Every node has a docker_gwbridge of its own. It carries what containers on overlays send to and get from outside the
overlays. Docker makes it when the node joins a Swarm, from the first free block of the engine's own pools. Source:
Docker's documentation, "Customize the docker_gwbridge": only before the engine joins, or after it has left. A network
that is there stays after leaving, so it is removed first. Asked of a real engine in tests/lab/test_membership.py.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from overlayweb.domain import subnets
from overlayweb.domain.addresses import Holding
from overlayweb.domain.checks import overlap
from overlayweb.domain.checks.fields import MTU_MAX, MTU_MIN
from overlayweb.domain.ingress_settings import MTU_OPTION
from overlayweb.domain.membership import JoinRequest, join_command, joined
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.readiness import BRIDGE_NAME, NOWHERE
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.swarm import Node, Swarm

ICC_OPTION = "com.docker.network.bridge.enable_icc"
MASQUERADE_OPTION = "com.docker.network.bridge.enable_ip_masquerade"
NAME_OPTION = "com.docker.network.bridge.name"
FIELDS = {"subnet": "Subnet", "gateway": "Gateway", "mtu": "MTU", "icc": "Talk", "masquerade": "Masquerade"}
ROOM = 64
"""Each container on an overlay takes an address of its node's docker_gwbridge; fewer than this is soon used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRequest:
    """Settings for docker_gwbridge. Addresses as typed; ``gateway`` "": the first address; ``mtu`` None: unset.

    ``icc``: containers of the node reach each other over it; Docker's own choice is no. ``masquerade``: what goes out
    bears the node's address.
    """

    subnet: str
    gateway: str = ""
    mtu: int | None = None
    icc: bool = False
    masquerade: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the checklist. ``where``: on which node the commands run. ``commands``: a shell's lines."""

    title: str
    where: str
    commands: tuple[str, ...]
    note: str = ""


def check(request: BridgeRequest, *, held: Sequence[Holding]) -> tuple[Finding, ...]:
    """Everything that is wrong with these settings. ``held``: who has which addresses, docker_gwbridge left away."""
    return (*_subnet(request, held), *_gateway(request), *_mtu(request), *_reach(request))


def check_node(node: Node, *, swarm: Swarm) -> tuple[Finding, ...]:
    """What leaving the Swarm for a while means for this node: the only manager can not."""
    managers = [row for row in swarm.nodes if row.role == "manager"]
    if node.role != "manager":
        return ()
    if len(managers) == 1:
        level, message = Level.BLOCKER, f"{node.hostname} is the only manager: with it the Swarm itself would end."
        remedy = "Make another node a manager first: `docker node promote NODE`."
    else:
        level = Level.WARNING
        ready = sum(row.ready for row in managers) - 1
        message = f"While {node.hostname} is away, {ready} of {len(managers)} managers are left."
        remedy = "It is demoted first, so that the others stay a majority, and promoted at the end."
    found = Finding(
        level=level,
        code="node-manager",
        about="node",
        subject=node.id,
        subject_name=node.hostname,
        message=message,
        remedy=remedy,
    )
    return (found,)


def create_command(request: BridgeRequest) -> str:
    """``docker network create`` for these settings."""
    options = [
        (NAME_OPTION, BRIDGE_NAME),
        (ICC_OPTION, str(request.icc).lower()),
        (MASQUERADE_OPTION, str(request.masquerade).lower()),
    ]
    if request.mtu is not None:
        options.append((MTU_OPTION, str(request.mtu)))
    words = ["docker", "network", "create", "--subnet", request.subnet]
    words += ["--gateway", request.gateway] if request.gateway else []
    words += [word for key, value in options for word in ("--opt", f"{key}={value}")]
    return shlex.join([*words, BRIDGE_NAME])


def checklist(request: BridgeRequest, *, node: Node, swarm: Swarm) -> tuple[Item, ...]:
    """What to do for one node, in order. Managers that are asked are others than this node."""
    others = [row for row in swarm.nodes if row.role == "manager" and row.id != node.id and row.ready]
    manager = min(others, key=lambda row: (not row.leader, row.hostname), default=None)
    at = manager.hostname if manager else "a manager"
    remote = joined(manager.address) if manager and manager.address not in NOWHERE else "MANAGER:2377"
    here = node.hostname
    return (
        Item(title="Move its containers to other nodes", where=at, commands=_drain(node)),
        Item(title="Leave the Swarm", where=here, commands=("docker swarm leave",)),
        Item(
            title="Remove the old bridge",
            where=here,
            commands=(f"docker network rm {BRIDGE_NAME}",),
            note=f"Refused while something is on it: `docker network inspect {BRIDGE_NAME}` names it. A"
            " `gateway_ingress-sbox` was left behind by the ingress, and goes by"
            f" `docker network disconnect --force {BRIDGE_NAME} gateway_ingress-sbox`.",
        ),
        Item(title="Make it anew", where=here, commands=(create_command(request),)),
        Item(title="Join again", where=here, commands=_join(node, remote), note=_token_note(node)),
        Item(
            title="Take it back",
            where=at,
            commands=_back(node),
            note="Joining gives the node a new id: its labels and its role are set again, the old row is removed.",
        ),
        Item(
            title="Look at it",
            where=here,
            commands=(f"docker network inspect {BRIDGE_NAME}",),
            note="Containers that start on the node now show up in it.",
        ),
    )


def _drain(node: Node) -> tuple[str, ...]:
    demote = (f"docker node demote {node.id}",) if node.role == "manager" else ()
    wait = f"# Wait until it runs nothing: docker node ps --filter desired-state=running {node.id}"
    return (f"docker node update --availability drain {node.id}", wait, *demote)


def _join(node: Node, remote: str) -> tuple[str, ...]:
    address = node.address if node.address not in NOWHERE else ""
    return (join_command(JoinRequest(role="worker", remote=remote, advertise=address)),)


def _token_note(node: Node) -> str:
    also = " It is promoted again in the next step." if node.role == "manager" else ""
    return f"TOKEN is the token for workers, shown to administrators under “Join an engine”.{also}"


def _back(node: Node) -> tuple[str, ...]:
    labels = " ".join(f"--label-add {shlex.quote(f'{key}={value}')}" for key, value in node.labels)
    find = "# NEW is the id of the new row: docker node ls"
    lines = [f"docker node rm {node.id}", find]
    if labels:
        lines.append(f"docker node update {labels} NEW")
    if node.availability != "active":
        lines.append(f"docker node update --availability {node.availability} NEW")
    if node.role == "manager":
        lines.append("docker node promote NEW")
    return tuple(lines)


def _subnet(request: BridgeRequest, held: Sequence[Holding]) -> Iterator[Finding]:
    try:
        wanted = subnets.parse(request.subnet)
    except subnets.NotASubnetError as error:
        message = f"{error}." if request.subnet else "docker_gwbridge needs a subnet."
        suggestion = error.suggestion or _free(20, held, None)
        yield _on("subnet", f"subnet-{error.code}", message, "Write it as 172.30.0.0/20.", suggestion)
        return
    kind = next((what for block, what in subnets.UNUSABLE_BLOCKS if subnets.overlaps(block, wanted)), "")
    if kind:
        message = f"{wanted} holds {kind} addresses, which no node routes to a container."
        yield _on("subnet", "subnet-special", message, "Choose a private subnet.", _free(20, held, None))
    elif wanted.prefix_length > subnets.LONGEST_USABLE_PREFIX:
        message = f"A /{wanted.prefix_length} has no address for containers."
        yield _on("subnet", "subnet-too-small", message, "Choose a larger subnet.", _free(20, held, None))
    elif subnets.usable(wanted) < ROOM:
        message = f"{wanted} has room for {subnets.usable(wanted) - 1} containers on overlays on this node at a time."
        yield _on("subnet", "subnet-tight", message, "Choose a /24 or larger.", level=Level.WARNING)
    yield from _overlaps(wanted, held)


def _overlaps(wanted: Subnet, held: Sequence[Holding]) -> Iterator[Finding]:
    met = overlap.who_holds(wanted, held)
    free = _free(wanted.prefix_length, held, wanted.first) if met else ""
    remedy = f"Next free /{wanted.prefix_length}: {free}." if free else "Choose a subnet that is free."
    for holding in met:
        yield _on("subnet", "subnet-overlap", f"{wanted} overlaps {holding}.", remedy, free)


def _gateway(request: BridgeRequest) -> Iterator[Finding]:
    wanted = subnets.parse_or_none(request.subnet)
    if not request.gateway or wanted is None:
        return
    first = subnets.first_usable(wanted)
    suggestion = subnets.address_text(first) if first is not None else ""
    try:
        address = subnets.parse_address(request.gateway)
    except subnets.NotAnAddressError as error:
        yield _on("gateway", "gateway-invalid", f"{error}.", "Write an address of the subnet.", suggestion)
        return
    if not wanted.has(address):
        message = f"{request.gateway} is outside the subnet {wanted}."
        yield _on("gateway", "gateway-outside", message, "Use an address of the subnet.", suggestion)
    elif subnets.is_network_or_broadcast(wanted, address):
        message = f"{request.gateway} is the network or the broadcast address of {wanted}."
        yield _on("gateway", "gateway-not-usable", message, "Use another address of the subnet.", suggestion)


def _mtu(request: BridgeRequest) -> Iterator[Finding]:
    if request.mtu is not None and not MTU_MIN <= request.mtu <= MTU_MAX:
        message = f"An MTU of {request.mtu} is outside {MTU_MIN} to {MTU_MAX} bytes."
        yield _on("mtu", "mtu-bounds", message, "Use what the node's network card has, or leave it empty.", "1500")


def _reach(request: BridgeRequest) -> Iterator[Finding]:
    if request.icc:
        message = "Containers of different overlays on one node reach each other over docker_gwbridge."
        yield _on("icc", "icc-on", message, "Leave it off, as Docker does.", level=Level.WARNING)
    if not request.masquerade:
        message = "What containers send out bears their own address, which the routers outside have to know."
        remedy = "Leave it on, unless your network routes the subnet to this node."
        yield _on("masquerade", "masquerade-off", message, remedy, level=Level.WARNING)


def _free(prefix_length: int, held: Iterable[Holding], start: int | None) -> str:
    # From 172.16.0.0/12 first, where Docker's own bridges are, and out of the pools of overlays.
    pools = (*subnets.PRIVATE_BLOCKS[1:], subnets.PRIVATE_BLOCKS[0])
    taken = [holding.subnet for holding in held]
    found = subnets.next_free(prefix_length=prefix_length, taken=taken, pools=pools, start=start)
    return str(found) if found else ""


def _on(
    field: str, code: str, message: str, remedy: str, suggestion: str = "", *, level: Level = Level.BLOCKER
) -> Finding:
    finding = Finding(
        level=level, code=code, about="field", subject=field, subject_name=FIELDS[field], message=message, remedy=remedy
    )
    return replace(finding, suggestion=suggestion)
