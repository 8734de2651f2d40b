"""What a repair starts from: the settings that the ingress shall have when the mesh is whole again."""

from overlayweb.domain import ingress_plans, repair_plans
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import IngressPlan, IngressSettings
from overlayweb.models import Cluster, reserved_ranges
from overlayweb.services import seeing


def wanted(*, cluster: Cluster) -> IngressSettings:
    """The ingress's own settings, else those that the last job left, else Docker's. Raises NotSeenError."""
    swarm = cluster.swarm()
    if swarm is None:
        raise seeing.NotSeenError(cluster.error or "The cluster has not been looked at yet. Wait a moment.")
    kinds = (ingress_plans.KIND, repair_plans.KIND)
    last = cluster.jobs.filter(status=JobStatus.SUCCEEDED, kind__in=kinds).order_by("-finished_at").first()
    return repair_plans.wanted(
        swarm=swarm, last_known=IngressPlan.of(last.plan()).after if last else None, reserved=reserved_ranges(cluster)
    )
