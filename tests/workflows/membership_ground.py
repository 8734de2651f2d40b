"""Engines that become part of a Swarm by jobs: one administrator asks, another approves, this process acts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import init_plans, join_plans
from overlayweb.domain.join_plans import EngineJoin
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.domain.plans import Request
from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.domain.swarm import Swarm
from overlayweb.engine.errors import EngineUnreachable
from overlayweb.models import Account, Cluster, Installation, Job
from overlayweb.services import approvals, changes, readiness
from overlayweb.workflows import runner
from overlayweb.workflows.registry import WORKFLOWS
from tasks import jobs as celery_tasks
from tasks import readiness as readiness_tasks


@dataclass
class Ground:
    """Two administrators."""

    author: User
    reviewer: User

    def registered(self, name: str, endpoint: str) -> Cluster:
        """An engine that was looked at and asked what it is."""
        cluster = Cluster.objects.create(name=name, endpoint=endpoint, created_at=timezone.now())
        return self.looked(cluster)

    def looked(self, cluster: Cluster) -> Cluster:
        """The same, looked at and asked once more."""
        celery_tasks.observe_cluster(cluster.pk)
        readiness.ask_check(cluster=cluster, now=timezone.now())
        readiness_tasks.check_readiness(cluster.pk)
        cluster.refresh_from_db()
        return cluster

    def init(self, cluster: Cluster, request: InitRequest) -> Job:
        """An approved job that makes a Swarm; nobody runs it yet."""
        return self._approved(cluster, init_plans.KIND, request)

    def join(self, cluster: Cluster, other: Cluster, how: JoinRequest) -> Job:
        """An approved job that lets ``other`` join."""
        return self._approved(cluster, join_plans.KIND, EngineJoin(joins=other.pk, how=how))

    def _approved(self, cluster: Cluster, kind: str, request: Request) -> Job:
        now = timezone.now()
        change = changes.submit(cluster=cluster, kind=kind, request=request, author=self.author, reason="test", now=now)
        sha256 = change.plan_record.sha256
        return approvals.approve(change=change, person=self.reviewer, plan_sha256=sha256, reason="", now=now)


def lay() -> Ground:
    """Two people approve, and both are administrators."""
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=timezone.now())
    people = [User.objects.create_user(name) for name in ("clara", "dora")]
    for person in people:
        Account.objects.create(person=person, role=Role.ADMIN)
    return Ground(*people)


def run(job: Job, *, wrap: Callable[[Any], Any] = lambda engine: engine) -> Job:
    """Carry the job on until it rests. ``wrap``: what the worker gets in the place of its engine."""
    result = runner.Result.AGAIN
    while result is runner.Result.AGAIN:
        result = runner.advance(
            job_id=job.pk,
            workflow=WORKFLOWS[job.kind],
            connect=lambda cluster: wrap(celery_tasks.connect(cluster)),
            owner="test",
        )
    assert result is runner.Result.RESTED
    job.refresh_from_db()
    return job


def seen(cluster: Cluster) -> Swarm:
    """The Swarm as pages show it after a look."""
    celery_tasks.observe_cluster(cluster.pk)
    cluster.refresh_from_db()
    found = cluster.swarm()
    assert found is not None, cluster.error
    return found


def told(job: Job) -> str:
    """All that the job's story, steps and plan say."""
    rows = [*job.events.values_list("message", "data"), *job.steps.values_list("title", "detail", "intent")]
    return f"{rows} {job.plan_document} {job.outcome} {job.attention}"


def succeeded(job: Job) -> bool:
    """Whether it ended well, with nothing left to a person."""
    return (job.status, job.attention) == (JobStatus.SUCCEEDED, [])


class Meanwhile:
    """Right before the first call of ``name`` on a member, ``deed`` happens."""

    def __init__(self, name: str, deed: Callable[[], object]) -> None:
        self.name, self.deed, self.calls = name, deed, 0

    def __call__(self, engine: Any) -> Any:
        """For ``run(wrap=...)``."""
        return _Wrapped(engine, {"member": self._hand_out})

    def _hand_out(self, member: Callable[[int], Any], number: int) -> Any:
        return _Wrapped(member(number), {self.name: self._act})

    def _act(self, real: Any, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            self.deed()
        return real(*args, **kwargs)


class AnswerLost(Meanwhile):
    """The first call of ``name`` on a member gets no answer. ``instead``: what happens in its place, if anything."""

    def __init__(self, name: str, instead: Callable[[], object] | None = None) -> None:
        super().__init__(name, instead or (lambda: None))
        self.arrives = instead is None

    def _act(self, real: Any, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls > 1:
            return real(*args, **kwargs)
        if self.arrives:
            real(*args, **kwargs)
        else:
            self.deed()
        raise EngineUnreachable("The answer is lost.")


class _Wrapped:
    """An object of which some calls are another's."""

    def __init__(self, real: Any, others: dict[str, Callable[..., Any]]) -> None:
        self._real, self._others = real, others

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        other = self._others.get(name)
        if other is None:
            return real
        return lambda *args, **kwargs: other(real, *args, **kwargs)
