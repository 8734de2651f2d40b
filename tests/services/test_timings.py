"""What a plan takes from a cluster's past: rebuilds that succeeded there, the latest ones, and nothing else."""

from datetime import timedelta

import pytest

from overlayweb.domain import connect_plans, ingress_plans
from overlayweb.domain.estimates import Timings
from overlayweb.domain.lifecycle import JobStatus, Pass, StepStatus
from overlayweb.models import Cluster, Job, JobService, Step
from overlayweb.services import approvals, changes, timings
from tests.services.conftest import Cast

MEASURED = "measured on this cluster, {}"


def past(cast: Cast, seconds: float, *, kind: str = ingress_plans.KIND, status: JobStatus = JobStatus.SUCCEEDED) -> Job:
    """A job each of whose steps took so long, and so did the service on its way off the ingress."""
    number = Job.objects.count()
    request = cast.change.plan_record.plan().request
    change = changes.submit(cluster=cast.cluster, request=request, author=cast.author, reason="past", now=cast.now)
    sha256 = change.plan_record.sha256
    job = approvals.approve(change=change, person=cast.reviewer, plan_sha256=sha256, reason="", now=cast.now)
    began = cast.now + timedelta(hours=number)
    Job.objects.filter(pk=job.pk).update(kind=kind, status=status, created_at=began)
    ended = began + timedelta(seconds=seconds)
    job.steps.all().delete()
    for ordinal, (name, way) in enumerate([(n, w) for w in Pass for n in ("drain", "remove", "create", "verify")]):
        late = timedelta(seconds=0 if way is Pass.FORWARD else 900)
        Step.objects.create(
            job=job, ordinal=ordinal, of_pass=way, name=name, title=name, status=StepStatus.SUCCEEDED,
            started_at=began, finished_at=ended + late,
        )  # fmt: skip
    JobService.objects.create(
        job=job, service_id="id-shop_web", name="shop_web", original="{}", target="{}", written="{}",
        released_at=began, off_at=ended,
    )  # fmt: skip
    return job


def test_without_a_past_the_defaults_say_where_they_were_measured(cast: Cast) -> None:
    assert timings.of_cluster(cluster=cast.cluster) == Timings()
    assert timings.drains(cluster=cast.cluster) == []


def test_medians_of_the_rebuilds_that_succeeded_here(cast: Cast) -> None:
    for seconds in (2.0, 9.0, 3.0):
        past(cast, seconds)
    past(cast, 70.0, status=JobStatus.FAILED)
    past(cast, 80.0, kind=connect_plans.KIND)
    elsewhere = Cluster.objects.create(name="other", endpoint="unix:///other.sock", created_at=cast.now)
    Job.objects.filter(pk=past(cast, 60.0).pk).update(cluster=elsewhere)
    measured = timings.of_cluster(cluster=cast.cluster)
    for found in (measured.remove, measured.create, measured.verify):
        assert (found.seconds, found.source) == (3.0, MEASURED.format("3 rebuilds"))


def test_only_the_latest_count(cast: Cast) -> None:
    for seconds in (*[90.0] * 15, *[2.0] * timings.JOBS):
        past(cast, seconds)
    assert timings.of_cluster(cluster=cast.cluster).create.seconds == 2.0
    (history,) = timings.drains(cluster=cast.cluster)
    assert (history.service_id, history.drain_seconds) == ("id-shop_web", (2.0,) * timings.JOBS)


def test_the_plan_shows_them_with_their_source(cast: Cast) -> None:
    past(cast, 7.0)
    request = cast.change.plan_record.plan().request
    change = changes.submit(cluster=cast.cluster, request=request, author=cast.author, reason="now", now=cast.now)
    plan = change.plan_record.plan()
    told = {term.source: term.seconds for effect in plan.effects for term in effect.terms}
    assert told[MEASURED.format("1 rebuild")] == pytest.approx(7.0)
