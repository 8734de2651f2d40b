"""Approving: by whom, of which plan, and only while it fits."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from overlayweb.domain.lifecycle import ChangeStatus, JobStatus
from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import Cluster, Job, codec
from overlayweb.services import approvals, changes, installation
from overlayweb.services.approvals import NotApprovableError
from tests.domain.builders import make_service, make_swarm
from tests.services.conftest import Cast

DAY = timedelta(days=1)


def approve(cast: Cast, **other: object) -> Job:
    said = {
        "change": cast.change,
        "person": cast.reviewer,
        "plan_sha256": cast.change.plan_record.sha256,
        "reason": "",
        "now": timezone.now(),
        **other,
    }
    return approvals.approve(**said)  # type: ignore[arg-type]  # a test leaves out or replaces any of them


def test_another_person_approves_and_the_job_waits_in_the_queue(cast: Cast) -> None:
    job = approve(cast)
    assert (job.status, job.plan_sha256) == (JobStatus.PENDING, cast.change.plan_record.sha256)
    assert job.plan() == cast.change.plan_record.plan()
    cast.change.refresh_from_db()
    assert cast.change.status == ChangeStatus.APPROVED


def test_the_author_may_not_approve_unless_solo(cast: Cast) -> None:
    with pytest.raises(NotApprovableError, match="somebody else"):
        approve(cast, person=cast.author)
    assert not Job.objects.exists()
    installation.set_approval_mode(mode=ApprovalMode.SOLO)
    assert approve(cast, person=cast.author).pk


def test_a_plan_of_another_hash_is_not_what_was_read(cast: Cast) -> None:
    with pytest.raises(NotApprovableError, match="Reload"):
        approve(cast, plan_sha256="0" * 64)
    assert not Job.objects.exists()


def test_a_second_approval_makes_no_second_job(cast: Cast) -> None:
    approve(cast)
    with pytest.raises(NotApprovableError, match="approved"):
        approve(cast, person=cast.other)
    assert Job.objects.count() == 1


def test_two_people_who_read_the_same_page_make_one_job(cast: Cast) -> None:
    stale_page = type(cast.change).objects.get(pk=cast.change.pk)
    approve(cast)
    with pytest.raises(NotApprovableError):
        approve(cast, change=stale_page, person=cast.other)
    assert Job.objects.count() == 1


def test_an_old_look_at_the_cluster_approves_nothing(cast: Cast) -> None:
    Cluster.objects.update(observed_at=timezone.now() - DAY)
    cast.change.refresh_from_db()
    with pytest.raises(NotApprovableError, match="cannot be checked"):
        approve(cast)
    assert not Job.objects.exists()


def test_an_engine_that_does_not_answer_is_named(cast: Cast) -> None:
    Cluster.objects.update(error="The engine does not answer.", error_at=timezone.now())
    cast.change.refresh_from_db()
    with pytest.raises(NotApprovableError, match="does not answer"):
        approve(cast)


def test_what_moved_since_voids_the_plan(cast: Cast) -> None:
    swarm = codec.load(cast.cluster.observation, type(make_swarm()))
    cast.seen(replace(swarm, services=(*swarm.services, make_service(name="late"))))
    with pytest.raises(NotApprovableError, match="late"):
        approve(cast)
    cast.change.refresh_from_db()
    assert cast.change.status == ChangeStatus.STALE
    assert not Job.objects.exists()


def test_authors_withdraw_and_do_not_reject(cast: Cast) -> None:
    assert not approvals.reject(change=cast.change, person=cast.author, reason="mine", now=cast.now)
    assert changes.withdraw(change=cast.change, now=cast.now)
    assert cast.change.status == ChangeStatus.WITHDRAWN


def test_rejected_and_withdrawn_changes_are_not_approved(cast: Cast) -> None:
    assert approvals.reject(change=cast.change, person=cast.reviewer, reason="not on a Friday", now=cast.now)
    with pytest.raises(NotApprovableError, match="rejected"):
        approve(cast, person=cast.other)
    assert not changes.withdraw(change=cast.change, now=cast.now)
    assert not Job.objects.exists()
