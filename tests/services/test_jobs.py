"""The queue, and what may still be asked of a job."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from overlayweb.domain.lifecycle import DesiredState, JobStatus
from overlayweb.models import Job
from overlayweb.services import approvals, jobs
from overlayweb.services.jobs import NotPossibleError
from overlayweb.workflows import runner
from overlayweb.workflows.registry import WORKFLOWS
from overlayweb.workflows.runner import Result
from tests.services.conftest import Cast

MINUTE = timedelta(minutes=1)


@pytest.fixture
def job(cast: Cast) -> Job:
    return approvals.approve(
        change=cast.change,
        person=cast.reviewer,
        plan_sha256=cast.change.plan_record.sha256,
        reason="",
        now=cast.now,
    )


def no_engine(*_: Any) -> Any:
    raise AssertionError("the engine was asked")


def seqs(job: Job) -> list[int]:
    return list(job.events.values_list("seq", flat=True))


def test_cancelled_before_it_started_nothing_runs(cast: Cast, job: Job) -> None:
    jobs.cancel(job=job, person=cast.author, now=cast.now)
    assert (job.status, job.outcome.endswith("Nothing had been changed")) == (JobStatus.CANCELLED, True)
    advanced = runner.advance(job_id=job.pk, workflow=WORKFLOWS[job.kind], connect=no_engine, owner="w")
    assert advanced is Result.NOT_CLAIMED
    assert seqs(job) == [1, 2]


def test_cancelling_a_running_job_asks_its_runner(cast: Cast, job: Job) -> None:
    Job.objects.update(status=JobStatus.RUNNING, started_at=cast.now)
    jobs.cancel(job=job, person=cast.author, now=cast.now)
    assert (job.status, job.desired_state) == (JobStatus.RUNNING, DesiredState.CANCEL)
    with pytest.raises(NotPossibleError):
        jobs.cancel(job=job, person=cast.author, now=cast.now)


def test_after_the_point_of_no_return_only_restore_is_left(cast: Cast, job: Job) -> None:
    with pytest.raises(NotPossibleError):
        jobs.restore(job=job, person=cast.author, now=cast.now)
    Job.objects.update(status=JobStatus.RUNNING, started_at=cast.now, point_passed=True)
    with pytest.raises(NotPossibleError):
        jobs.cancel(job=job, person=cast.author, now=cast.now)
    jobs.restore(job=job, person=cast.author, now=cast.now)
    assert job.desired_state == DesiredState.RESTORE


def test_a_job_that_waits_for_a_person_goes_on_or_is_closed(cast: Cast, job: Job) -> None:
    with pytest.raises(NotPossibleError):
        jobs.resume(job=job, person=cast.author, now=cast.now)
    Job.objects.update(status=JobStatus.NEEDS_OPERATOR, attention=["node3 is away."], started_at=cast.now)
    jobs.resume(job=job, person=cast.author, now=cast.now)
    # Nobody owns it now, and it still holds its cluster.
    assert (job.status, job.owner, job.lease_until, job.attention) == (JobStatus.RUNNING, "", None, [])
    Job.objects.update(status=JobStatus.NEEDS_OPERATOR, attention=["node3 is away."])
    jobs.accept(job=job, person=cast.author, reason="node3 is scrap", now=cast.now)
    assert job.status == JobStatus.FAILED
    assert "node3 is scrap" in job.outcome
    assert "node3 is away." in job.outcome


def test_one_job_per_cluster_holds_in_the_database(job: Job) -> None:
    change = job.change
    job.status = JobStatus.NEEDS_OPERATOR
    job.save()
    change.pk, change._state.adding = None, True
    change.save()
    second = Job(change=change, cluster=job.cluster, kind=job.kind, created_at=job.created_at)
    second.status = JobStatus.RUNNING
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save()


def test_the_sweep_rings_for_lost_messages_and_abandoned_jobs_only(cast: Cast, job: Job) -> None:
    assert jobs.ring_due(now=cast.now) == 0  # rung a moment ago
    assert waiting(cast.now + MINUTE) == [job.pk]
    Job.objects.update(status=JobStatus.RUNNING, owner="w", lease_until=cast.now + 3 * MINUTE)
    assert waiting(cast.now + 2 * MINUTE) == []
    assert waiting(cast.now + 4 * MINUTE) == [job.pk]
    Job.objects.update(status=JobStatus.NEEDS_OPERATOR, lease_until=None)
    assert waiting(cast.now + 9 * MINUTE) == []


def waiting(now: Any) -> list[int]:
    """The jobs that the sweep rings for at this moment."""
    jobs.ring_due(now=now)
    return list(Job.objects.filter(enqueued_at=now).values_list("pk", flat=True))


def test_a_job_that_nobody_approved_does_nothing(job: Job) -> None:
    job.change.approvals.all().delete()
    advanced = runner.advance(job_id=job.pk, workflow=WORKFLOWS[job.kind], connect=no_engine, owner="w")
    job.refresh_from_db()
    assert (advanced, job.status) == (Result.RESTED, JobStatus.FAILED)
    assert "Nobody approved" in job.outcome


def test_a_plan_changed_after_its_approval_does_nothing(job: Job) -> None:
    Job.objects.update(plan_document=job.plan_document.replace("10.77.0.0/16", "10.78.0.0/16"))
    runner.advance(job_id=job.pk, workflow=WORKFLOWS[job.kind], connect=no_engine, owner="w")
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "Nobody approved" in job.outcome
