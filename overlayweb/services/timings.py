"""What a cluster took in its earlier jobs, read off their ledgers."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from django.db.models import QuerySet

from overlayweb.domain import ingress_plans
from overlayweb.domain.estimates import Measured, ServiceHistory, Timings
from overlayweb.domain.lifecycle import JobStatus, Pass, StepStatus
from overlayweb.models import Cluster, JobService, Step

JOBS = 10
"""So many of the latest jobs count: clusters change."""


def of_cluster(*, cluster: Cluster) -> Timings:
    """Medians of the latest succeeded rebuilds of this cluster; lab defaults for what was never measured."""
    default = Timings()
    measured: dict[str, list[float]] = defaultdict(list)
    for step in _steps(cluster):
        if step.started_at and step.finished_at:
            measured[step.name].append((step.finished_at - step.started_at).total_seconds())
    return Timings(
        remove=_median(measured["remove"], default.remove),
        create=_median(measured["create"], default.create),
        verify=_median(measured["verify"], default.verify),
    )


def drains(*, cluster: Cluster) -> Sequence[ServiceHistory]:
    """How long each service took to leave the ingress, in the latest jobs, seconds, newest first."""
    seen: dict[str, list[float]] = defaultdict(list)
    rows = JobService.objects.filter(
        job__cluster=cluster, released_at__isnull=False, off_at__isnull=False, job__status=JobStatus.SUCCEEDED
    ).order_by("-job__created_at")[: 500 * JOBS]
    for row in rows.only("service_id", "released_at", "off_at"):
        if row.released_at and row.off_at and len(seen[row.service_id]) < JOBS:
            seen[row.service_id].append((row.off_at - row.released_at).total_seconds())
    return [ServiceHistory(service_id=key, drain_seconds=tuple(values)) for key, values in sorted(seen.items())]


def _steps(cluster: Cluster) -> QuerySet[Step]:
    return Step.objects.filter(
        job__cluster=cluster,
        job__kind=ingress_plans.KIND,  # other jobs have steps of these names, about other things
        job__status=JobStatus.SUCCEEDED,
        of_pass=Pass.FORWARD,
        status=StepStatus.SUCCEEDED,
        name__in=("remove", "create", "verify"),
    ).order_by("-job__created_at")[: 3 * JOBS]


def _median(values: list[float], default: Measured) -> Measured:
    if not values:
        return default
    many = f"{len(values)} rebuild{'s' if len(values) > 1 else ''}"
    return Measured(round(statistics.median(values), 2), f"measured on this cluster, {many}")
