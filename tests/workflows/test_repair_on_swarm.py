"""A wedged mesh walked back to health on a real Swarm; the test is the person who restarts engines."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import mesh, repair_plans
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import IngressPlan, IngressRequest
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Cluster, Event, Installation, Job
from overlayweb.services import approvals, changes, jobs
from tests.lab import health, naive
from tests.lab import services as lab_services
from tests.lab.daemon import wait_until
from tests.lab.services import SECOND, everywhere, ingress_port, replicated, slow_stopping
from tests.lab.swarm import Lab
from tests.workflows.rig import Rig, Worker, assert_story, wait_event

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(400)]

ASKED = "restart"
PATIENCE_SECONDS = 270.0
"""An engine that hangs is asked to be restarted once services and then the nodes have been waited for."""


@pytest.fixture
def rig(lab: Lab, transactional_db: None) -> Iterator[Rig]:
    """The lab with three published services, one of which stops slowly, and one that is not published."""
    lab.reset()
    slow = slow_stopping("slow", ingress_port(8104), replicas=1)
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
    rig.lab.calm()
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


def obey(rig: Rig, job: Job, worker: Worker, *, seconds: float = PATIENCE_SECONDS) -> list[str]:
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


def mended(rig: Rig, job: Job) -> None:
    """Carry the job on to its end. The tests before have restarted engines; one may hang since, and the job says so."""
    with rig.worker(job) as worker:
        obey(rig, job, worker)


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
    """Cancelled while it waits, nothing is changed; killed while it waits, another worker goes on waiting."""
    before = rig.swarm()
    assert mesh.recognise(before).findings == ()
    wedge(rig)
    cancel_while_it_waits(rig)

    job = repair(rig)
    plan = IngressPlan.of(job.plan())
    assert [restart.hostname for restart in plan.restarts] == ["node2", "node3", "node1"]
    rig.lab.nodes[2].restart()  # somebody is ahead of the job: it does not ask for this one again
    with rig.worker(job) as worker:
        wait_event(job, lambda event: event.kind == ASKED)
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.wait(5)
    with rig.worker(job) as worker:
        restarted = obey(rig, job, worker)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, []), job.outcome
    assert restarted == ["node2", "node1"]
    assert_story(job)
    assert_healthy(rig, before=before, subnet=plan.after.subnet)


def cancel_while_it_waits(rig: Rig) -> None:
    wedged = specs(rig.swarm())
    job = repair(rig)
    with rig.worker(job) as worker:
        wait_event(job, lambda event: event.kind == ASKED)
        jobs.cancel(job=job, person=rig.author, now=timezone.now())
        worker.wait(20)
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    assert "Nothing had been changed" in job.outcome
    assert specs(rig.swarm()) == wedged


def test_a_missing_ingress_is_made_and_services_get_their_ports_back(rig: Rig) -> None:
    """What a careful script leaves that ends after the removal; no engine has to be restarted."""
    before = rig.swarm()
    without_ingress(rig)
    job = repair(rig)
    assert IngressPlan.of(job.plan()).restarts == ()
    mended(rig, job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, []), job.outcome
    assert_healthy(rig, before=before, subnet="10.0.0.0/24")


def test_an_ingress_that_is_not_allocated_is_made_anew(rig: Rig) -> None:
    """It overlaps an overlay; services published through it hang in NEW."""
    before = rig.swarm()
    node = rig.lab.manager
    without_ingress(rig)
    overlay = {"Name": "taken", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.20.0.0/24"}]}}
    node.request("POST", "/networks/create", overlay)
    ingress = {"Name": "ingress", "Driver": "overlay", "Ingress": True, "IPAM": overlay["IPAM"]}
    node.request("POST", "/networks/create", ingress)
    for service in rig.swarm().services:
        lab_services.update(node, service.id, specs(before)[service.name].document())
    wait_until(lambda: len(mesh.recognise(rig.swarm()).waiting) == 3, what="three services in NEW", timeout=20)
    found = [finding.code for finding in mesh.recognise(rig.swarm()).findings]
    assert found == ["ingress-unallocated", "service-new", "service-new", "service-new"]
    mended(rig, job := repair(rig))
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, []), job.outcome
    assert_healthy(rig, before=before, subnet="10.0.0.0/24")


def without_ingress(rig: Rig) -> None:
    """Unpublish all, wait until containers have left, remove the ingress: no wedge, but nothing is published."""
    node = rig.lab.manager
    ingress = rig.swarm().ingress_networks[0]
    for service in rig.swarm().published_services:
        document = {**service.spec.document(), "EndpointSpec": {"Mode": "vip"}}
        lab_services.update(node, service.id, {**document, "UpdateConfig": {"Parallelism": 0, "Order": "stop-first"}})
    wait_until(lambda: not rig.lab.containers_on(ingress.id), what="containers to leave", timeout=40, every=0.5)
    node.request("DELETE", f"/networks/{ingress.id}")
    wait_until(lambda: not any(n.ingress for n in rig.swarm().networks), what="no ingress to be left", timeout=30)
    rig.lab.wait_running()
