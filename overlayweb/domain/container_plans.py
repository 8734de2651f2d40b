"""The plan of connecting standalone containers to an attachable overlay and disconnecting them.

A container belongs to the engine of its node, which a manager cannot command: only containers of nodes whose own
engine is registered are in such a plan. Nothing restarts by it.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain import capacity, fingerprints
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.checks.case import on_network
from overlayweb.domain.estimates import ServiceHistory, Timings
from overlayweb.domain.network_plans import NetworkPlan, not_there
from overlayweb.domain.plans import Finding, Level, Plan, PlannedStep, Request
from overlayweb.domain.swarm import Container, Network, Node, Swarm

KIND = "network_containers"
MOVE_SECONDS = 1.0
"""One call on the node's engine and the manager's next answer. [lab]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLink:
    """One container, by the full ids of its node and itself. ``attach`` False: it is to be disconnected."""

    node_id: str
    container_id: str
    attach: bool


@dataclass(frozen=True, kw_only=True)
class ContainerRequest(Request):
    """``links``: what is connected and disconnected."""

    network_id: str
    links: tuple[ContainerLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """A link in names."""

    node_id: str
    hostname: str
    container_id: str
    name: str
    image: str
    attach: bool

    def __str__(self) -> str:
        return f"{self.name} on {self.hostname}"


@dataclass(frozen=True, kw_only=True)
class ContainerPlan(NetworkPlan):
    """``joinings``: one for each container, by node and name."""

    request: ContainerRequest
    network_name: str = ""
    joinings: tuple[Joining, ...] = ()

    @property
    def networks(self) -> tuple[str, ...]:
        """The one network."""
        return (self.network_name,)


def known(swarm: Swarm) -> tuple[tuple[Node, Container], ...]:
    """The standalone containers of the nodes that were asked themselves, by node and name."""
    views = {view.node_id: view.containers for view in swarm.node_views if not view.error}
    views.setdefault(swarm.manager_id, swarm.containers)
    rows = [(node, container) for node in swarm.nodes for container in views.get(node.id, ())]
    return tuple(sorted(rows, key=lambda row: (row[0].hostname, row[1].name)))


def build(
    *,
    swarm: Swarm,
    request: ContainerRequest,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> ContainerPlan:
    """The plan; the same input, the same plan."""
    del reserved, timings, history
    network = next((n for n in swarm.networks if n.id == request.network_id and n.scope == "swarm"), None)
    there = {(node.id, container.id): (node, container) for node, container in known(swarm)}
    pairs = [(link, there.get((link.node_id, link.container_id))) for link in request.links]
    joinings = tuple(_joining(*found, attach=link.attach) for link, found in pairs if found is not None)
    name = network.name if network else ""
    steps = (
        PlannedStep(name="check", title="Check the cluster", expected_seconds=0.5),
        PlannedStep(name="connect", title=_words(joinings, name), expected_seconds=MOVE_SECONDS * len(joinings)),
    )
    base = tuple(_base(network, joinings, there))
    return ContainerPlan(
        kind=KIND,
        cluster_id=swarm.id,
        request=request,
        network_id=request.network_id,
        network_name=name,
        joinings=joinings,
        steps=steps,
        effects=(),
        keeps_working=("No service, node or other network is touched.", "No container restarts."),
        findings=tuple(_findings(swarm, network, pairs)) if network else not_there(request.network_id),
        commands=tuple(_commands(joinings, name)),
        expected_seconds=round(sum(step.expected_seconds for step in steps), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def _joining(node: Node, container: Container, *, attach: bool) -> Joining:
    return Joining(
        node_id=node.id,
        hostname=node.hostname,
        container_id=container.id,
        name=container.name,
        image=container.image,
        attach=attach,
    )


def title(plan: Plan) -> str:
    """What a change request with such a plan is called."""
    made = ContainerPlan.of(plan)
    return _words(made.joinings, made.network_name)[:200]


_Pairs = Sequence[tuple[ContainerLink, tuple[Node, Container] | None]]


def _findings(swarm: Swarm, network: Network, pairs: _Pairs) -> Iterator[Finding]:
    joining = [link.node_id for link, _ in pairs if link.attach]
    joins = len(joining)
    if joins and (network.ingress or not network.attachable):
        yield on_network(
            level=Level.BLOCKER,
            code="not-attachable",
            network=network,
            message=f"{network.name} is not attachable: only containers of services can be on it.",
            remedy="Replace it by one that is, or choose another overlay.",
        )
    elif joins and not network.allocated:
        yield on_network(
            level=Level.BLOCKER,
            code="network-unallocated",
            network=network,
            message=f"Swarm has not given {network.name} any addresses.",
            remedy="Mend the network first.",
        )
    filling = capacity.filling_of(swarm=swarm, network_id=network.id)
    nodes = len(filling.without_it & set(joining)) if filling else 0
    if filling and joins + nodes > filling.free:
        yield on_network(
            level=Level.BLOCKER,
            code="no-room",
            network=network,
            message=f"{network.name} has {max(filling.free, 0)} addresses free, {joins + nodes} are needed: {joins} "
            f"for containers, {nodes} for nodes that have none on it yet.",
            remedy="Connect fewer, or replace it by a larger one.",
        )
    if not pairs:
        yield on_network(
            level=Level.BLOCKER,
            code="no-change",
            network=network,
            message="Nothing is connected or disconnected.",
            remedy="Tick a container, or untick one.",
        )
    for link, found in pairs:
        yield from _of_link(network, link, found)


def _of_link(network: Network, link: ContainerLink, found: tuple[Node, Container] | None) -> Iterator[Finding]:
    if found is None:
        yield on_network(
            level=Level.BLOCKER,
            code="container-gone",
            network=network,
            message=f"Container {link.container_id[:12]} does not run any more, or its node's engine cannot be asked.",
            remedy="Look again, then choose anew.",
        )
        return
    node, container = found
    on_it = network.id in container.network_ids
    if on_it == link.attach:
        yield on_network(
            level=Level.BLOCKER,
            code="no-change",
            network=network,
            message=f"{container.name} on {node.hostname} is {'on' if on_it else 'not on'} {network.name} already.",
            remedy="Leave it as it is.",
        )
    elif container.own and not link.attach:
        yield on_network(
            level=Level.BLOCKER,
            code="own-container",
            network=network,
            message=f"{container.name} on {node.hostname} is Overlayweb itself.",
            remedy="Disconnect it by hand, when nothing depends on it.",
        )
    elif not link.attach and set(container.network_ids) == {network.id}:
        yield on_network(
            level=Level.WARNING,
            code="container-alone",
            network=network,
            message=f"{container.name} on {node.hostname} is on no other network: afterwards nobody reaches it.",
            remedy="Connect it to another network first, where somebody needs it.",
        )


def _base(
    network: Network | None, joinings: Iterable[Joining], there: dict[tuple[str, str], tuple[Node, Container]]
) -> Iterator[tuple[str, str]]:
    if network is not None:
        yield f"connected network {network.name}", fingerprints.digest([network.id, network.attachable])
    for row in joinings:
        _, container = there[row.node_id, row.container_id]
        yield f"container {row}", fingerprints.digest([row.container_id, list(container.network_ids)])


def _commands(joinings: Iterable[Joining], network_name: str) -> Iterator[str]:
    for row in joinings:
        verb = "connect" if row.attach else "disconnect"
        words = ("docker", "network", verb, network_name, row.name or row.container_id[:12])
        yield f"{shlex.join(words)}  # on {row.hostname}"


def _words(joinings: Sequence[Joining], network_name: str) -> str:
    """ "Connect box to lake", "Connect 2 and disconnect 1 containers: lake"."""
    on, off = ([row for row in joinings if row.attach is attach] for attach in (True, False))
    if on and off:
        return f"Connect {len(on)} and disconnect {len(off)} containers: {network_name}"
    what = joinings[0].name if len(joinings) == 1 else f"{len(joinings)} containers"
    return f"Connect {what} to {network_name}" if on else f"Disconnect {what} from {network_name}"
