"""Making a Swarm of an engine, and letting engines join one: what is asked for, judged, and the exact commands.

Facts: moby, daemon/cluster (validateAddr, validateDefaultAddrPool, data-path port 1024 to 49151); asked of real
engines in tests/lab/test_membership.py.
"""

import ipaddress
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain import addresses, subnets
from overlayweb.domain.addresses import Holding, ReservedRange
from overlayweb.domain.checks import overlap
from overlayweb.domain.plans import Finding, Level, Request
from overlayweb.domain.readiness import BRIDGE_NAME, MANAGEMENT_PORT, NOWHERE
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.swarm import DATA_PATH_PORT, Swarm

DEFAULT_POOL = "10.0.0.0/8"
DEFAULT_SIZE = 24
LONGEST_SIZE = 29
DATA_PATH_PORTS = (1024, 49151)
FEW_NETWORKS = 16
ROLES = ("worker", "manager")
TOKEN_PLACE = "TOKEN"  # noqa: S105  # stands where the token goes
FIELDS = {
    "advertise": "Advertise address",
    "data_path": "Data-path address",
    "data_path_port": "Data-path port",
    "pools": "Default address pools",
    "size": "Size of each network",
    "remote": "Manager's address",
}
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class InitRequest(Request):
    """A Swarm to be made. Addresses are text: an address, or an interface of that machine; ``advertise`` may end in
    a port. "" and None leave the choice to the engine. ``pools`` in CIDR, ``size`` a prefix length.
    """

    advertise: str = ""
    data_path: str = ""
    data_path_port: int | None = None
    pools: tuple[str, ...] = ()
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRequest:
    """An engine to be joined to a Swarm. ``remote``: a manager, host:port. ``advertise``, ``data_path``: its own."""

    role: str
    remote: str
    advertise: str = ""
    data_path: str = ""


def check_init(request: InitRequest, *, held: Sequence[Holding] = ()) -> tuple[Finding, ...]:
    """Everything that is wrong with the Swarm that is asked for. ``held``: who has which addresses there."""
    return (
        *_address("advertise", request.advertise, with_port=True),
        *_address("data_path", request.data_path, with_port=False),
        *_data_path_port(request.data_path_port),
        *_size(request.size),
        *_pools(request, held),
    )


def check_join(request: JoinRequest, *, managers: Iterable[str]) -> tuple[Finding, ...]:
    """Everything that is wrong with the join that is asked for. ``managers``: addresses (host:port) that are known."""
    known = tuple(managers)
    return (
        *_remote(request.remote, known),
        *_address("advertise", request.advertise, with_port=True),
        *_address("data_path", request.data_path, with_port=False),
    )


def held(swarm: Swarm, reserved: Sequence[ReservedRange]) -> tuple[Holding, ...]:
    """Who has which addresses; docker_gwbridge makes room for itself, and each node may give its own the same."""
    known = (*swarm.networks, *(row for view in swarm.node_views for row in view.local_networks))
    own = [row for row in known if row.scope == "local" and row.name == BRIDGE_NAME]
    return addresses.holdings(swarm=swarm, reserved=reserved, without=own)


def init_command(request: InitRequest) -> str:
    """``docker swarm init`` for this request."""
    words = [("--advertise-addr", request.advertise), ("--data-path-addr", request.data_path)]
    if request.data_path_port is not None:
        words.append(("--data-path-port", str(request.data_path_port)))
    words += [("--default-addr-pool", pool) for pool in request.pools]
    if request.pools and request.size is not None:
        words.append(("--default-addr-pool-mask-length", str(request.size)))
    return _line("init", words)


def join_command(request: JoinRequest, *, token: str = "") -> str:
    """``docker swarm join``; where no token is given, TOKEN stands in its place."""
    words = [
        ("--token", token or TOKEN_PLACE),
        ("--advertise-addr", request.advertise),
        ("--data-path-addr", request.data_path),
    ]
    return _line("join", words, request.remote)


def networks_in(pools: Iterable[str], size: int | None) -> int:
    """How many overlays the pools have room for."""
    length = size or DEFAULT_SIZE
    found = (subnets.parse_or_none(text) for text in pools)
    return sum(2 ** (length - pool.prefix_length) for pool in found if pool and pool.prefix_length <= length)


