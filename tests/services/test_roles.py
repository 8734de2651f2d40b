"""Readers change nothing, whatever door they come by: the services refuse them too."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.lifecycle import ChangeStatus, DesiredState, JobStatus
from overlayweb.domain.plans import IngressRequest, IngressSettings
from overlayweb.domain.policy import Role
from overlayweb.models import Account, Job
from overlayweb.services import approvals, changes, jobs, roles
from tests.services.conftest import Cast

STEERING: list[Callable[[Job, User], None]] = [
    lambda job, person: jobs.cancel(job=job, person=person, now=timezone.now()),
    lambda job, person: jobs.restore(job=job, person=person, now=timezone.now()),
    lambda job, person: jobs.resume(job=job, person=person, now=timezone.now()),
    lambda job, person: jobs.accept(job=job, person=person, reason="so be it", now=timezone.now()),
]


@pytest.fixture
def reader(cast: Cast) -> User:
    person = User.objects.create_user("rui")
    Account.objects.create(person=person, role=Role.READER)
    return person


def test_whoever_has_no_role_is_a_member(cast: Cast, reader: User) -> None:
    assert roles.of(cast.author) is Role.MEMBER
    assert roles.of(reader) is Role.READER


def test_a_reader_asks_for_nothing(cast: Cast, reader: User) -> None:
    request = IngressRequest(settings=IngressSettings(subnet="10.78.0.0/16"))
    with pytest.raises(roles.NotAllowedError, match="A member asks for it"):
        changes.submit(cluster=cast.cluster, request=request, author=reader, reason="VPN", now=cast.now)
    assert cast.cluster.changes.count() == 1


def test_a_reader_decides_nothing(cast: Cast, reader: User) -> None:
    sha256 = cast.change.plan_record.sha256
    with pytest.raises(approvals.NotApprovableError, match="You are a reader"):
        approvals.approve(change=cast.change, person=reader, plan_sha256=sha256, reason="", now=cast.now)
    with pytest.raises(roles.NotAllowedError):
        approvals.reject(change=cast.change, person=reader, reason="no", now=cast.now)
    cast.change.refresh_from_db()
    assert cast.change.status == ChangeStatus.PENDING


@pytest.mark.parametrize("steer", STEERING)
def test_a_reader_steers_no_job(cast: Cast, reader: User, steer: Callable[[Job, User], None]) -> None:
    job = jobs.queue(change=cast.change, approved_by=cast.reviewer, now=cast.now)
    with pytest.raises(roles.NotAllowedError, match="A member steers the job"):
        steer(job, reader)
    job.refresh_from_db()
    assert (job.status, job.desired_state) == (JobStatus.PENDING, DesiredState.RUN)


def test_only_administrators_give_roles(cast: Cast, reader: User) -> None:
    with pytest.raises(roles.NotAllowedError):
        roles.give(person=reader, role=Role.ADMIN, by=cast.author)
    assert roles.of(reader) is Role.READER
