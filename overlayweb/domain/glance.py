"""What every page says of a cluster, worked out once at each look: pages need not read the whole observation for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from overlayweb.domain.mesh import Mesh
from overlayweb.domain.swarm import Swarm

NAMED_AT_MOST = 10
"""A headline names so many; each page bears it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """``headline``: what is wrong with the routing mesh, "" while it works.

    ``unpublished``: there is no ingress, and no service that misses one. The rest are counts.
    """

    headline: str
    unpublished: bool
    nodes: int
    networks: int
    services: int

    @property
    def wedged(self) -> bool:
        """Whether something of the mesh does not work and does not mend itself."""
        return bool(self.headline)


def take(swarm: Swarm, mesh: Mesh) -> Glance:
    """The glance at one observation, with the verdict on its mesh."""
    missed = swarm.ingress_networks or swarm.published_services or mesh.lost or mesh.stale_nodes
    return Glance(
        headline=headline(swarm, mesh),
        unpublished=not missed,
        nodes=len(swarm.nodes),
        networks=sum(network.scope == "swarm" for network in swarm.networks),
        services=len(swarm.services),
    )


def headline(swarm: Swarm, mesh: Mesh) -> str:
    """What is wrong with the mesh, in one or two sentences; "" when it works."""
    if not mesh.wedged:
        return ""
    stale = [node.hostname for node in mesh.nodes if node.stale]
    if not swarm.ingress_networks:
        held = f" {_several(stale)} still {_verb(stale, 'holds', 'hold')} the removed one." if stale else ""
        return f"There is no ingress network. The published ports of the services answer nowhere.{held}"
    if stale:
        return (
            f"The routing mesh is wedged: {_several(stale)} {_verb(stale, 'holds', 'hold')} an ingress that the Swarm"
            f" has removed, and {_verb(stale, 'refuses', 'refuse')} the containers that need the new one."
        )
    if mesh.replaced:
        return mesh.findings[0].message
    names = [service.name for service in swarm.published_services if service.id in mesh.waiting]
    return f"Swarm has not given {_several(names)} an address on the ingress: {_verb(names, 'it hangs', 'they hang')}."


def _several(names: Sequence[str]) -> str:
    if len(names) > NAMED_AT_MOST:
        return f"{', '.join(names[:NAMED_AT_MOST])} and {len(names) - NAMED_AT_MOST:,} others"
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many
