"""A real Swarm with a quick mix of services, jobs made through the product's own services, and what must hold after.

Workers are real processes (``python -m tests.workflows.worker``), so that they can be killed and frozen.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from overlayweb.domain import ingress_plans, specs
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import IngressRequest, IngressSettings, Request, Strategy
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Swarm
from overlayweb.engine.connection import Endpoint, connect
from overlayweb.models import Cluster, Event, Job
from overlayweb.services import approvals, changes
from tasks import jobs as celery_tasks
from tests.lab import services as lab_services
from tests.lab.daemon import Node
from tests.lab.services import SECOND, everywhere, host_port, ingress_port, replicated, slow_stopping, start_first
from tests.lab.swarm import Lab
from tests.support.installations import environment

WAIT_SECONDS = 180.0
REPOSITORY = Path(__file__).parents[2]


FEW = ("web", "slow", "mixed", "inner")
"""Services of the quick mix that are enough where it is not the variety of specs that is tried."""


def create_quick_mix(lab: Lab, *, only: Collection[str] = ()) -> dict[str, str]:
    """Seven published services and one that is not, or ``only`` those of them; service ids by name.

    One ignores SIGTERM for three seconds; one has nearly all that a spec can hold, secrets and mounts included.
    """
    references = {
        "secret": lab_services.create_secret(lab.manager, "shop_key"),
        "config": lab_services.create_config(lab.manager, "shop_settings"),
    }
    slow = slow_stopping("slow", ingress_port(8104), replicas=1)
    slow["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] = 3 * SECOND
    wanted = [
        replicated("web", ingress_port(8101), replicas=2, stack="shop"),
        everywhere("agent", ingress_port(8102)),
        start_first("portal", ingress_port(8103)),
        slow,
        replicated("mixed", ingress_port(8105), host_port(9105), replicas=1),
        replicated("chosen", ingress_port(0), replicas=1),
        lab_services.rich("shop_pay", ingress_port(8107), **references),
        replicated("inner", replicas=1),
    ]
    chosen = [spec for spec in wanted if not only or spec["Name"] in only]
    ids = {spec["Name"]: lab_services.create(lab.manager, spec) for spec in chosen}
    lab.wait_running(ids, timeout=90)
    return ids


@dataclass
class Rig:
    """One Swarm, its row in the database, two people, and the service ids by name."""

    lab: Lab
    cluster: Cluster
    author: User
    reviewer: User
    ids: dict[str, str]
    workers: list["Worker"] = field(default_factory=list)

    def swarm(self) -> Swarm:
        """A fresh observation, kept in the database as the worker would."""
        celery_tasks.observe_cluster(self.cluster.pk)
        self.cluster.refresh_from_db()
        assert not self.cluster.error, self.cluster.error
        swarm = self.cluster.swarm()
        assert swarm is not None
        return swarm

    def approved(self, subnet: str, *, strategy: Strategy = Strategy.AUTOMATIC, name: str = "ingress") -> Job:
        """A job for this subnet, asked for by the author and approved by the reviewer; nobody runs it yet."""
        swarm = self.swarm()
        request = IngressRequest(
            settings=IngressSettings(name=name, subnet=subnet, mtu=1450),
            strategies=tuple((service.id, strategy) for service in swarm.published_services),
        )
        return self.agreed(ingress_plans.KIND, request)

    def agreed(self, kind: str, request: Request) -> Job:
        """A job of this kind, asked for and approved on what was seen last; nobody runs it yet."""
        change = changes.submit(
            cluster=self.cluster, kind=kind, request=request, author=self.author, reason="test", now=timezone.now()
        )
        return approvals.approve(
            change=change,
            person=self.reviewer,
            plan_sha256=change.plan_record.sha256,
            reason="",
            now=timezone.now(),
        )

    @contextmanager
    def worker(self, job: Job, *, die: str = "", stands_by: bool = False) -> "Iterator[Worker]":
        """A process that carries the job on until it rests or dies at ``die``; one that stands by begins at ``go``."""
        worker = Worker(job, die, stands_by=stands_by)
        self.workers.append(worker)
        try:
            yield worker
        finally:
            worker.end()

    def run(self, job: Job, *, seconds: float = WAIT_SECONDS) -> Job:
        """Carry the job on until it rests, for which it gets this long."""
        with self.worker(job) as worker:
            worker.wait(seconds)
        job.refresh_from_db()
        return job

    def assert_whole(self, *, before: Swarm, subnet: str) -> None:
        """See :func:`assert_whole`."""
        assert_whole(self.lab, before=before, subnet=subnet)


def observe(lab: Lab) -> Swarm:
    """What the engine itself says, now."""
    with connect(Endpoint(url=lab.manager.socket)) as engine:
        return engine.observe()


def assert_whole(lab: Lab, *, before: Swarm, subnet: str) -> None:
    """Exactly one ingress, with this subnet, on every node; every service as it was, at full strength."""
    lab.wait_running(timeout=60)
    now = observe(lab)
    assert [network.ipam[0].subnet for network in now.ingress_networks] == [subnet]
    ingress = now.ingress_networks[0]
    assert {node.address for node in now.nodes} <= set(ingress.peers)
    for node in lab.nodes:
        listed = [n for n in node.request("GET", "/networks") if n.get("Ingress")]
        assert [n["Id"] for n in listed] == [ingress.id], f"{node.name} holds {listed}"
    was = {service.name: service.spec for service in before.services}
    assert {service.name for service in now.services} == set(was)
    for service in now.services:
        # A service that was never touched keeps a port that Swarm chose as it was.
        assert service.spec in {was[service.name], settled(before, service.name)}
        running = now.running_on(service.id)
        assert len(running) == len(before.running_on(service.id))
        if service.ingress_ports:
            assert all(ingress.id in t.network_ids for t in running)
            assert ingress.id in dict(service.vips)
    assert not [node.hostname for node in now.nodes if any("overlayweb" in key for key, _ in node.labels)]


def settled(swarm: Swarm, name: str) -> Spec:
    """The spec with which a service has to come out: its own, ports that Swarm chose written out."""
    service = next(s for s in swarm.services if s.name == name)
    return specs.pinned(service.spec, service.ports)


class Worker:
    """A worker process for one job."""

    def __init__(self, job: Job, die: str, *, stands_by: bool = False) -> None:
        self.job = job
        url = f"sqlite:///{connection.settings_dict['NAME']}"
        env = environment(
            settings.OVERLAYWEB_DATA,
            DATABASE_URL=url,
            OVERLAYWEB_REDIS_SERVER="none",
            OVERLAYWEB_SECRET_KEY=settings.SECRET_KEY,
            OVERLAYWEB_ENCRYPTION_KEYS=",".join(settings.OVERLAYWEB_SECRET_KEYS),
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.workflows.worker", str(job.pk), die],
            cwd=REPOSITORY,
            env=env,
            stdin=subprocess.PIPE if stands_by else subprocess.DEVNULL,
        )

    def go(self) -> None:
        """Let one that stands by begin."""
        assert self.process.stdin
        self.process.stdin.close()

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait for its end; returns the exit code, -9 when it was killed."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            told = "\n".join(f"{event.at:%H:%M:%S} {event}" for event in self.job.events.order_by("seq"))
            raise AssertionError(f"The worker did not end within {seconds:g} s. The job so far:\n{told}") from None

    def end(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def wait_event(job: Job, matches: Callable[[Event], bool], *, seconds: float = WAIT_SECONDS) -> Event:
    """The first event of the job that matches, already there or to come."""
    deadline, seen = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        for event in job.events.filter(seq__gt=seen):
            if matches(event):
                return event
            seen = event.seq
        time.sleep(0.05)
    raise AssertionError(f"no such event in {[str(e) for e in job.events.all()]}")


def started(step: str) -> Callable[[Event], bool]:
    """Matches the start of the step with this name."""

    def matches(event: Event) -> bool:
        return event.kind == "step_started" and event.job.steps.get(ordinal=event.step or 0).name == step

    return matches


def assert_story(job: Job) -> None:
    """Events are gapless, and the last one tells the end."""
    seqs = list(job.events.order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, job.last_seq + 1))
    if job.status in {JobStatus.SUCCEEDED, JobStatus.CANCELLED, JobStatus.FAILED}:
        last = job.events.order_by("-seq").first()
        assert last is not None
        assert last.kind == "ended"


def edit(node: Node, service_id: str, **changed: Any) -> None:
    """Change a service as a stranger would, at once; ``changed``: env, replicas, constraints, failure_action, ports."""
    raw = node.request("GET", f"/services/{service_id}")
    spec = raw["Spec"]
    if "env" in changed:
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = changed["env"]
    if "replicas" in changed:
        spec["Mode"]["Replicated"]["Replicas"] = changed["replicas"]
    if "constraints" in changed:
        spec["TaskTemplate"]["Placement"] = {"Constraints": changed["constraints"]}
    if "failure_action" in changed:
        spec["UpdateConfig"]["FailureAction"] = changed["failure_action"]
    if "ports" in changed:
        spec["EndpointSpec"]["Ports"] = changed["ports"]
    node.request("POST", f"/services/{service_id}/update", spec, version=raw["Version"]["Index"])
