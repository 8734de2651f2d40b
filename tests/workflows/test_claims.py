"""Claims and the ledger, on the database alone: one owner at a time, and nothing from an owner that was replaced."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.models import Job
from overlayweb.workflows import claims
from overlayweb.workflows.claims import LEASE, LostClaimError
from overlayweb.workflows.ledger import Ledger
from tests.services.conftest import Cast, cast
from tests.services.test_jobs import job

__all__ = ["cast", "job"]

SECOND = timedelta(seconds=1)


def test_of_two_workers_one_gets_the_job(job: Job) -> None:
    now = timezone.now()
    assert claims.claim(job_id=job.pk, owner="one", now=now)
    assert claims.claim(job_id=job.pk, owner="two", now=now) is None


def test_a_lease_that_ran_out_is_taken_over_with_a_new_epoch(job: Job) -> None:
    now = timezone.now()
    first = claims.claim(job_id=job.pk, owner="one", now=now)
    assert first
    assert claims.claim(job_id=job.pk, owner="two", now=now + LEASE - SECOND) is None
    second = claims.claim(job_id=job.pk, owner="two", now=now + LEASE)
    assert second
    assert (second.epoch, second.took_over) == (first.epoch + 1, True)
    assert not claims.renew(first, now=now)
    assert claims.renew(second, now=now)


def test_who_was_taken_over_writes_nothing(job: Job) -> None:
    now = timezone.now()
    first = claims.claim(job_id=job.pk, owner="one", now=now)
    assert first
    assert claims.claim(job_id=job.pk, owner="two", now=now + LEASE)
    before = Job.objects.values().get(pk=job.pk)
    with pytest.raises(LostClaimError):
        Ledger(first, now=timezone.now).say("too late")
    claims.release(first, now=now)
    assert Job.objects.values().get(pk=job.pk) == before
    assert not job.events.filter(message="too late").exists()


def test_what_is_done_many_times_a_second_reads_no_megabytes(job: Job) -> None:
    """The observation of a large Swarm, and the plan of its job."""
    first = claims.claim(job_id=job.pk, owner="one", now=timezone.now())
    assert first
    ledger = Ledger(first, now=timezone.now)
    with CaptureQueriesContext(connection) as asked:
        ledger.desired_state()
        ledger.job()
        ledger.say("a line")
    read = " ".join(query["sql"] for query in asked)
    assert '"outcome"' in read
    assert '"observation"' not in read
    assert '"plan_document"' not in read


def test_a_released_job_is_claimed_at_once_and_nobody_is_said_to_be_gone(job: Job) -> None:
    now = timezone.now()
    first = claims.claim(job_id=job.pk, owner="one", now=now)
    assert first
    claims.release(first, now=now)
    second = claims.claim(job_id=job.pk, owner="two", now=now)
    assert second
    assert not second.took_over


def test_a_busy_cluster_leaves_the_next_job_in_the_queue(cast: Cast, job: Job) -> None:
    change = cast.change
    change.pk, change._state.adding = None, True
    change.save()
    second = Job.objects.create(
        change=change, cluster=job.cluster, kind=job.kind, plan_document=job.plan_document, created_at=cast.now
    )
    assert claims.claim(job_id=job.pk, owner="one", now=cast.now)
    assert claims.claim(job_id=second.pk, owner="two", now=cast.now) is None
    second.refresh_from_db()
    assert second.status == JobStatus.PENDING


def test_events_are_numbered_without_a_gap(job: Job) -> None:
    first = claims.claim(job_id=job.pk, owner="one", now=timezone.now())
    assert first
    ledger = Ledger(first, now=timezone.now)
    for number in range(3):
        ledger.say(f"line {number}")
    assert list(job.events.values_list("seq", flat=True)) == [1, 2, 3, 4]
    job.refresh_from_db()
    assert job.last_seq == 4
