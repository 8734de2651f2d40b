"""The plan that was approved, held against the cluster as it is when the job runs."""

from overlayweb.domain import planners
from overlayweb.domain.candidates import Candidate
from overlayweb.domain.swarm import Swarm
from overlayweb.models import reserved_ranges
from overlayweb.workflows.runner import Context, StepFailedError


def hold(context: Context, swarm: Swarm, *, candidate: Candidate | None = None) -> None:
    """Plan again under the lock: nothing that the plan depends on may have moved, and no blocker may have come.

    Raises StepFailedError with everything that speaks against it; the change is then to be planned again.
    """
    approved = context.plan
    reserved = reserved_ranges(context.job.cluster)
    now = planners.build(
        kind=approved.kind, swarm=swarm, request=approved.request, reserved=reserved, candidate=candidate
    )
    if moved := planners.drift(before=approved, now=now):
        reason = f"The cluster changed since the plan was made. {' '.join(moved)} Plan again."
        context.ledger.mark_stale(reason)
        raise StepFailedError(reason)
    if now.blockers:
        found = " ".join(finding.message for finding in now.blockers)
        raise StepFailedError(f"The cluster is not fit for it now: {found}")
