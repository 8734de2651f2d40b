"""A wedged mesh walked back to health on a real Swarm; the test is the person who restarts engines."""

import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import mesh, repair_plans
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import IngressRequest
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Cluster, Event, Installation, Job
from overlayweb.services import approvals, changes
from tests.lab import health, naive
from tests.lab import services as lab_services
from tests.lab.daemon import wait_until
from tests.lab.services import SECOND, everywhere, ingress_port, replicated, slow_stopping
from tests.lab.swarm import Lab
from tests.workflows.rig import Rig, Worker, assert_story

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(300)]

ASKED = "restart"


@pytest.fixture
def rig(lab: Lab, transactional_db: None) -> Iterator[Rig]:
    """The lab with three published services, one of which stops slowly, and one that is not published."""
    lab.reset()
    slow = slow_stopping("slow", ingress_port(8104), replicas=2)
    slow["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] = 2 * SECOND
    web = replicated("web", ingress_port(8101), replicas=2)
    wanted = [web, everywhere("agent", ingress_port(8102)), slow, replicated("inner", replicas=1)]
    ids = {spec["Name"]: lab_services.create(lab.manager, spec) for spec in wanted}
    lab.wait_running(ids, timeout=60)
    now = timezone.now()
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    rig = Rig(
        lab=lab,
        cluster=Cluster.objects.create(name="lab", endpoint=lab.manager.socket, created_at=now),
        author=User.objects.create_user("ana"),
        reviewer=User.objects.create_user("ben"),
        ids=ids,
    )
    yield rig
    for worker in rig.workers:
        worker.end()


def wedge(rig: Rig) -> None:
    """Rebuild the ingress as a careless script does, and wait until the manager shows what it left."""
    naive.rebuild(rig.lab.manager, subnet="10.11.0.0/24", gateway="10.11.0.1")
    wait_until(lambda: len(health.stale_ingress(rig.lab.nodes)) == 3, what="every node to hold it", timeout=20)
    wait_until(lambda: len(mesh.recognise(rig.swarm()).stale_nodes) == 3, what="the wedge to show", timeout=20)


def repair(rig: Rig) -> Job:
    """A repair job, asked for by the author and approved by the reviewer; nobody runs it yet."""
    settings = repair_plans.wanted(swarm=rig.swarm())
    change = changes.submit(
        cluster=rig.cluster,
        request=IngressRequest(settings=settings),
        author=rig.author,
        reason="wedged",
        now=timezone.now(),
        kind=repair_plans.KIND,
    )
    return approvals.approve(
        change=change, person=rig.reviewer, plan_sha256=change.plan_record.sha256, reason="", now=timezone.now()
    )


def obey(rig: Rig, job: Job, worker: Worker, *, seconds: float = 150.0) -> list[str]:
    """Restart the engine of each node that the job names, as a person would, until it rests; returns their names."""
    done: list[str] = []
    deadline = time.monotonic() + seconds
    while worker.process.poll() is None and time.monotonic() < deadline:
        for event in asked(job)[len(done) :]:
            node = next(node for node in rig.lab.nodes if node.name == event.data["hostname"])
            node.restart()
            done.append(node.name)
        time.sleep(0.2)
    worker.wait(5)
    job.refresh_from_db()
    return done


def asked(job: Job) -> list[Event]:
    return list(job.events.filter(kind=ASKED).order_by("seq"))


def assert_healthy(rig: Rig, *, before: Swarm, subnet: str) -> None:
    """One ingress on every node, every spec as before to the byte, every service at full strength."""
    rig.lab.wait_running(timeout=5)
    now = rig.swarm()
    (ingress,) = now.ingress_networks
    assert ingress.ipam[0].subnet == subnet
    for node in rig.lab.nodes:
        assert [n["Id"] for n in node.request("GET", "/networks") if n.get("Ingress")] == [ingress.id]
    assert specs(now) == specs(before)
    for service in now.services:
        running = now.running_on(service.id)
        assert len(running) == len(before.running_on(service.id))
        assert all(ingress.id in t.network_ids for t in running) or not service.ingress_ports
    assert mesh.recognise(now).findings == ()
    assert not [node.hostname for node in now.nodes if any("overlayweb" in key for key, _ in node.labels)]


def specs(swarm: Swarm) -> dict[str, Spec]:
    return {service.name: service.spec for service in swarm.services}


def test_a_wedge_is_repaired_with_one_restart_of_each_engine(rig: Rig) -> None:
    before = rig.swarm()
    assert mesh.recognise(before).findings == ()
    wedge(rig)
    job = repair(rig)
    plan = job.plan()
    assert [restart.hostname for restart in plan.restarts] == ["node2", "node3", "node1"]
    with rig.worker(job) as worker:
        restarted = obey(rig, job, worker)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, []), job.outcome
    assert restarted == ["node2", "node3", "node1"]
    assert_story(job)
    assert_healthy(rig, before=before, subnet=plan.after.subnet)
