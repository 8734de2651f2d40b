"""Who works on a job: compare-and-swap claims with an epoch, and a lease that a heartbeat renews.

A worker that dies is taken over when its lease runs out; a worker that wakes up after that finds another epoch and
may write nothing any more, neither to the ledger nor to an engine.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F, Q

from overlayweb.domain.lifecycle import JobStatus, StepStatus
from overlayweb.models import Job, Step, full_disks
from overlayweb.workflows.clock import Clock

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
HEARTBEAT_SECONDS = 3.0


class LostClaimError(Exception):
    """Somebody else works on this job now, or our lease cannot be renewed. Stop at once."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job, as long as its epoch is this one. ``took_over``: from an owner that vanished."""

    job_id: int
    owner: str
    epoch: int
    took_over: bool = False


def claim(*, job_id: int, owner: str, now: datetime) -> Claim | None:
    """Claim a pending job, or one whose lease ran out. None: not to be had now (owned, ended, or cluster busy)."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or not _claimable(job, now):
        return None
    took_over = job.status == JobStatus.RUNNING and bool(job.owner)
    try:
        with transaction.atomic():
            won = _swap(job, owner=owner, now=now)
            if won and took_over:
                Step.objects.filter(job=job, status=StepStatus.RUNNING).update(takeovers=F("takeovers") + 1)
    except IntegrityError:
        return None  # another job holds the cluster: this one stays in the queue
    return Claim(job.pk, owner, job.epoch + 1, took_over) if won else None


def renew(mine: Claim, *, now: datetime) -> bool:
    """Prolong the lease; False when the claim is lost."""
    return Job.objects.filter(_held(mine)).update(lease_until=now + LEASE) == 1


def release(mine: Claim, *, now: datetime) -> None:
    """Give the job back, so that the next message can claim it at once."""
    Job.objects.filter(_held(mine)).update(owner="", lease_until=now)


@contextmanager
def heartbeat(mine: Claim, *, clock: Clock) -> Iterator[threading.Event]:
    """Renew the lease from a thread of its own; the event is set once the claim is lost."""
    lost, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=_beat, args=(mine, clock, lost, stop), daemon=True, name=f"lease-{mine.job_id}")
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join(timeout=HEARTBEAT_SECONDS)


def _beat(mine: Claim, clock: Clock, lost: threading.Event, stop: threading.Event) -> None:
    renewed = clock.monotonic()
    try:
        while not clock.wait(stop, HEARTBEAT_SECONDS):
            try:
                if not renew(mine, now=clock.now()):
                    lost.set()
                    return
                renewed = clock.monotonic()
            except DatabaseError as error:
                # The database may come back before the lease runs out; after that others may have claimed.
                full_disks.warn(logger, f"job {mine.job_id}: lease not renewed", error)
                connection.close()
            if clock.monotonic() - renewed > LEASE.total_seconds():
                lost.set()
                return
    finally:
        connection.close()


def _claimable(job: Job, now: datetime) -> bool:
    if job.status == JobStatus.PENDING:
        return True
    return job.status == JobStatus.RUNNING and (job.lease_until is None or job.lease_until <= now)


def _swap(job: Job, *, owner: str, now: datetime) -> bool:
    unchanged = Job.objects.filter(pk=job.pk, status=job.status, epoch=job.epoch, lease_until=job.lease_until)
    return (
        unchanged.update(
            status=JobStatus.RUNNING,
            owner=owner,
            epoch=job.epoch + 1,
            lease_until=now + LEASE,
            started_at=job.started_at or now,
        )
        == 1
    )


def _held(mine: Claim) -> Q:
    return Q(pk=mine.job_id, owner=mine.owner, epoch=mine.epoch, status=JobStatus.RUNNING)
