"""What a Swarm needs of its nodes and of the wires between them, and what is known of it.

Ports: Docker's documentation, "Use Swarm mode"; 2377/tcp to managers, 7946/tcp and udp and the data path between all
nodes, IP protocol 50 (ESP) only for encrypted overlays.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.swarm import IpamConfig, Network, Node, Swarm

MANAGEMENT_PORT = 2377
GOSSIP_PORT = 7946
ESP = "esp"
BRIDGE_NAME = "docker_gwbridge"
NOWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared with, not bound to
OLDEST_TOGETHER = 2
"""So many versions of engines side by side are one upgrade under way; more are a habit."""


class Membership(StrEnum):
    """What an engine is to a Swarm, as it tells itself."""

    MANAGER = "manager"
    WORKER = "worker"
    NONE = "none"
    """In no Swarm."""
    LOCKED = "locked"
    """A manager of a Swarm with autolock that was restarted."""
    BROKEN = "broken"
    """Joining, or kept from its Swarm by an error."""


class Answer(StrEnum):
    """What came of trying a port from the worker's machine."""

    OPEN = "open"
    REFUSED = "refused"
    """The machine answered that nobody listens there."""
    SILENT = "silent"
    """Nothing came back in time: dropped by a firewall, or the machine is away."""
    NO_WAY = "no-way"
    """The machine of the worker knows no way to the address."""
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port, or a protocol without ports (``number`` None), that a node has to be reached at."""

    number: int | None
    protocol: str
    what: str
    managers_only: bool = False
    encrypted_only: bool = False

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}" if self.number else "ESP (IP protocol 50)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortAnswer:
    """One try of one TCP port of one node. ``seconds`` until the answer."""

    node_id: str
    address: str
    port: int
    answer: Answer
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """What one engine tells of itself, whatever it is to a Swarm. ``error``: why it could not be asked, or "".

    ``engine_id``: by which it is told from any other, wherever it is reached. ``managers``: addresses (host:port) of
    the managers that it knows. ``networks``: those of this engine alone.
    """

    hostname: str
    membership: Membership = Membership.NONE
    node_id: str = ""
    address: str = ""
    os: str = ""
    kernel: str = ""
    engine_version: str = ""
    engine_id: str = ""
    managers: tuple[str, ...] = ()
    swarm_error: str = ""
    networks: tuple[Network, ...] = ()
    error: str = ""

    @property
    def bridge(self) -> Network | None:
        """Its docker_gwbridge, None where there is none yet."""
        return next((row for row in self.networks if row.name == BRIDGE_NAME), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Everything measured when somebody asked for it. ``engine``: the one by which the cluster is registered.

    ``others``: engines of nodes that are registered with an address of their own.
    """

    checked_at: datetime
    engine: EngineView
    others: tuple[EngineView, ...] = ()
    ports: tuple[PortAnswer, ...] = ()

    @property
    def answers(self) -> Mapping[tuple[str, str, int], PortAnswer]:
        """What came of the TCP ports that were tried, by node id, address and port."""
        tried = (row for row in self.ports if row.answer is not Answer.UNCHECKED)
        return {(row.node_id, row.address, row.port): row for row in tried}


def ports(data_path_port: int) -> tuple[Port, ...]:
    """What has to be open between the nodes of a Swarm with this data-path port."""
    return (
        Port(
            number=MANAGEMENT_PORT,
            protocol="tcp",
            what="nodes talk to the managers, managers among each other",
            managers_only=True,
        ),
        Port(number=GOSSIP_PORT, protocol="tcp", what="nodes exchange who is on which overlay"),
        Port(number=GOSSIP_PORT, protocol="udp", what="the same, and whether each is alive"),
        Port(number=data_path_port, protocol="udp", what="VXLAN: the packets of all overlays and of the ingress"),
        Port(number=None, protocol=ESP, what="the packets of encrypted overlays", encrypted_only=True),
    )


def wanted_of(node: Node, data_path_port: int) -> tuple[Port, ...]:
    """The ports at which the others have to reach this node. Windows takes no part in encrypted overlays."""
    return tuple(
        port
        for port in ports(data_path_port)
        if (node.role == "manager" or not port.managers_only) and not (port.encrypted_only and is_windows(node))
    )


def to_try(swarm: Swarm) -> tuple[tuple[Node, int], ...]:
    """The TCP ports that can be tried: each of each node whose address is known."""
    return tuple(
        (node, port.number)
        for node in swarm.nodes
        for port in wanted_of(node, swarm.data_path_port)
        if port.protocol == "tcp" and port.number and node.address not in NOWHERE
    )


def untried(swarm: Swarm, check: Check) -> tuple[Node, ...]:
    """The nodes of which it tried no TCP port: they came later, have another address since, or its time was over."""
    tried = {(node_id, address) for node_id, address, _ in check.answers}
    return tuple(dict.fromkeys(node for node, _ in to_try(swarm) if (node.id, node.address) not in tried))


