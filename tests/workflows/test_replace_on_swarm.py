"""An overlay replaced on a real three-node Swarm, while containers on it call services by name all the while; and back.

The lab's kernel has no IPVS, so the services are found by DNS round robin and not by a virtual address.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import network_settings, replace_plans
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.replace_plans import ReplaceRequest
from overlayweb.domain.swarm import IpamConfig, Swarm
from overlayweb.models import Cluster, Event, Installation, Job
from overlayweb.services import approvals, changes, jobs
from tests.lab import image
from tests.lab import services as lab_services
from tests.lab.daemon import Node, wait_until
from tests.lab.services import SECOND, replicated
from tests.lab.swarm import Lab
from tests.workflows.rig import Rig, assert_story, wait_event

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(400)]

OLD, NEW = "shop", "shop-wide"
ASK = r"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 3 {} 80 | busybox grep -q lab"
"""One call of a service by its name. The static wget of the machine cannot look names up."""
CALLS = f"while :; do {ASK} && echo answered || echo failed; sleep 0.1; done"


@pytest.fixture
def rig(lab: Lab, transactional_db: None) -> Iterator[Rig]:
    """A start-first service with a health check and a stop-first one without on the overlay."""
    lab.reset()
    network = lab_services.create_overlay(lab.manager, OLD, attachable=True)
    yield from _lay(
        lab, [_called("web", network, order="start-first", replicas=2), _called("plain", network, replicas=1)]
    )


@pytest.fixture
def quick(lab: Lab, transactional_db: None) -> Iterator[Rig]:
    """The same with what is over soon: one container each, and nothing watched after an update."""
    lab.reset()
    network = lab_services.create_overlay(lab.manager, OLD, attachable=True)
    specs = [_called(name, network, replicas=1) for name in ("web", "plain")]
    for spec, order in zip(specs, ("start-first", "stop-first"), strict=True):
        spec["UpdateConfig"] |= {"Order": order, "Monitor": 1}
    yield from _lay(lab, specs)


def _lay(lab: Lab, specs: list[dict[str, Any]]) -> Iterator[Rig]:
    """The services, two people, and the cluster registered."""
    ids = {spec["Name"]: lab_services.create(lab.manager, spec) for spec in specs}
    lab.wait_running(ids, timeout=90)
    now = timezone.now()
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    cluster = Cluster.objects.create(name="lab", endpoint=lab.manager.socket, created_at=now)
    author, reviewer = User.objects.create_user("ana"), User.objects.create_user("ben")
    rig = Rig(lab=lab, cluster=cluster, author=author, reviewer=reviewer, ids=ids)
    yield rig
    for worker in rig.workers:
        worker.end()


def test_services_answer_by_name_all_the_while(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    node = rig.lab.manager
    before = rig.swarm()
    old = next(network.id for network in before.networks if network.name == OLD)
    for name in rig.ids:
        script = CALLS.format(name)
        node.cli("run", "--detach", "--name", f"calls-{name}", "--network", OLD, image.IMAGE, "sh", "-c", script)
        wait_until(lambda name=name: "answered" in _calls(node, name), what=f"an answer of {name}", timeout=20)  # type: ignore[misc]

    job = _approved(rig)
    with rig.worker(job) as worker:
        wait_event(job, _names_containers, seconds=120)
        for name in rig.ids:
            node.cli("network", "connect", NEW, f"calls-{name}")
            node.cli("network", "disconnect", OLD, f"calls-{name}")
        worker.wait(200)
    job.refresh_from_db()
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, []), job.outcome
    assert_story(job)

    calls = {name: _calls(node, name) for name in rig.ids}
    told = ", ".join(f"{name}: {said.count('failed')} of {len(said)} calls failed" for name, said in calls.items())
    with capsys.disabled():
        print(f"\nreplaced in {_seconds(job):.0f} s; {told}")  # noqa: T201  # the figure that this test is for
    # None on a quiet machine. Gossip between busy engines may take longer than the two seconds that an engine waits
    # between taking a container's name away and stopping it; stop-first fails three to four of a hundred.
    assert calls["web"].count("failed") <= len(calls["web"]) // 100
    assert len(calls["web"]) > 50
    _assert_moved(rig, old)


def test_rolled_back_after_the_first_phase_and_in_the_second(quick: Rig) -> None:
    """A container outside services holds the first job between its phases; the second is in the midst of phase two."""
    before, node = quick.swarm(), quick.lab.manager
    box = node.cli("run", "--detach", "--network", OLD, image.IMAGE, "sleep", "600").strip()
    _assert_as_before(quick, before, made=_rolled_back(quick, at=_names_containers))
    node.cli("rm", "--force", box)
    _assert_as_before(quick, before, made=_rolled_back(quick, at=_leaves))


def _rolled_back(rig: Rig, *, at: Callable[[Event], bool]) -> str:
    """Have the overlay replaced and the job cancelled at this event; the id of the network that it had made."""
    job = _approved(rig)
    with rig.worker(job) as worker:
        wait_event(job, at, seconds=60)
        jobs.cancel(job=job, person=rig.author, now=timezone.now())
        worker.wait()
    job.refresh_from_db()
    assert (job.status, job.attention) == (JobStatus.CANCELLED, []), job.outcome
    assert_story(job)
    made: str = job.steps.get(name="create-1").intent["made"]
    return made


def _leaves(event: Event) -> bool:
    """A service has been written in phase two."""
    step = event.job.steps.filter(ordinal=event.step or 0).first()
    return event.message.endswith("is being updated") and step is not None and step.name == "leave-1"


def _assert_as_before(rig: Rig, before: Swarm, *, made: str) -> None:
    now = rig.swarm()
    assert {network.id for network in now.networks} == {network.id for network in before.networks}
    assert {service.name: service.spec for service in now.services} == {s.name: s.spec for s in before.services}
    for service in now.services:
        assert service.previous_spec is not None
        assert made not in service.previous_spec.text
        on = [{*swarm_task.network_ids} for swarm_task in now.running_on(service.id)]
        assert on == [{*service.network_ids}] * service.replicas


def _assert_moved(rig: Rig, old: str) -> None:
    now = rig.swarm()
    there = {network.name: network for network in now.networks}
    assert OLD not in there
    assert (there[NEW].mtu, there[NEW].ipam[0].subnet) == ("1400", "10.32.0.0/22")
    for service in now.services:
        assert service.network_ids == (there[NEW].id,)
        assert service.spec.document()["TaskTemplate"]["Networks"][0]["Aliases"] == [f"the-{service.name}"]
        assert service.previous_spec is not None
        assert old not in service.previous_spec.text
        assert all(old not in swarm_task.network_ids for swarm_task in now.running_on(service.id))


def _called(name: str, network: str, *, replicas: int, order: str = "stop-first") -> dict[str, Any]:
    spec = replicated(name, replicas=replicas)
    spec["TaskTemplate"]["Networks"] = [{"Target": network, "Aliases": [f"the-{name}"]}]
    spec["EndpointSpec"] = {"Mode": "dnsrr"}
    spec["UpdateConfig"] = {"Parallelism": 1, "Order": order, "Monitor": SECOND, "FailureAction": "pause"}
    if order == "start-first":
        test = ["CMD-SHELL", ASK.format("127.0.0.1")]
        spec["TaskTemplate"]["ContainerSpec"]["Healthcheck"] = {
            "Test": test,
            "Interval": SECOND,
            "Timeout": 4 * SECOND,
            "Retries": 5,
        }
    return spec


def _approved(rig: Rig) -> Job:
    old = next(network for network in rig.swarm().networks if network.name == OLD)
    settings = replace(
        network_settings.of_network(old), name=NEW, mtu=1400, subnets=(IpamConfig(subnet="10.32.0.0/22"),)
    )
    change = changes.submit(
        cluster=rig.cluster,
        kind=replace_plans.KIND,
        request=ReplaceRequest(network_id=old.id, settings=settings),
        author=rig.author,
        reason="test",
        now=timezone.now(),
    )
    sha256 = change.plan_record.sha256
    return approvals.approve(change=change, person=rig.reviewer, plan_sha256=sha256, reason="", now=timezone.now())


def _names_containers(event: Event) -> bool:
    return event.kind == "container"


def _calls(node: Node, name: str) -> list[str]:
    return node.cli("logs", f"calls-{name}").split()


def _seconds(job: Job) -> float:
    assert job.started_at is not None
    assert job.finished_at is not None
    return (job.finished_at - job.started_at).total_seconds()
