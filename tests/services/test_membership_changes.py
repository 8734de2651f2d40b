"""Making a Swarm and letting an engine join: administrators ask and approve, by what the engine told a moment ago."""

import re
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import init_plans, join_plans
from overlayweb.domain.join_plans import EngineJoin
from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.domain.plans import Request
from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.domain.readiness import Check, EngineView, Membership
from overlayweb.models import Account, ChangeRequest, Cluster, Job, ReadinessCheck, codec
from overlayweb.services import approvals, changes, installation, jobs, memberships, readiness, roles, seeing
from overlayweb.services.approvals import NotApprovableError
from tasks import jobs as celery_tasks
from tests.services.conftest import Cast

OUTSIDE = EngineView(hostname="box", os="linux", engine_version="28.5.2")
INIT = InitRequest(advertise="10.2.0.99", pools=("10.30.0.0/16",))
MINUTES = timedelta(minutes=5)


@dataclass
class Ground:
    """A cluster that is a Swarm, an engine that is in none, and two administrators."""

    prod: Cluster
    spare: Cluster
    clara: User
    dora: User
    member: User

    def told(self, view: EngineView = OUTSIDE, *, ago: timedelta = timedelta()) -> None:
        """The engine was asked, and told this."""
        at = timezone.now() - ago
        result = codec.dump(Check(checked_at=at, engine=view))
        defaults = {"asked_at": at, "checked_at": at, "result": result}
        ReadinessCheck.objects.update_or_create(cluster=self.spare, defaults=defaults)

    def join(self) -> EngineJoin:
        return EngineJoin(joins=self.spare.pk, how=JoinRequest(role="worker", remote="192.168.50.11:2377"))

    def asked(self, kind: str = init_plans.KIND, by: User | None = None) -> ChangeRequest:
        request: Request = INIT if kind == init_plans.KIND else self.join()
        cluster = self.spare if kind == init_plans.KIND else self.prod
        return changes.submit(
            cluster=cluster, kind=kind, request=request, author=by or self.clara, reason="new rack", now=timezone.now()
        )

    def approve(self, change: ChangeRequest, by: User | None = None) -> Job:
        change = ChangeRequest.objects.get(pk=change.pk)
        return approvals.approve(
            change=change,
            person=by or self.dora,
            plan_sha256=change.plan_record.sha256,
            reason="",
            now=timezone.now(),
        )


@pytest.fixture
def ground(cast: Cast) -> Ground:
    spare = Cluster.objects.create(
        name="spare", endpoint="tcp://10.2.0.99:2376", created_at=timezone.now(), error="It is not a manager."
    )
    admins = [User.objects.create_user(name) for name in ("clara", "dora")]
    for person in admins:
        Account.objects.create(person=person, role=Role.ADMIN)
    made = Ground(cast.cluster, spare, admins[0], admins[1], cast.reviewer)
    made.told()
    return made


KINDS = pytest.mark.parametrize("kind", [init_plans.KIND, join_plans.KIND])


@KINDS
def test_one_administrator_asks_and_another_one_approves(ground: Ground, kind: str) -> None:
    with pytest.raises(roles.NotAllowedError, match="Only administrators ask"):
        ground.asked(kind, by=ground.member)
    change = ground.asked(kind)
    with pytest.raises(NotApprovableError, match="another administrator"):
        ground.approve(change, by=ground.clara)
    with pytest.raises(NotApprovableError, match="Only administrators approve"):
        ground.approve(change, by=ground.member)
    with pytest.raises(roles.NotAllowedError, match="Only administrators"):
        approvals.reject(change=change, person=ground.member, reason="no", now=timezone.now())
    job = ground.approve(change)
    assert (job.kind, job.cluster) == (kind, ground.spare if kind == init_plans.KIND else ground.prod)
    assert [row.pk for row in memberships.about(cluster=ground.spare)] == [change.pk]


def test_in_solo_mode_an_administrator_approves_alone_and_a_member_never(ground: Ground) -> None:
    installation.set_approval_mode(mode=ApprovalMode.SOLO)
    change = ground.asked()
    with pytest.raises(NotApprovableError, match="Only administrators"):
        ground.approve(change, by=ground.member)
    assert ground.approve(change, by=ground.clara).pk


