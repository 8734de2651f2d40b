"""What is kept: clusters, change requests with plans and approvals, jobs with their ledger, people's links."""

from overlayweb.models.changes import Approval, ChangeRequest, PlanRecord
from overlayweb.models.clusters import Cluster, NodeEndpoint, Reached, ReservedRange, ranges_of, reserved_ranges
from overlayweb.models.installation import Account, Installation, SetupLink
from overlayweb.models.jobs import Event, Job, JobService, Step

__all__ = [
    "Account",
    "Approval",
    "ChangeRequest",
    "Cluster",
    "Event",
    "Installation",
    "Job",
    "JobService",
    "NodeEndpoint",
    "PlanRecord",
    "Reached",
    "ReservedRange",
    "SetupLink",
    "Step",
    "ranges_of",
    "reserved_ranges",
]
