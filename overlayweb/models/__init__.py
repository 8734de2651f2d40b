"""What is kept: clusters, change requests with plans and approvals, jobs with their ledger, people's links."""

from overlayweb.models.changes import Approval, ChangeRequest, PlanRecord
from overlayweb.models.clusters import Cluster, NodeEndpoint, Reached
from overlayweb.models.drift import Adoption
from overlayweb.models.installation import Account, Installation, SetupLink
from overlayweb.models.inventory import NetworkRow, ServiceRow, forget_seen, write_rows
from overlayweb.models.jobs import Event, Job, JobService, Step
from overlayweb.models.ranges import RangeRecord, ReservedRange, range_records_of, ranges_of, reserved_ranges
from overlayweb.models.readiness import ActionKind, MembershipAction, ReadinessCheck, candidate_of

__all__ = [
    "Account",
    "ActionKind",
    "Adoption",
    "Approval",
    "ChangeRequest",
    "Cluster",
    "Event",
    "Installation",
    "Job",
    "JobService",
    "MembershipAction",
    "NetworkRow",
    "NodeEndpoint",
    "PlanRecord",
    "RangeRecord",
    "Reached",
    "ReadinessCheck",
    "ReservedRange",
    "ServiceRow",
    "SetupLink",
    "Step",
    "candidate_of",
    "forget_seen",
    "range_records_of",
    "ranges_of",
    "reserved_ranges",
    "write_rows",
]
