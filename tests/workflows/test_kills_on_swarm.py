"""A worker killed on a real Swarm: another goes on, and the ending is the same. Every point: tests/faults."""

import signal
from contextlib import ExitStack
from itertools import pairwise

import pytest
from django.utils import timezone

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import Strategy
from overlayweb.models import Job
from tests.workflows.rig import Rig, assert_story

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(500)]

STEPS = ["check", "record", "release", "drain", "remove", "create", "publish", "verify"]
RESUMES_WITHIN_SECONDS = 15.0


def kill_at(rig: Rig, job: Job, points: list[str]) -> None:
    """Carry the job on, killing the worker at each point in turn; each successor has to be at work within 15 s."""
    killed_at = []
    with ExitStack() as workers:
        worker = workers.enter_context(rig.worker(job, die=points[0]))
        for point, following in pairwise([*points, ""]):
            # It is there already, as workers are: what a process takes to start is not what is measured.
            successor = workers.enter_context(rig.worker(job, die=following, stands_by=True))
            assert worker.wait() == -signal.SIGKILL, f"never came to {point}"
            killed_at.append(timezone.now())
            successor.go()
            worker = successor
        worker.wait()
    job.refresh_from_db()
    taken_over = job.events.filter(message__contains="goes on from here").order_by("seq")
    late = [event.at - since for event, since in zip(taken_over, killed_at, strict=True)]
    assert max(late).total_seconds() < RESUMES_WITHIN_SECONDS, late


def test_killed_in_every_step(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    kill_at(rig, job, [f"step:{name}" for name in STEPS])
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert_story(job)
    rig.assert_whole(before=before, subnet="10.20.0.0/20")


def test_killed_between_engine_calls_and_their_records(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20", strategy=Strategy.STOP)
    points = ["call:update_service:2", "done:release", "call:remove_network:1", "call:create_ingress:1"]
    points += ["call:update_service:2", "call:label_node:2", "call:update_service:3"]
    kill_at(rig, job, points)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    made = [e for e in job.events.all() if "is gone" in e.message and e.kind == "step_finished"]
    assert len(made) == 1
    assert_story(job)
    rig.assert_whole(before=before, subnet="10.20.0.0/20")
