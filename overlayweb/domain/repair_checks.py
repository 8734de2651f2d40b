"""Every problem of a repair at once: what is wrong with the mesh, and what hinders mending it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.checks import addressing, cluster, fields, overlap, services
from overlayweb.domain.checks.case import Case, case_of, on_cluster, on_node
from overlayweb.domain.mesh import Mesh
from overlayweb.domain.plans import Finding, IngressRequest, Level, NodeRestart
from overlayweb.domain.swarm import Node, Swarm

_CREATES = (
    fields.name,
    addressing.subnet,
    overlap.overlaps,
    overlap.room,
    addressing.gateway,
    fields.mtu,
    addressing.ip_range,
    fields.labels,
    cluster.networks,
)
"""What has to hold of the settings where the ingress is made anew; where it is kept they are not asked for."""

_NEVER_TAKEN_OFF = frozenset({"own-service", "service-plugin", "service-job"})
_WEIGHT = {Level.BLOCKER: 0, Level.WARNING: 1, Level.NOTICE: 2}


def find(
    *,
    swarm: Swarm,
    mesh: Mesh,
    restarts: Sequence[NodeRestart],
    request: IngressRequest,
    reserved: Sequence[ReservedRange] = (),
) -> tuple[Finding, ...]:
    """All findings, blockers first. What the repair mends is a notice here: it does not hinder it."""
    case = case_of(swarm=swarm, request=request, reserved=reserved)
    found = (*_all(case, mesh), *_restarts(case, restarts))
    return tuple(sorted(found, key=lambda finding: _WEIGHT[finding.level]))


def _all(case: Case, mesh: Mesh) -> Iterator[Finding]:
    if not mesh.wedged:
        yield on_cluster(
            level=Level.BLOCKER,
            code="no-wedge",
            case=case,
            message="The routing mesh is whole: there is nothing to repair.",
            remedy="Look at the services that do not work.",
        )
    yield from (replace(finding, level=Level.NOTICE) for finding in mesh.findings)
    if mesh.ingress is None or mesh.replaced:
        for check in _CREATES:
            yield from check(case)
    if mesh.replaced:
        yield from (f for f in services.services(case) if f.code in _NEVER_TAKEN_OFF)
        yield from (f for f in cluster.nodes(case) if f.code == "node-paused")
    yield from _nodes(case, mesh)


def _nodes(case: Case, mesh: Mesh) -> Iterator[Finding]:
    for node in sorted(case.swarm.nodes, key=lambda n: n.hostname):
        if not node.ready and _keeps_containers(case, mesh, node):
            yield on_node(
                level=Level.BLOCKER,
                code="node-not-ready",
                node=node,
                message=f"Node {node.hostname} is {node.state}, with containers on an ingress that is to be removed.",
                remedy="Bring the node back, or remove it from the Swarm, then plan again.",
            )
        elif not node.ready:
            yield on_node(
                level=Level.WARNING,
                code="node-not-ready",
                node=node,
                message=f"Node {node.hostname} is {node.state}: the repair does not wait for it.",
                remedy="If it comes back and does not join the ingress, restart its engine once more.",
            )
    for seen in mesh.stale_nodes:
        if case.swarm.own_service_ids and any(
            t.node_id == seen.node_id for key in case.swarm.own_service_ids for t in case.swarm.running_on(key)
        ):
            yield _own(case, seen.node_id)


def _keeps_containers(case: Case, mesh: Mesh, node: Node) -> bool:
    leaving = [network.id for network in mesh.replaced]
    return any(t.node_id == node.id and t.may_be_on(*leaving) for t in case.swarm.swarm_tasks)


def _restarts(case: Case, restarts: Sequence[NodeRestart]) -> Iterator[Finding]:
    if restarts:
        yield on_cluster(
            level=Level.WARNING,
            code="restart-stops-containers",
            case=case,
            message="A restart of an engine stops every container on its node, host-mode ports too.",
            remedy=f"One node after the other: {', '.join(restart.hostname for restart in restarts)}.",
        )


def _own(case: Case, node_id: str) -> Finding:
    node = next(node for node in case.swarm.nodes if node.id == node_id)
    return on_node(
        level=Level.WARNING,
        code="own-node",
        node=node,
        message=f"Overlayweb itself runs on {node.hostname}: a restart of its engine interrupts this page.",
        remedy="The job goes on by itself once Overlayweb is back.",
    )