def joined(address: str, port: int = MANAGEMENT_PORT) -> str:
    """An address and a port as one word."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _line(verb: str, words: Iterable[tuple[str, str]], *last: str) -> str:
    told = [word for flag, value in words if value for word in (flag, shlex.quote(value))]
    return " ".join(("docker", "swarm", verb, *told, *last))


def _address(field: str, text: str, *, with_port: bool) -> Iterator[Finding]:
    if not text:
        return
    host, port = _split(text) if with_port else (text, "")
    if not _is_port(port):
        yield _blocker(field, "port", f"“{port}” is no port.", "Write a number from 1 to 65535, or no port.")
    if host in NOWHERE:
        yield _blocker(field, "nowhere", f"{host or 'Nothing'} is no address that other nodes can reach.", _OWN)
    elif _is_ip(host):
        yield from _special(field, host)
    elif not _INTERFACE.fullmatch(host) or set(host) <= set("0123456789."):
        yield _blocker(field, "address", f"“{host}” is neither an address nor the name of an interface.", _OWN)


_OWN = "Write the address at which the other nodes reach this engine, or the interface that has it, such as eth0."


def _special(field: str, host: str) -> Iterator[Finding]:
    address = ipaddress.ip_address(host)
    kind = "a loopback" if address.is_loopback else "a multicast" if address.is_multicast else ""
    if kind:
        message = f"{host} is {kind} address: no other node reaches this engine there."
        yield _blocker(field, "special", message, _OWN)
    elif address.is_link_local:
        message = f"{host} is a link-local address, which may change at the next start."
        yield _finding(Level.WARNING, field, "link-local", message, "Use an address that stays.")


def _data_path_port(port: int | None) -> Iterator[Finding]:
    lowest, highest = DATA_PATH_PORTS
    if port is None:
        return
    if not lowest <= port <= highest:
        message = f"{port} is outside {lowest} to {highest}, the ports that Docker takes for the data path."
        yield _blocker("data_path_port", "bounds", message, "Choose one of them, or leave it empty for 4789.", "4789")
    elif port != DATA_PATH_PORT:
        message = f"Every node needs {port}/udp open, in place of 4789/udp. It can not be changed later."
        yield _finding(Level.NOTICE, "data_path_port", "other", message, "All nodes take it over when they join.")


def _size(size: int | None) -> Iterator[Finding]:
    if size is not None and not 1 <= size <= LONGEST_SIZE:
        message = f"Docker takes networks of /1 to /{LONGEST_SIZE}, not /{size}."
        yield _blocker("size", "bounds", message, "Use /24, which has room for 253 addresses.", str(DEFAULT_SIZE))


def _pools(request: InitRequest, held: Sequence[Holding]) -> Iterator[Finding]:
    read: list[Subnet] = []
    if not request.pools:
        yield from _default_pool(held)
    for text in request.pools:
        try:
            pool = subnets.parse(text)
        except subnets.NotASubnetError as error:
            message = "Swarm's pools are IPv4." if error.code == "ipv6" else f"{error}."
            yield _blocker("pools", error.code, message, "Write pools as 10.20.0.0/16, one a line.", error.suggestion)
            continue
        yield from _pool(pool, request, read, held)
        read.append(pool)
    if request.size is not None and not request.pools:
        message = f"Without a pool Docker cuts {DEFAULT_POOL} into networks of /{DEFAULT_SIZE}; the size has no effect."
        yield _blocker("size", "no-pool", message, "Name a pool too, or leave the size empty.")
    yield from _few(request, read)


def _default_pool(held: Sequence[Holding]) -> Iterator[Finding]:
    pool = subnets.parse(DEFAULT_POOL)
    met = [holding for holding in held if subnets.overlaps(pool, holding.subnet)]
    if met:
        more = f" and {len(met) - 1} more" if len(met) > 1 else ""
        message = f"Without a pool Swarm takes networks out of {DEFAULT_POOL}, which overlaps {met[0]}{more}."
        remedy = "Name a pool that is free."
        found = subnets.next_free(
            prefix_length=16, taken=[holding.subnet for holding in held], pools=subnets.PRIVATE_BLOCKS
        )
        yield _finding(Level.WARNING, "pools", "default", message, remedy, str(found or ""))


def _pool(pool: Subnet, request: InitRequest, others: Sequence[Subnet], held: Sequence[Holding]) -> Iterator[Finding]:
    size = request.size or DEFAULT_SIZE
    if pool.prefix_length > size:
        message = f"{pool} is smaller than one network of /{size}."
        yield _blocker("pools", "too-small", message, f"Choose a larger pool, or networks of /{pool.prefix_length}.")
    for other in others:
        if subnets.overlaps(pool, other):
            yield _blocker("pools", "pools-overlap", f"{pool} overlaps {other}, named before.", "Leave one away.")
    kind = next((what for block, what in subnets.UNUSABLE_BLOCKS if subnets.overlaps(block, pool)), "")
    if kind:
        message = f"{pool} holds {kind} addresses, which no node routes to a container."
        yield _blocker("pools", "special", message, "Choose private addresses, such as 10.20.0.0/16.")
    elif subnets.is_public(pool):
        message = f"{pool} holds public addresses. Containers no longer reach the hosts on the Internet there."
        yield _finding(Level.WARNING, "pools", "public", message, "Choose private addresses, unless these are yours.")
    met = overlap.who_holds(pool, held)
    free = _free(pool, held, others) if met else ""
    for holding in met:
        message = f"{pool} overlaps {holding}. Swarm gives its addresses to overlays without looking."
        yield _blocker("pools", "overlap", message, "Choose a pool that is free.", free)


def _free(pool: Subnet, held: Sequence[Holding], others: Sequence[Subnet]) -> str:
    taken = (*(holding.subnet for holding in held), *others)
    found = subnets.next_free(
        prefix_length=pool.prefix_length, taken=taken, pools=subnets.PRIVATE_BLOCKS, start=pool.first
    )
    return str(found) if found else ""


def _few(request: InitRequest, read: Sequence[Subnet]) -> Iterator[Finding]:
    count = networks_in(map(str, read), request.size)
    if 0 < count < FEW_NETWORKS:
        message = f"The pools have room for {count} networks of /{request.size or DEFAULT_SIZE}, one is the ingress."
        remedy = "Name a larger pool: pools can not be changed later."
        yield _finding(Level.WARNING, "pools", "few", message, remedy)


def _remote(remote: str, managers: tuple[str, ...]) -> Iterator[Finding]:
    host, port = _split(remote)
    if not host:
        remedy = "Write a manager's address, such as 192.168.1.10:2377."
        yield _blocker("remote", "missing", "Nobody is named to join.", remedy, next(iter(managers), ""))
    elif not _is_port(port):
        yield _blocker("remote", "port", f"“{port}” is no port.", f"Managers listen at {MANAGEMENT_PORT}.")
    elif not (_is_ip(host) or re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host)):
        yield _blocker("remote", "address", f"“{host}” is neither an address nor a name.", "Write a manager's address.")
    elif managers and joined(host.strip("[]"), int(port or MANAGEMENT_PORT)) not in managers:
        message = f"{remote} is none of the managers that were seen: {', '.join(managers)}."
        yield _finding(Level.WARNING, "remote", "stranger", message, "Use one of them.", managers[0])


def _split(text: str) -> tuple[str, str]:
    """Host and port of ``host``, ``host:port``, ``[v6]:port`` or a bare IPv6 address; port "" where there is none."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":") if rest else ""
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port or "?"
    return text, ""


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and 1 <= int(text) <= _HIGHEST_PORT)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _blocker(field: str, code: str, message: str, remedy: str, suggestion: str = "") -> Finding:
    return _finding(Level.BLOCKER, field, code, message, remedy, suggestion)


def _finding(level: Level, field: str, code: str, message: str, remedy: str, suggestion: str = "") -> Finding:
    return Finding(
        level=level,
        code=f"{field}-{code}".replace("_", "-"),
        about="field",
        subject=field,
        subject_name=FIELDS[field],
        message=message,
        remedy=remedy,
        suggestion=suggestion,
    )
