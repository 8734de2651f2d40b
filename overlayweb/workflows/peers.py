"""Which nodes have joined the ingress, and the nudge for those that have not.

Creating a network allocates no node attachments; only node and task events do. A node label change is a safe one.
"""

from collections.abc import Sequence
from datetime import timedelta

from overlayweb.domain.swarm import Node
from overlayweb.workflows.runner import Context

NUDGE_LABEL = "com.overlayweb.nudge"
NUDGE_EVERY = timedelta(seconds=3)
"""A nudge may be lost (4 of 88, eight nodes, 20.10.24); one that was not shows among the peers in a second or two."""


def nudge(context: Context) -> None:
    """Change a label of every ready node: only node and task events make Swarm attach a node to a new ingress."""
    _nudge(context, [node for node in context.engine.nodes() if node.ready])


def _nudge(context: Context, nodes: Sequence[Node]) -> None:
    value = f"{context.job.pk}-{context.now().timestamp():.6f}"
    context.ledger.intend(context.step, nudged_at=context.now().timestamp())
    for node in nodes:
        context.pulse()  # one who was taken over in between labels no further node
        context.engine.label_node(node_id=node.id, key=NUDGE_LABEL, value=value)


def take_nudges_off(context: Context) -> None:
    """Leave no label behind."""
    for node in context.engine.nodes():
        if any(key == NUDGE_LABEL for key, _ in node.labels):
            context.pulse()
            context.engine.label_node(node_id=node.id, key=NUDGE_LABEL, value=None)


def missing(context: Context, nets: tuple[str, ...]) -> list[Node]:
    """Ready nodes that have not joined the ingress: those whose address is not among its peers.

    Behind NAT, where no peer has the address of a node, only the count tells. It tells nothing elsewhere: a node
    that is down, or has left, may still be a peer.
    """
    found = [network for network in map(context.engine.network, nets) if network is not None]
    nodes = context.engine.nodes()
    expected = [node for node in nodes if node.ready]
    if not found:
        return expected
    peers = {address for network in found for address in network.peers}
    if peers.isdisjoint(node.address for node in nodes) and len(peers) >= len(expected):
        return []
    return [node for node in expected if node.address not in peers]


def nudge_again(context: Context, nets: tuple[str, ...]) -> None:
    """Nudge the nodes that are missing once more, not more often than every few seconds."""
    if context.now().timestamp() - float(context.step.intent.get("nudged_at", 0)) < NUDGE_EVERY.total_seconds():
        return
    if away := missing(context, nets):
        _nudge(context, away)


def waiting_for(context: Context, nets: tuple[str, ...]) -> str:
    """Which nodes are missing, in words; nudges them again. "" when all have joined."""
    away = missing(context, nets)
    if not away:
        return ""
    nudge_again(context, nets)
    return "Waiting for the new ingress on " + ", ".join(node.hostname for node in away)
