"""A Swarm with two overlays and services on the first, and jobs that connect them; the Swarm is real or simulated."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import connect_plans
from overlayweb.domain.connect_plans import ConnectRequest
from overlayweb.domain.links import Link, Publication
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.engine.connection import Endpoint, connect
from overlayweb.models import Cluster, Installation, Job
from overlayweb.services import approvals, changes
from tasks import jobs as celery_tasks
from tests.contract.http import ask
from tests.lab.services import everywhere, replicated, start_first
from tests.workflows.rig import Worker

OLD, NEW = "old", "new"
STRENGTH_SECONDS = 60.0


@dataclass(kw_only=True)
class Ground:
    """``url``: the manager's socket."""

    url: str
    cluster: Cluster
    author: User
    reviewer: User
    before: Swarm

    def observe(self) -> Swarm:
        """What the engine itself says, now."""
        return observe(self.url)

    def network(self, name: str) -> str:
        """The full id of an overlay."""
        return next(network.id for network in self.before.networks if network.name == name)

    def service(self, name: str) -> Service:
        """A service as it is now."""
        return next(service for service in self.observe().services if service.name == name)

    def link(self, service: str, network: str, *aliases: str, attach: bool = True) -> Link:
        """A link by names."""
        return Link(
            service_id=self.service(service).id, network_id=self.network(network), attach=attach, aliases=aliases
        )

    def approved(self, *links: Link, publications: tuple[Publication, ...] = ()) -> Job:
        """A job for these links and ports, asked for by one and approved by the other; nobody runs it yet."""
        celery_tasks.observe_cluster(self.cluster.pk)
        self.cluster.refresh_from_db()
        change = changes.submit(
            cluster=self.cluster,
            request=ConnectRequest(links=links, publications=publications),
            author=self.author,
            reason="test",
            now=timezone.now(),
            kind=connect_plans.KIND,
        )
        return approvals.approve(
            change=change,
            person=self.reviewer,
            plan_sha256=change.plan_record.sha256,
            reason="",
            now=timezone.now(),
        )

    def run(self, job: Job, *, die: str = "") -> int:
        """Carry the job on until it rests, or its worker dies; returns the worker's exit code."""
        worker = Worker(job, die)
        try:
            return worker.wait()
        finally:
            worker.end()
            job.refresh_from_db()

    def edit(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a service's spec as a stranger does."""
        raw = ask(self.url, "GET", f"/services/{name}").content
        change(raw["Spec"])
        answer = ask(self.url, "POST", f"/services/{name}/update?version={raw['Version']['Index']}", raw["Spec"])
        assert answer.status == 200, answer.content

    def on(self, name: str) -> list[set[str]]:
        """The overlays in question of each running container of the service."""
        now, known = self.observe(), {self.network(OLD), self.network(NEW)}
        service = next(row for row in now.services if row.name == name)
        names = {network.id: network.name for network in now.networks}
        return [{names[key] for key in known & {*task.network_ids}} for task in now.running_on(service.id)]


def observe(url: str) -> Swarm:
    """What the engine itself says, now."""
    with connect(Endpoint(url=url)) as engine:
        return engine.observe()


def lay(url: str) -> Ground:
    """Make the overlays and the services, wait until they run, and register the cluster with two people."""
    ids = {name: _post(url, "/networks/create", {"Name": name, "Driver": "overlay"})["Id"] for name in (OLD, NEW)}
    _until(lambda: all(network.allocated for network in observe(url).networks if network.id in ids.values()))
    portal = start_first("portal")
    portal["TaskTemplate"]["Networks"] = [{"Target": ids[OLD], "Aliases": ["door"]}]
    agent = everywhere("agent")
    agent["UpdateConfig"] = {"Parallelism": 0, "Monitor": 1}
    agent["TaskTemplate"]["Networks"] = [{"Target": ids[OLD]}]
    for spec in (portal, agent, replicated("quiet", replicas=1, networks=[ids[OLD]])):
        _post(url, "/services/create", spec)
    _until(lambda: _strong(observe(url)))
    now = timezone.now()
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    return Ground(
        url=url,
        cluster=Cluster.objects.create(name="ground", endpoint=url, created_at=now),
        author=User.objects.create_user("ana"),
        reviewer=User.objects.create_user("ben"),
        before=observe(url),
    )


def _strong(swarm: Swarm) -> bool:
    wanted = {"portal": 2, "agent": len(swarm.nodes), "quiet": 1}
    return {s.name: len(swarm.running_on(s.id)) for s in swarm.services if s.name in wanted} == wanted


def _post(url: str, target: str, body: dict[str, Any]) -> Any:
    answer = ask(url, "POST", target, body)
    assert answer.status == 201, answer.content
    return answer.content


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STRENGTH_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)
