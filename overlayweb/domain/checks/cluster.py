"""Checks of the nodes, of the ingress that is there, and of the cluster as a whole."""

from collections.abc import Iterator

from overlayweb.domain import mesh
from overlayweb.domain.checks.case import Case, on_cluster, on_network, on_node
from overlayweb.domain.ingress_settings import MTU_OPTION, VXLAN_IDS_OPTION, resolved
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.swarm import LEFT_NETWORK, Mode, Network, Node
from overlayweb.domain.wording import several

NAMED_AT_MOST = 20
"""So many services are named; of more the number of the others."""


def change(case: Case) -> Iterator[Finding]:
    """A request that asks for what is there already changes nothing, and is refused."""
    if case.before is not None and case.after == resolved(case.before):
        yield on_cluster(
            level=Level.BLOCKER,
            code="no-change",
            case=case,
            message="The ingress has all of these settings already. A rebuild would take services down for nothing.",
            remedy="Change at least one setting.",
        )


def ingress(case: Case) -> Iterator[Finding]:
    """Exactly one ingress, allocated, with nothing that this job could not put back."""
    found = case.swarm.ingress_networks
    if len(found) > 1:
        twice = ", ".join(sorted(f"{network.name} ({network.id[:12]})" for network in found))
        yield on_cluster(
            level=Level.BLOCKER,
            code="ingress-twice",
            case=case,
            message=f"There are {len(found)} ingress networks: {twice}. A rebuild replaces one.",
            remedy="Plan a repair of the routing mesh: it removes all of them and makes one.",
        )
    elif not found and case.services:
        names = several((service.name for service in case.services), most=NAMED_AT_MOST)
        yield on_cluster(
            level=Level.BLOCKER,
            code="ingress-none-published",
            case=case,
            message=f"There is no ingress network, and services publish ports through it: {names}. "
            "This plan would have no way back for them.",
            remedy="Plan a repair of the routing mesh: it creates the ingress and publishes them again.",
        )
    elif not found:
        yield on_cluster(
            level=Level.NOTICE,
            code="ingress-none",
            case=case,
            message="There is no ingress network. This plan only creates one.",
            remedy="Services that are to be published through it get their ports afterwards.",
        )
    else:
        yield from _readable(found[0])


def wedged(case: Case) -> Iterator[Finding]:
    """Nodes that hold an ingress that the Swarm has removed: they would refuse the new one as they refuse this one."""
    for seen in mesh.recognise(case.swarm).stale_nodes:
        node = next(node for node in case.swarm.nodes if node.id == seen.node_id)
        yield on_node(
            level=Level.BLOCKER,
            code="node-stale",
            node=node,
            message=f"Node {node.hostname} holds an ingress that the Swarm has removed. {' '.join(seen.evidence)}",
            remedy="Repair the routing mesh first.",
        )


def networks(case: Case) -> Iterator[Finding]:
    """Overlays whose addresses are not known, since Swarm has not allocated them."""
    for network in case.swarm.networks:
        if network.scope == "swarm" and not network.ingress and network.driver in ("", "overlay") and not network.ipam:
            yield on_network(
                level=Level.WARNING,
                code="network-unallocated",
                network=network,
                message=f"Overlay {network.name} is not allocated. Whether the new subnet overlaps it is not checked.",
                remedy="Look at its subnet with the person who made it; remove it if nothing uses it.",
            )


def nodes(case: Case) -> Iterator[Finding]:
    """Nodes that cannot let go of the old ingress or have not been proven to."""
    for node in sorted(case.swarm.nodes, key=lambda n: n.hostname):
        if not node.ready:
            yield _not_ready(node)
        elif node.availability == "pause":
            yield from _paused(case, node)
        if node.os.lower() == "windows":
            yield on_node(
                level=Level.WARNING,
                code="node-windows",
                node=node,
                message=f"Node {node.hostname} runs Windows. The rebuild is proven on Linux nodes only.",
                remedy="Try the published ports on this node afterwards, and be ready to restart its engine.",
            )


def versions(case: Case) -> Iterator[Finding]:
    """Engines of several versions work together, and the approver should know."""
    known: dict[str, list[str]] = {}
    for node in sorted(case.swarm.nodes, key=lambda n: n.hostname):
        if node.engine_version:
            known.setdefault(node.engine_version, []).append(node.hostname)
    if len(known) > 1:
        listed = "; ".join(f"{version} on {', '.join(names)}" for version, names in sorted(known.items()))
        yield on_cluster(
            level=Level.WARNING,
            code="engines-mixed",
            case=case,
            message=f"The nodes run {len(known)} versions of the engine: {listed}.",
            remedy="Bring all nodes to one version first where you can.",
        )


def _readable(network: Network) -> Iterator[Finding]:
    if network.encrypted:
        yield on_network(
            level=Level.BLOCKER,
            code="ingress-encrypted",
            network=network,
            message="The ingress is encrypted. This job creates it without encryption, and restores it without, too.",
            remedy="Keep it as it is, or rebuild it by hand with the option “encrypted”.",
        )
    if not network.allocated:
        yield on_network(
            level=Level.WARNING,
            code="ingress-unallocated",
            network=network,
            message="Swarm has not allocated the ingress: its subnet is not shown, and no published port answers.",
            remedy="Rebuild it. Its old settings cannot be restored, since nobody can read them.",
        )
    lost = _not_kept(network)
    if lost:
        yield on_network(
            level=Level.WARNING,
            code="ingress-options",
            network=network,
            message=f"The new ingress does not keep: {', '.join(lost)}. Restoring the old one would not either.",
            remedy="Go on only if nobody needs them.",
        )


def _not_kept(network: Network) -> list[str]:
    known = {MTU_OPTION, VXLAN_IDS_OPTION, "encrypted"}
    lost = [f"option {key}={value}" for key, value in sorted(network.options) if key not in known]
    lost += [f"subnet {ipam.subnet}" for ipam in network.ipam[1:]]
    return lost + ([f"MTU {network.mtu}"] if network.mtu and not network.mtu.isdecimal() else [])


def _not_ready(node: Node) -> Finding:
    return on_node(
        level=Level.BLOCKER,
        code="node-not-ready",
        node=node,
        message=f"Node {node.hostname} is {node.state}. It keeps the old ingress, and comes back with it.",
        remedy="Bring the node back, or remove it from the Swarm, then plan again.",
    )


def _paused(case: Case, node: Node) -> Iterator[Finding]:
    # Swarm leaves a global service's task alone on a paused node: it would never let go of the old ingress.
    here = {
        task.service_id for task in case.swarm.swarm_tasks if task.node_id == node.id and task.state not in LEFT_NETWORK
    }
    names = [s.name for s in case.services if s.mode is Mode.GLOBAL and s.id in here]
    if names:
        yield on_node(
            level=Level.BLOCKER,
            code="node-paused",
            node=node,
            message=f"Node {node.hostname} is paused: global services keep containers there ({', '.join(names)}).",
            remedy="Make the node active, or drain it, then plan again.",
        )