@KINDS
def test_an_engine_that_has_become_part_of_a_swarm_voids_the_plan(ground: Ground, kind: str) -> None:
    change = ground.asked(kind)
    ground.told(replace(OUTSIDE, membership=Membership.WORKER))
    with pytest.raises(NotApprovableError, match=r"Engine spare is part of a Swarm now\."):
        ground.approve(change)
    change.refresh_from_db()
    assert change.status == ChangeStatus.STALE


@KINDS
def test_what_an_engine_told_long_ago_approves_nothing_and_it_is_asked_again(ground: Ground, kind: str) -> None:
    change = ground.asked(kind)
    ground.told(ago=MINUTES)
    with pytest.raises(NotApprovableError, match="engine of spare is asked what it is"):
        ground.approve(change)
    change.refresh_from_db()
    assert change.status == ChangeStatus.PENDING
    assert timezone.now() - ReadinessCheck.objects.get(cluster=ground.spare).asked_at < MINUTES
    ground.told()
    assert ground.approve(change).pk


@KINDS
def test_an_engine_that_is_away_keeps_the_plan_and_approves_nothing(ground: Ground, kind: str) -> None:
    change = ground.asked(kind)
    ground.told(EngineView(hostname="", error="Nothing listens there."))
    with pytest.raises(NotApprovableError, match="Nothing listens there"):
        ground.approve(change)
    change.refresh_from_db()
    assert change.status == ChangeStatus.PENDING
    with pytest.raises(seeing.NotSeenError, match="Nothing listens there"):
        changes.recheck(change=change)


@KINDS
def test_nothing_is_planned_with_an_engine_that_nobody_has_asked(ground: Ground, kind: str) -> None:
    ReadinessCheck.objects.all().delete()
    with pytest.raises(seeing.NotSeenError, match="Check now on the page Readiness of spare"):
        ground.asked(kind)


def test_a_swarm_is_not_made_where_one_is_seen(ground: Ground) -> None:
    with pytest.raises(changes.BlockedError) as refused:
        changes.submit(
            cluster=ground.prod,
            kind=init_plans.KIND,
            request=INIT,
            author=ground.clara,
            reason="",
            now=timezone.now(),
        )
    assert "engine-in-swarm" in {row.code for row in refused.value.plan.blockers}


def test_two_jobs_about_one_engine_exclude_each_other(ground: Ground) -> None:
    change, other = ground.asked(join_plans.KIND), ground.asked()
    ground.approve(change)
    with pytest.raises(NotApprovableError, match="is about the same engine"):
        ground.approve(other)
    Job.objects.update(status="failed")
    ground.approve(other)
    with pytest.raises(changes.BlockedError):
        ground.asked(join_plans.KIND)


def test_both_clusters_of_a_join_are_looked_at_when_its_job_is_over(
    ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no broker here, so each message that was to be sent is named in the log."""
    job = jobs.queue(change=ground.asked(join_plans.KIND), approved_by=ground.dora, now=timezone.now())
    celery_tasks.advance_job(job.pk)  # it ends at once: nobody approved it
    rung = re.findall(r"observe_cluster\((\d+),\)", caplog.text)
    assert sorted(map(int, rung)) == sorted([ground.prod.pk, ground.spare.pk])


def test_an_engine_that_is_registered_no_more_does_not_join(ground: Ground) -> None:
    change = ground.asked(join_plans.KIND)
    Cluster.objects.filter(pk=ground.spare.pk).update(removed_at=timezone.now())
    with pytest.raises(seeing.NotSeenError, match="not registered any more"):
        ground.approve(change)


def test_engines_without_a_swarm_are_asked_once_a_minute(ground: Ground) -> None:
    ground.told(ago=MINUTES)
    now = timezone.now()
    assert readiness.ask_due(now=now) == 1
    assert readiness.ask_due(now=now) == 0
    assert readiness.ask_due(now=now + MINUTES) == 1
    Cluster.objects.filter(pk=ground.spare.pk).update(error="")
    assert readiness.ask_due(now=now + 2 * MINUTES) == 0, "nobody has looked yet, or it was seen"
