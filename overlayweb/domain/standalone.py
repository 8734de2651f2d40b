"""Containers outside services that hang on attachable overlays, as a manager shows them.

Source: ``GET /tasks`` filtered by ``runtime=["attachment"]``; swarmkit keeps a Swarm task for each such container.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from overlayweb.domain.swarm import Network, Node, Swarm, SwarmTask


@dataclass(frozen=True, slots=True, order=True)
class Standalone:
    """One container on one overlay. ``container_id``: the full id; ``hostname``: its node's, or the node's id."""

    hostname: str
    container_id: str

    @property
    def key(self) -> str:
        """The id as ``docker ps`` shows it."""
        return self.container_id[:12]


def on(network: Network, *, attachments: Iterable[SwarmTask], nodes: Iterable[Node]) -> tuple[Standalone, ...]:
    """Who of ``attachments`` may still be on the network, by node."""
    hostnames = {node.id: node.hostname for node in nodes}
    rows = (row for row in attachments if row.desired_state == "running" and row.may_be_on(network.id))
    return tuple(sorted(Standalone(hostnames.get(row.node_id, row.node_id), row.container_id) for row in rows))


def seen_on(swarm: Swarm, network: Network) -> tuple[Standalone, ...]:
    """Who was on the network when the Swarm was looked at."""
    return on(network, attachments=swarm.attachments, nodes=swarm.nodes)
