"""A model of requests, plans, approvals and jobs, against the real services and the real runner on a database.

The rules do what people, workers, sweeps and clusters may do, in any order; where it is simple to say what has to
follow, they say it. What must always hold is checked after each of them.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, F, Max
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from overlayweb.domain import lifecycle
from overlayweb.domain.lifecycle import HOLDS_CLUSTER, ChangeStatus, DesiredState, JobStatus, Pass
from overlayweb.domain.plans import IngressRequest, IngressSettings
from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import Approval, ChangeRequest, Cluster, Installation, Job, codec
from overlayweb.services import approvals, changes, jobs
from overlayweb.services.approvals import NotApprovableError
from overlayweb.services.clusters import FRESH
from overlayweb.services.jobs import NotPossibleError
from overlayweb.workflows import claims, runner
from overlayweb.workflows.claims import Claim, LostClaimError
from overlayweb.workflows.ledger import Ledger
from overlayweb.workflows.runner import Result
from tests.domain.builders import make_service, make_swarm
from tests.faults.scripted import SLICE, NoEngine, Scripted, StepEnd, SteppedClock, Way

CLUSTERS = ("prod", "test")
PEOPLE = ("ana", "ben", "eve")
REQUEST = IngressRequest(settings=IngressSettings(subnet="10.77.0.0/16", mtu=1450))


class Overlayweb(RuleBasedStateMachine):
    """One installation with two clusters and three people, and the workers that come and go."""

    requested = Bundle("requested")
    queued = Bundle("queued")
    claimed = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.clock = SteppedClock()
        self.workflow = _Witness(self.clock)
        self.moved: dict[str, bool] = dict.fromkeys(CLUSTERS, False)
        self.planned_when_moved: dict[int, bool] = {}
        self.ended: dict[int, tuple[object, ...]] = {}
        self.epochs: dict[int, int] = {}

    def teardown(self) -> None:
        """Nothing of the example is left."""
        transaction.set_rollback(True)
        self._example.__exit__(None, None, None)

    @property
    def now(self) -> datetime:
        """The clock of everybody."""
        return self.clock.now()

    @initialize(mode=st.sampled_from(ApprovalMode))
    def install(self, mode: ApprovalMode) -> None:
        """The installation, its people, and two clusters that were seen a moment ago."""
        Installation.objects.create(pk=1, approval_mode=mode, created_at=self.now)
        self.mode = mode
        self.people = {name: User.objects.create_user(name) for name in PEOPLE}
        self.clusters = {
            name: Cluster.objects.create(name=name, endpoint="unix:///nowhere", created_at=self.now)
            for name in CLUSTERS
        }
        for name in CLUSTERS:
            self._see(name)

    # Clusters and time

    @rule(name=st.sampled_from(CLUSTERS), moved=st.booleans())
    def look(self, name: str, moved: bool) -> None:  # noqa: FBT001  # hypothesis passes it by name
        """A worker looks; somebody may have made or removed a service meanwhile."""
        self.moved[name] = moved
        self._see(name)

    @rule(seconds=st.sampled_from([1, 4, 11, 70]))
    def wait(self, seconds: int) -> None:
        """Time passes, and the sweep has its tick: it rings for what is due, and for nothing else."""
        self.clock.sleep(seconds)
        jobs.ring_due(now=self.now)
        rung = Job.objects.filter(enqueued_at=self.now)
        assert not [job for job in rung if job.ended or job.status == JobStatus.NEEDS_OPERATOR]
        assert not [job for job in rung if job.status == JobStatus.RUNNING and job.lease_until and self._owned(job)]
        forgotten = Job.objects.filter(status=JobStatus.RUNNING, enqueued_at__lt=self.now - jobs.RING_AGAIN)
        assert not [job for job in forgotten if not self._owned(job)]

    # Requests and what people say to them

    @rule(target=requested, name=st.sampled_from(CLUSTERS), author=st.sampled_from(PEOPLE))
    def submit(self, name: str, author: str) -> int:
        """Ask for a change."""
        return self._submitted(name, self.people[author], None)

    @rule(target=requested, pk=requested, author=st.sampled_from(PEOPLE))
    def plan_again(self, pk: int, author: str) -> int:
        """Ask for the same once more: the former request is withdrawn if it still waits."""
        former = ChangeRequest.objects.get(pk=pk)
        waited = former.status == ChangeStatus.PENDING
        new = self._submitted(former.cluster.name, self.people[author], former)
        former.refresh_from_db()
        assert not waited or former.status == ChangeStatus.WITHDRAWN
        return new

    @rule(pk=requested)
    def withdraw(self, pk: int) -> None:
        """The author takes it back."""
        change = ChangeRequest.objects.get(pk=pk)
        waited = change.status == ChangeStatus.PENDING
        assert changes.withdraw(change=change, now=self.now) is waited

    @rule(pk=requested, person=st.sampled_from(PEOPLE))
    def reject(self, pk: int, person: str) -> None:
        """Somebody rejects it."""
        change, who = ChangeRequest.objects.get(pk=pk), self.people[person]
        can = change.status == ChangeStatus.PENDING and change.author_id != who.pk
        assert approvals.reject(change=change, person=who, reason="no", now=self.now) is can

    @rule(target=queued, pk=requested, person=st.sampled_from(PEOPLE), read_it=st.booleans())
    def approve(self, pk: int, person: str, read_it: bool) -> Any:  # noqa: FBT001  # hypothesis passes it by name
        """Somebody approves it, having read this plan or another one."""
        change, who = ChangeRequest.objects.get(pk=pk), self.people[person]
        expected = read_it and self._approvable(change, who)
        sha256 = change.plan_record.sha256 if read_it else "0" * 64
        try:
            job = approvals.approve(change=change, person=who, plan_sha256=sha256, reason="", now=self.now)
        except NotApprovableError:
            assert not expected
            return multiple()
        assert expected
        return job.pk

    # Workers

    @rule(pk=queued, step_end=st.sampled_from(StepEnd), way=st.sampled_from(Way))
    def advance(self, pk: int, step_end: StepEnd, way: Way) -> None:
        """A message arrives and a worker takes a slice of the job, if it may."""
        job = Job.objects.get(pk=pk)
        free = self._free(job)
        realistic = Way.PUT_BACK if way is Way.NOTHING_CHANGED and job.point_passed else way
        self.workflow.step_end, self.workflow.way = step_end, realistic
        result = runner.advance(
            job_id=pk,
            workflow=self.workflow,
            connect=NoEngine,
            owner="worker",
            clock=self.clock,
            slice_seconds=SLICE,
        )
        assert (result is not Result.NOT_CLAIMED) is free
        assert result is not Result.LOST

    @rule(target=claimed, pk=queued)
    def vanish(self, pk: int) -> Any:
        """A worker takes the job and is not heard of any more, until it wakes up perhaps."""
        free = self._free(Job.objects.get(pk=pk))
        won = claims.claim(job_id=pk, owner="sleeper", now=self.now)
        assert (won is not None) is free
        return won or multiple()

    @rule(claim=consumes(claimed))
    def wake(self, claim: Claim) -> None:
        """It wakes up and goes on writing: only what is still its own gets in."""
        job = Job.objects.get(pk=claim.job_id)
        mine = job.epoch == claim.epoch and job.status == JobStatus.RUNNING and job.owner == claim.owner
        assert claims.renew(claim, now=self.now) is mine
        try:
            Ledger(claim, now=self.clock.now).say("still here")
        except LostClaimError:
            assert not mine
        else:
            assert mine
        claims.release(claim, now=self.now)
        after = Job.objects.get(pk=claim.job_id)
        assert mine or (after.last_seq, after.owner, after.lease_until) == (job.last_seq, job.owner, job.lease_until)

    # What people ask of jobs

    @rule(pk=queued, verb=st.sampled_from(["cancel", "restore", "resume", "accept"]), person=st.sampled_from(PEOPLE))
    def ask(self, pk: int, verb: str, person: str) -> None:
        """Whatever a page can post, in whatever state."""
        job = Job.objects.get(pk=pk)
        expected = _may(job, verb)
        asked = {"job": job, "person": self.people[person], "now": self.now}
        try:
            getattr(jobs, verb)(**asked, **({"reason": "as it is"} if verb == "accept" else {}))
        except NotPossibleError:
            assert not expected
            return
        assert expected
        job.refresh_from_db()
        assert verb != "cancel" or job.ended or job.desired_state == DesiredState.CANCEL
        assert verb != "restore" or (job.desired_state, job.status) == (DesiredState.RESTORE, JobStatus.RUNNING)
        assert verb != "resume" or job.status == JobStatus.RUNNING
        assert verb != "accept" or job.status == JobStatus.FAILED

    # What always holds

    @invariant()
    def one_job_holds_a_cluster(self) -> None:
        """Never two."""
        holding = Job.objects.filter(status__in=HOLDS_CLUSTER).values("cluster").annotate(many=Count("pk"))
        assert all(row["many"] == 1 for row in holding)

    @invariant()
    def nothing_is_done_unapproved(self) -> None:
        """Each job has the approval of its very plan by somebody who may; nothing else was ever begun."""
        said = {row.change_id: row for row in Approval.objects.filter(approved=True).select_related("change")}
        for job in Job.objects.select_related("change"):
            word = said[job.change_id]
            assert word.plan_sha256 == job.plan_sha256 == job.change.plan_record.sha256
            assert self.mode is ApprovalMode.SOLO or word.person_id != job.change.author_id
            assert job.change.status in {ChangeStatus.APPROVED, ChangeStatus.STALE}
        assert self.workflow.ran <= set(Job.objects.values_list("pk", flat=True))

    @invariant()
    def stories_are_gapless_and_ends_are_final(self) -> None:
        """Events are numbered without a gap, epochs only grow, and what is over stays as it is."""
        for job in Job.objects.annotate(many=Count("events"), highest=Max("events__seq")):
            assert job.many == job.highest == job.last_seq
            assert self.epochs.get(job.pk, 0) <= job.epoch
            self.epochs[job.pk] = job.epoch
            assert job.ended is (job.finished_at is not None)
            if job.ended:
                row = (job.status, job.outcome, job.last_seq, job.attention, job.point_passed)
                assert self.ended.setdefault(job.pk, row) == row
            if job.status == JobStatus.NEEDS_OPERATOR:
                assert job.attention

    # How things are

    def _see(self, name: str) -> None:
        swarm = make_swarm()
        if self.moved[name]:
            swarm = replace(swarm, services=(*swarm.services, make_service(name="late")))
        seen = {"observation": codec.dump(swarm), "observed_at": self.now, "revision": F("revision") + 1}
        Cluster.objects.filter(name=name).update(**seen)
        self.clusters[name].refresh_from_db()

    def _submitted(self, name: str, author: User, replaces: ChangeRequest | None) -> int:
        cluster = Cluster.objects.get(name=name)
        change = changes.submit(
            cluster=cluster, request=REQUEST, author=author, reason="model", now=self.now, replaces=replaces
        )
        self.planned_when_moved[change.pk] = self.moved[name]
        return change.pk

    def _approvable(self, change: ChangeRequest, who: User) -> bool:
        cluster = change.cluster
        return (
            change.status == ChangeStatus.PENDING
            and (self.mode is ApprovalMode.SOLO or change.author_id != who.pk)
            and cluster.observed_at is not None
            and self.now - cluster.observed_at < FRESH
            and self.planned_when_moved[change.pk] is self.moved[cluster.name]
        )

    def _owned(self, job: Job) -> bool:
        return job.lease_until is not None and job.lease_until > self.now

    def _free(self, job: Job) -> bool:
        """Whether a worker may have it now."""
        if job.status == JobStatus.RUNNING:
            return not self._owned(job)
        others = Job.objects.filter(cluster=job.cluster_id, status__in=HOLDS_CLUSTER).exclude(pk=job.pk)
        return job.status == JobStatus.PENDING and not others.exists()


class _Witness(Scripted):
    """The scripted workflow, which remembers for which jobs it ever did anything."""

    def __init__(self, clock: SteppedClock) -> None:
        super().__init__(clock)
        self.ran: set[int] = set()

    def run(self, name: str, context: runner.Context) -> str:
        self.ran.add(context.job.pk)
        return super().run(name, context)


def _may(job: Job, verb: str) -> bool:
    """What the table says of it."""
    wanted, status, way = job.desired_state == DesiredState.RUN, JobStatus(job.status), Pass(job.current_pass)
    if verb == "cancel":
        return wanted and lifecycle.may_cancel(status=status, current_pass=way, point_passed=job.point_passed)
    if verb == "restore":
        return wanted and lifecycle.may_restore(status=status, current_pass=way, point_passed=job.point_passed)
    return job.status == JobStatus.NEEDS_OPERATOR
