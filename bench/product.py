"""Rebuilds by the product itself: a change submitted and approved through its services, carried out by its worker.

Import after Django is set up. Nothing here talks to the worker but the message that approving sends.
"""

import time
from dataclasses import dataclass
from typing import Self

from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.lifecycle import ENDED, JobStatus
from overlayweb.domain.plans import IngressRequest, IngressSettings, Strategy
from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import Cluster, Installation, Job
from overlayweb.services import approvals, changes
from tasks import jobs as celery_tasks

JOB_SECONDS = 180.0
_RESTS = ENDED | {JobStatus.NEEDS_OPERATOR}


class NotDoneError(Exception):
    """A job did not end well; the text is what it says itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A job that succeeded: seconds from the approval to its end, and of each step by name."""

    whole_seconds: float
    steps: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Team:
    """Two people and the cluster that the installation found by DOCKER_HOST."""

    cluster: Cluster
    author: User
    reviewer: User

    @classmethod
    def gathered(cls) -> Self:
        """Two people in a new installation whose changes need the second one."""
        Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=timezone.now())
        cluster = Cluster.objects.get(automatic=True)
        return cls(cluster=cluster, author=User.objects.create_user("ana"), reviewer=User.objects.create_user("ben"))

    def rebuild(self, *, settings: IngressSettings, strategy: Strategy) -> Done:
        """Submit, approve, and wait until the job rests. Raises NotDoneError unless it succeeded."""
        celery_tasks.observe_cluster(self.cluster.pk)
        self.cluster.refresh_from_db()
        swarm = self.cluster.swarm()
        if swarm is None:
            raise NotDoneError(self.cluster.error)
        strategies = tuple((service.id, strategy) for service in swarm.published_services)
        request = IngressRequest(settings=settings, strategies=strategies)
        now = timezone.now()
        change = changes.submit(cluster=self.cluster, request=request, author=self.author, reason="bench", now=now)
        started = time.monotonic()
        sha256 = change.plan_record.sha256
        job = approvals.approve(change=change, person=self.reviewer, plan_sha256=sha256, reason="", now=now)
        _wait(job)
        return Done(whole_seconds=time.monotonic() - started, steps=_steps(job))


def _wait(job: Job) -> None:
    deadline = time.monotonic() + JOB_SECONDS
    while job.status not in _RESTS and time.monotonic() < deadline:
        time.sleep(0.05)
        job.refresh_from_db()
    if job.status != JobStatus.SUCCEEDED:
        raise NotDoneError(f"{job} is {job.status}: {job.outcome} {' '.join(job.attention)}")


def _steps(job: Job) -> dict[str, float]:
    return {
        step.name: round((step.finished_at - step.started_at).total_seconds(), 2)
        for step in job.steps.all()
        if step.started_at and step.finished_at
    }
