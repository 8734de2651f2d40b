"""Jobs brought to where a test wants them, by the product's own services and ledger, without an engine.

The cast: Ana asks, Ben approves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.lifecycle import JobEvent, JobStatus, Pass
from overlayweb.domain.plans import Strategy
from overlayweb.models import ChangeRequest, Cluster, Job, JobService, Step, codec
from overlayweb.services import approvals, changes
from overlayweb.workflows import claims
from overlayweb.workflows.ingress_rebuild import IngressRebuild
from overlayweb.workflows.ledger import Ledger
from tests.domain.builders import make_network, make_request, make_service, make_swarm

State = JobService.State

SERVICES = (
    ("shop_web", (8001, 8443), 3),
    ("shop_api", (8002,), 2),
    ("shop_search", (8003,), 2),
    ("pay_gateway", (9000,), 4),
    ("pay_hooks", (9001,), 1),
    ("mail_smtp", (2525,), 2),
    ("mail_web", (8080,), 1),
    ("wiki", (8081,), 1),
    ("metrics", (3000, 3100), 2),
)


class Time:
    """A clock that a story sets: each reading moves it by ``step`` seconds."""

    def __init__(self, at: datetime, step: float = 0.012) -> None:
        self.at = at
        self.step = timedelta(seconds=step)

    def __call__(self) -> datetime:
        self.at += self.step
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def person(name: str, full_name: str = "", **more: bool) -> User:
    return User.objects.get_or_create(username=name, defaults={"first_name": full_name or name.title(), **more})[0]


def cluster(name: str = "local", services: int = 3) -> Cluster:
    """A cluster that was looked at a moment ago and publishes so many services."""
    known = [
        make_service(name, published=ports, replicas=replicas, network_ids=("id-backend",))
        for name, ports, replicas in _services(services)
    ]
    now = timezone.now()
    swarm = make_swarm(services=known, networks=[make_network()])
    return Cluster.objects.create(
        name=name, endpoint="unix:///nowhere.sock", created_at=now, observation=codec.dump(swarm), observed_at=now
    )


def change(where: Cluster, *, subnet: str = "10.11.0.0/16", author: str = "ana", reason: str = "") -> ChangeRequest:
    """A pending change asked for by ``author``."""
    strategies = {"id-wiki": Strategy.UNPUBLISH, "id-metrics": Strategy.UNPUBLISH}
    swarm = where.swarm()
    known = {service.id for service in swarm.services} if swarm else set()
    request = make_request(subnet, strategies={key: way for key, way in strategies.items() if key in known})
    return changes.submit(
        cluster=where,
        request=request,
        author=person(author, "Ana Prado"),
        reason=reason or "10.0.0.0/24 collides with the office VPN.",
        now=timezone.now(),
    )


def queued(where: Cluster, *, subnet: str = "10.11.0.0/16") -> Job:
    """A job that Ben has approved."""
    asked = change(where, subnet=subnet)
    Cluster.objects.filter(pk=where.pk).update(observed_at=timezone.now(), error="")
    return approvals.approve(
        change=ChangeRequest.objects.get(pk=asked.pk),
        person=person("ben", "Ben Okafor"),
        plan_sha256=asked.plan_record.sha256,
        reason="",
        now=timezone.now(),
    )


@dataclass
class Story:
    """A claimed job and the hand that writes its ledger."""

    job: Job
    ledger: Ledger
    time: Time

    def row(self, name: str) -> JobService:
        return self.job.services.get(name=name)

    def begin(self) -> Step:
        """Start the next step."""
        step = self.ledger.current_step(self.ledger.job())
        if step is None:
            raise AssertionError("no step is left")
        self.ledger.start(step)
        return step

    def do(self, detail: str = "", *, seconds: float = 0.3) -> Step:
        """Start the next step and end it after so many seconds."""
        step = self.begin()
        self.time.pass_by(seconds)
        self.ledger.finish(step, detail)
        return step

    def say(self, message: str) -> None:
        self.ledger.say(message)

    def take_off(self, step: Step, names: Sequence[str], *, every: float = 0.2) -> None:
        for name in names:
            self.time.pass_by(every)
            row = self.row(name)
            said = f"{name} is held; its {row.containers_before} containers leave the ingress"
            self._move(step, row, said, state=State.RELEASING, released_at=self.time(), intent="{}")

    def go_dark(self, step: Step, names: Sequence[str], *, every: float = 0.4) -> None:
        for name in names:
            self.time.pass_by(every)
            said = f"{name}: no container is on the ingress any more"
            self._move(step, self.row(name), said, state=State.OFF, off_at=self.time(), containers_now=0)

    def bring_back(self, step: Step, names: Sequence[str], *, running: Sequence[str] = ()) -> None:
        for name in names:
            self._move(step, self.row(name), f"{name} is published again", state=State.STARTING, containers_now=0)
        for name in running:
            self.time.pass_by(0.3)
            row = self.row(name)
            said = f"{name}: {row.containers_before} of {row.containers_before} containers run on the ingress"
            self._move(
                step, row, said, state=State.RUNNING, running_at=self.time(), containers_now=row.containers_before
            )

    def turn_back(self, way: Pass, *, ending: JobStatus, reason: str) -> None:
        job = self.ledger.job()
        self.ledger.turn_back(ending=ending, reason=reason, step=self.ledger.current_step(job))
        said = "Putting every service back" if way is Pass.PUT_BACK else "Bringing the old ingress back"
        self.ledger.begin_pass(way, IngressRebuild().steps(way, job.plan()), said)

    def end(self, event: JobEvent, outcome: str) -> None:
        self.ledger.end(event, outcome=outcome)

    def _move(self, step: Step, row: JobService, said: str, **values: Any) -> None:
        self.ledger.change_service(row, step=step, message=said, **values)


def started(job: Job, *, ago: float = 0.0) -> Story:
    """The job, claimed by a worker ``ago`` seconds ago, its steps laid out."""
    time = Time(timezone.now() - timedelta(seconds=ago))
    claim = claims.claim(job_id=job.pk, owner="worker", now=time())
    if claim is None:
        raise AssertionError("the job cannot be claimed")
    ledger = Ledger(claim, now=time)
    ledger.lay_out(Pass.FORWARD, job.plan().steps)
    return Story(Job.objects.get(pk=job.pk), ledger, time)


def recorded(job: Job, *, ago: float = 0.0) -> Story:
    """The same, checked, and with every service recorded."""
    story = started(job, ago=ago)
    story.do("Nothing moved since the plan was made; 3 nodes are ready")
    step = story.begin()
    effects = job.plan().effects
    rows = [
        JobService(
            job=story.job,
            service_id=effect.service_id,
            name=effect.service_name,
            stack=effect.stack,
            ports=", ".join(str(port) for port in effect.ports),
            strategy=effect.strategy,
            original="{}",
            target="{}",
            written="{}",
            containers_before=effect.containers,
            containers_now=effect.containers,
        )
        for effect in effects
    ]
    said = f"{len(rows)} services and the old ingress, saved before anything changes"
    story.ledger.record(rows, step=step, message=said)
    story.ledger.finish(step, said)
    return story


def dark(story: Story) -> Story:
    """Every service off the ingress, and the ingress removed: past the point of no return."""
    names = [row.name for row in story.job.services.all()]
    step = story.begin()
    story.take_off(step, names)
    story.ledger.finish(step, f"{len(names)} of {len(names)}")
    step = story.begin()
    story.go_dark(step, names)
    story.ledger.finish(step, "No container is on the old ingress, on any node")
    step = story.begin()
    story.ledger.pass_point_of_no_return(step)
    story.time.pass_by(0.5)
    story.ledger.finish(step, "ingress 10.0.0.0/24 is gone")
    return story


def done(story: Story) -> Job:
    """The job, from past the point of no return to its good end."""
    names = [row.name for row in story.job.services.all()]
    story.do("ingress 10.11.0.0/16 is allocated", seconds=0.9)
    step = story.begin()
    story.bring_back(step, names, running=names)
    story.ledger.finish(step, f"{len(names)} of {len(names)}")
    story.do(f"{len(names)} of {len(names)} specs equal the snapshot", seconds=1.2)
    story.end(JobEvent.SUCCEED, "The ingress is 10.11.0.0/16 now and every service has its ports back")
    return Job.objects.get(pk=story.job.pk)


def _services(number: int) -> list[tuple[str, tuple[int, ...], int]]:
    more = [(f"app{n:04}", (10000 + n,), 2) for n in range(len(SERVICES), number)]
    return [*SERVICES[:number], *more]