def find_nodes(nodes: Iterable[Node], text: str) -> tuple[Node, ...]:
    """The node of this id; else those of this host name; else those that have it in their name or begin with this id.

    Capitals do not count. All for "".
    """
    word = text.strip().lower()
    rows = tuple(nodes)
    same = tuple(node for node in rows if node.id.lower() == word)
    named = tuple(node for node in rows if node.hostname.lower() == word)
    like = (node for node in rows if word in node.hostname.lower() or node.id.lower().startswith(word))
    return same or named or tuple(like)


def is_windows(node: Node) -> bool:
    """Whether it runs Windows."""
    return node.os == "windows"


def versions(swarm: Swarm) -> tuple[tuple[str, tuple[Node, ...]], ...]:
    """The nodes by the version of their engine, the version that most have first."""
    ordered = sorted(swarm.nodes, key=lambda node: node.engine_version)
    groups = [(key, tuple(rows)) for key, rows in itertools.groupby(ordered, key=lambda node: node.engine_version)]
    return tuple(sorted(groups, key=lambda group: (-len(group[1]), group[0])))


def bridges(swarm: Swarm | None, check: Check | None) -> tuple[tuple[str, Network | None], ...]:
    """The docker_gwbridge of each engine that was asked, by host name: the manager's first, None where there is none.

    The manager's is in every look; those of other nodes are seen by a check, where their engine is registered.
    """
    found: dict[str, Network | None] = {}
    if swarm is not None:
        names = {node.id: node.hostname for node in swarm.nodes}
        own = next((row for row in swarm.networks if row.scope == "local" and row.name == BRIDGE_NAME), None)
        found[names.get(swarm.manager_id, "the manager")] = own
    for view in (check.engine, *check.others) if check else ():
        if not view.error:
            found[view.hostname] = view.bridge
    return tuple(found.items())


def findings(swarm: Swarm) -> tuple[Finding, ...]:
    """What stands in the way of a Swarm that works, as its nodes tell: versions, systems, addresses, managers."""
    return (*_on_versions(swarm), *_on_systems(swarm), *_on_addresses(swarm), *_on_managers(swarm))


def option(network: Network, key: str) -> str:
    """A driver option as it is set, "" where it is not."""
    return dict(network.options).get(key, "")


def first_ipam(network: Network) -> IpamConfig:
    """Its first subnet; one without addresses where there is none."""
    return network.ipam[0] if network.ipam else IpamConfig(subnet="")


def _on_versions(swarm: Swarm) -> Iterable[Finding]:
    groups = versions(swarm)
    if len(groups) < OLDEST_TOGETHER:
        return
    told = "; ".join(f"{version or 'unknown'} on {_names(nodes)}" for version, nodes in groups)
    yield Finding(
        level=Level.WARNING if len(groups) > OLDEST_TOGETHER else Level.NOTICE,
        code="versions-differ",
        about="cluster",
        subject=swarm.id,
        message=f"{len(groups)} versions of the engine side by side: {told}.",
        remedy="Bring all nodes to one version, managers first, one node at a time, drained.",
    )


def _on_systems(swarm: Swarm) -> Iterable[Finding]:
    windows = [node for node in swarm.nodes if is_windows(node)]
    encrypted = [network.name for network in swarm.networks if network.encrypted and network.scope == "swarm"]
    for node in windows:
        blocked = bool(encrypted)
        yield Finding(
            level=Level.WARNING if blocked else Level.NOTICE,
            code="windows-node",
            about="node",
            subject=node.id,
            subject_name=node.hostname,
            message=(
                f"{node.hostname} runs Windows, which takes no part in encrypted overlays and reports no error."
                + (f" Encrypted here: {', '.join(encrypted)}." if blocked else "")
            ),
            remedy="Keep services of encrypted overlays off it by a constraint on node.platform.os == linux.",
        )


def _on_addresses(swarm: Swarm) -> Iterable[Finding]:
    for node in swarm.nodes:
        if node.address in NOWHERE:
            yield Finding(
                level=Level.WARNING,
                code="address-unknown",
                about="node",
                subject=node.id,
                subject_name=node.hostname,
                message=f"The managers know no address of {node.hostname}; rules for it can not be written.",
                remedy="Let it join anew with `--advertise-addr`, the address at which the others reach it.",
            )


def _on_managers(swarm: Swarm) -> Iterable[Finding]:
    managers = [node for node in swarm.nodes if node.role == "manager"]
    if len(managers) == 1:
        message = f"{managers[0].hostname} is the only manager. While it is away, nothing in the Swarm can change."
        remedy = "Make two more nodes managers, so that one may be away: `docker node promote NODE NODE`."
    elif len(managers) % 2 == 0 and managers:
        message = f"{len(managers)} managers bear as few losses as {len(managers) - 1} do."
        remedy = "Keep an odd number of managers: promote one more node, or demote one."
    else:
        return
    yield Finding(
        level=Level.NOTICE, code="managers-few", about="cluster", subject=swarm.id, message=message, remedy=remedy
    )


def _names(nodes: Iterable[Node]) -> str:
    return ", ".join(sorted(node.hostname for node in nodes))
