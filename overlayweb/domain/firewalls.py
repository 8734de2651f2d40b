"""Rules that let the nodes of a Swarm reach each other, ready to be run on each node, for four firewalls.

A node is opened for the addresses of the other nodes and for nobody else: VXLAN has no authentication of its own, so
an open data-path port lets anybody put packets into an overlay. Windows nodes get rules of Windows's own firewall.
"""

import ipaddress
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain.readiness import ESP, NOWHERE, Port, is_windows, wanted_of
from overlayweb.domain.swarm import Node, Swarm

FIREWALLS = ("ufw", "firewalld", "nftables", "iptables")
_ORDER = ("tcp", "udp", ESP)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRules:
    """The rules of one node. ``sources``: the addresses that may reach it; ``lines``: a shell's, () for no rules.

    ``firewall`` is "windows" on a Windows node, whichever was asked for.
    """

    node: Node
    ports: tuple[Port, ...]
    sources: tuple[str, ...]
    firewall: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One protocol opened for addresses of one family. ``numbers`` is empty for a protocol without ports."""

    sources: tuple[str, ...]
    version: int
    protocol: str
    numbers: tuple[int, ...]


def rules(*, swarm: Swarm, firewall: str, nodes: Iterable[Node]) -> tuple[NodeRules, ...]:
    """The rules of these nodes, in their order. Raises KeyError for a firewall that is not known.

    Each node is opened for all others: for a thousand nodes the rules of one are some thousand lines.
    """
    return tuple(_of_node(node, swarm, firewall) for node in nodes)


def openings(*, sources: Iterable[str], ports: Sequence[Port]) -> tuple[Opening, ...]:
    """What to open, by family of addresses and protocol."""
    by_version: dict[int, list[str]] = {}
    for source in sources:
        by_version.setdefault(ipaddress.ip_address(source).version, []).append(source)
    found = []
    for version, addresses in sorted(by_version.items()):
        for protocol in _ORDER:
            wanted = [port for port in ports if port.protocol == protocol]
            numbers = tuple(port.number for port in wanted if port.number)
            if wanted:
                found.append(Opening(sources=tuple(addresses), version=version, protocol=protocol, numbers=numbers))
    return tuple(found)


def _of_node(node: Node, swarm: Swarm, firewall: str) -> NodeRules:
    ports = wanted_of(node, swarm.data_path_port)
    others = {other.address for other in swarm.nodes if other.id != node.id and _is_address(other.address)}
    sources = tuple(sorted(others - {node.address}, key=_by_number))
    kind = "windows" if is_windows(node) else firewall
    begin, write, end = _WRITERS[kind]
    opened = openings(sources=sources, ports=ports)
    lines = tuple(line for opening in opened for line in write(opening))
    if lines:
        lines = (*(line for line in begin), *lines, *(line for line in end))
    return NodeRules(node=node, ports=ports, sources=sources, firewall=kind, lines=lines)


def _ufw(opening: Opening) -> Iterator[str]:
    for source in opening.sources:
        if opening.protocol == ESP:
            yield f"ufw allow proto esp from {source} to any"
        for number in opening.numbers:
            yield f"ufw allow proto {opening.protocol} from {source} to any port {number}"


def _firewalld(opening: Opening) -> Iterator[str]:
    for source in opening.sources:
        rule = f'rule family="ipv{opening.version}" source address="{source}"'
        if opening.protocol == ESP:
            yield _rich(f'{rule} protocol value="esp" accept')
        for number in opening.numbers:
            yield _rich(f'{rule} port port="{number}" protocol="{opening.protocol}" accept')


def _rich(rule: str) -> str:
    return f"firewall-cmd --permanent --add-rich-rule={shlex.quote(rule)}"


def _nftables(opening: Opening) -> Iterator[str]:
    family = "ip" if opening.version == 4 else "ip6"  # noqa: PLR2004  # the versions of the protocol
    sources = ", ".join(opening.sources)
    if opening.protocol == ESP:
        match = "meta l4proto esp"
    else:
        match = f"{opening.protocol} dport {{ {', '.join(map(str, opening.numbers))} }}"
    yield f"nft {shlex.quote(f'insert rule inet filter input {family} saddr {{ {sources} }} {match} accept')}"


def _iptables(opening: Opening) -> Iterator[str]:
    program = "iptables" if opening.version == 4 else "ip6tables"  # noqa: PLR2004  # the versions of the protocol
    ports = ""
    if opening.numbers:
        ports = f" -m multiport --dports {','.join(map(str, opening.numbers))}"
    yield f"{program} -I INPUT -s {','.join(opening.sources)} -p {opening.protocol}{ports} -j ACCEPT"


def _windows(opening: Opening) -> Iterator[str]:
    if not opening.numbers:
        return
    yield (
        f"New-NetFirewallRule -DisplayName 'Docker Swarm {opening.protocol} IPv{opening.version}' -Direction Inbound"
        f" -Action Allow -Protocol {opening.protocol.upper()} -LocalPort {','.join(map(str, opening.numbers))}"
        f" -RemoteAddress {','.join(opening.sources)}"
    )


Writer = Callable[[Opening], Iterator[str]]
_WRITERS: dict[str, tuple[tuple[str, ...], Writer, tuple[str, ...]]] = {
    "ufw": (
        ("# Run as root. The rules last.",),
        _ufw,
        (),
    ),
    "firewalld": (
        ("# Run as root. The rules go to the default zone.",),
        _firewalld,
        ("firewall-cmd --reload",),
    ),
    "nftables": (
        (
            "# Run as root. The rules go first in the chain input of the table inet filter.",
            "# They are gone after a restart: write them into /etc/nftables.conf too.",
        ),
        _nftables,
        (),
    ),
    "iptables": (
        (
            "# Run as root. The rules go first in the chain INPUT: these are ports of the node, not of containers.",
            "# They are gone after a restart unless saved, such as by netfilter-persistent save.",
        ),
        _iptables,
        (),
    ),
    "windows": (
        ("# Run in PowerShell as administrator.",),
        _windows,
        (),
    ),
}


def _is_address(text: str) -> bool:
    if text in NOWHERE:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _by_number(text: str) -> tuple[int, int]:
    address = ipaddress.ip_address(text)
    return address.version, int(address)
