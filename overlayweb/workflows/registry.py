"""All workflows by the kind of plan that they carry out."""

from overlayweb.workflows.container_connect import ContainerConnect
from overlayweb.workflows.ingress_rebuild import IngressRebuild
from overlayweb.workflows.mesh_repair import MeshRepair
from overlayweb.workflows.network_connect import NetworkConnect
from overlayweb.workflows.network_replace import NetworkReplace
from overlayweb.workflows.network_single import NetworkCreate, NetworkDelete
from overlayweb.workflows.runner import Workflow
from overlayweb.workflows.swarm_init import SwarmInit
from overlayweb.workflows.swarm_join import SwarmJoin

WORKFLOWS: dict[str, Workflow] = {
    workflow.kind: workflow
    for workflow in (
        IngressRebuild(),
        MeshRepair(),
        NetworkCreate(),
        NetworkDelete(),
        NetworkConnect(),
        ContainerConnect(),
        NetworkReplace(),
        SwarmInit(),
        SwarmJoin(),
    )
}
