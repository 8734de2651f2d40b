"""Jobs: queueing them, and what people may still ask of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from overlayweb import wakeups
from overlayweb.domain import lifecycle, policy
from overlayweb.domain.lifecycle import DesiredState, JobEvent, JobStatus
from overlayweb.models import ChangeRequest, Event, Job
from overlayweb.services import roles
from tasks import jobs as celery_tasks

RING_AGAIN = timedelta(seconds=3)


class NotPossibleError(Exception):
    """Why this cannot be asked of the job now."""


def queue(*, change: ChangeRequest, approved_by: User, now: datetime) -> Job:
    """The job of an approved change, in the queue of its cluster. Call inside the approving transaction."""
    record = change.plan_record
    job = Job.objects.create(
        change=change,
        cluster=change.cluster,
        kind=change.kind,
        plan_document=record.document,
        plan_sha256=record.sha256,
        created_at=now,
        enqueued_at=now,
        last_seq=1,
    )
    Event.objects.create(
        job=job, seq=1, at=now, kind="queued", message=f"Approved by {approved_by.username}, plan {record.sha256[:7]}"
    )
    celery_tasks.advance_job.delay_on_commit(job.pk)
    return job


def cancel(*, job: Job, person: User, now: datetime) -> None:
    """Before the point of no return: put everything back. Raises NotAllowedError, NotPossibleError."""
    with _open(job, person) as locked:
        if not locked.may_cancel:
            raise NotPossibleError("Its point of no return is passed or it is over: it cannot be cancelled any more.")
        if locked.status == JobStatus.PENDING:
            locked.status = lifecycle.job_after(JobStatus.PENDING, JobEvent.CANCEL)
            locked.finished_at = now
            locked.outcome = f"Cancelled by {person.username} before it started. Nothing had been changed"
        else:
            locked.desired_state = DesiredState.CANCEL
        _tell(locked, f"Cancelled by {person.username}", now)


def restore(*, job: Job, person: User, now: datetime) -> None:
    """After the point of no return: bring the old ingress back. Raises NotAllowedError, NotPossibleError."""
    with _open(job, person) as locked:
        if not locked.may_restore:
            raise NotPossibleError("Nothing is removed yet that could be brought back, or the job is over already.")
        locked.desired_state = DesiredState.RESTORE
        if locked.status == JobStatus.NEEDS_OPERATOR:
            _resume(locked)
        _tell(locked, f"{person.username} asked for the old ingress back", now)


def resume(*, job: Job, person: User, now: datetime) -> None:
    """Somebody did what the job asked for: go on. Raises NotAllowedError, NotPossibleError."""
    with _open(job, person) as locked:
        if locked.status != JobStatus.NEEDS_OPERATOR:
            raise NotPossibleError("The job does not wait for anybody.")
        _resume(locked)
        _tell(locked, f"Continued by {person.username}", now)


def accept(*, job: Job, person: User, reason: str, now: datetime) -> None:
    """Leave things as they are and end the job. Raises NotAllowedError, NotPossibleError."""
    with _open(job, person) as locked:
        if locked.status != JobStatus.NEEDS_OPERATOR:
            raise NotPossibleError("The job does not wait for anybody.")
        locked.status = lifecycle.job_after(JobStatus.NEEDS_OPERATOR, JobEvent.ACCEPT)
        locked.finished_at = now
        left = " ".join(locked.attention)
        locked.outcome = f"Closed by {person.username} as it is: {reason} Left open: {left}"
        locked.attention = []
        _tell(locked, locked.outcome, now)


def ring_due(*, now: datetime) -> int:
    """Ring for every job whose message was lost or whose worker is gone. Returns how many."""
    waiting = Q(status=JobStatus.PENDING)
    abandoned = Q(status=JobStatus.RUNNING) & (Q(lease_until=None) | Q(lease_until__lte=now))
    quiet = Q(enqueued_at=None) | Q(enqueued_at__lte=now - RING_AGAIN)
    busy = Job.objects.filter(status__in=lifecycle.HOLDS_CLUSTER).values("cluster")
    due = Job.objects.filter(abandoned | (waiting & ~Q(cluster__in=busy))).filter(quiet)
    pks = list(due.order_by("created_at").values_list("pk", flat=True))
    Job.objects.filter(pk__in=pks).update(enqueued_at=now)
    return sum(celery_tasks.advance_job.ring(pk) for pk in pks)


@contextmanager
def _open(job: Job, person: User) -> Iterator[Job]:
    """The job, locked against its runner; saved, rung for and told at the end. Only for who may steer it."""
    roles.require(person, policy.may_steer)
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        yield locked
        locked.save(
            update_fields=["status", "desired_state", "finished_at", "outcome", "attention", "last_seq", "enqueued_at"]
        )
        transaction.on_commit(lambda: wakeups.ring(job.pk))
        if not locked.ended:
            celery_tasks.advance_job.delay_on_commit(job.pk)
    job.refresh_from_db()


def _resume(job: Job) -> None:
    job.status = lifecycle.job_after(JobStatus.NEEDS_OPERATOR, JobEvent.RESUME)
    job.attention = []


def _tell(job: Job, message: str, now: datetime) -> None:
    job.last_seq += 1
    Event.objects.create(job=job, seq=job.last_seq, at=now, kind="person", message=message)
