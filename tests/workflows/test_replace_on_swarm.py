"""An overlay replaced on a real three-node Swarm, while containers on it call services by name all the while.

The lab's kernel has no IPVS, so the services are found by DNS round robin and not by a virtual address.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import network_settings, replace_plans
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.replace_plans import ReplaceRequest
from overlayweb.domain.swarm import IpamConfig
from overlayweb.models import Cluster, Event, Installation, Job
from overlayweb.services import approvals, changes
from tests.lab import image
from tests.lab import services as lab_services
from tests.lab.daemon import Node, wait_until
from tests.lab.services import SECOND, replicated
from tests.lab.swarm import Lab
from tests.workflows.rig import Rig, assert_story, wait_event

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(400)]

OLD = "shop"
ASK = r"printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 3 {} 80 | busybox grep -q lab"
"""One call of a service by its name. The static wget of the machine cannot look names up."""
CALLS = f"while :; do {ASK} && echo answered || echo failed; sleep 0.1; done"


@pytest.fixture
def rig(lab: Lab, transactional_db: None) -> Iterator[Rig]:
    """An attachable overlay; a start-first service with a health check and a stop-first one without on it."""
    lab.reset()
    network = lab_services.create_overlay(lab.manager, OLD, attachable=True)
    specs = [_called("web", network, order="start-first", replicas=2), _called("plain", network, replicas=1)]
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
            node.cli("network", "connect", "shop-wide", f"calls-{name}")
            node.cli("network", "disconnect", OLD, f"calls-{name}")
        worker.wait(200)
    job.refresh_from_db()
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, []), job.outcome
    assert_story(job)

    calls = {name: _calls(node, name) for name in rig.ids}
    told = ", ".join(f"{name}: {said.count('failed')} of {len(said)} calls failed" for name, said in calls.items())
    with capsys.disabled():
        print(f"\nreplaced in {_seconds(job):.0f} s; {told}")  # noqa: T201  # the figure that this test is for
    assert calls["web"].count("failed") == 0
    assert len(calls["web"]) > 50
    _assert_moved(rig, old)


def _assert_moved(rig: Rig, old: str) -> None:
    now = rig.swarm()
    there = {network.name: network for network in now.networks}
    assert OLD not in there
    assert (there["shop-wide"].mtu, there["shop-wide"].ipam[0].subnet) == ("1400", "10.32.0.0/22")
    for service in now.services:
        assert service.network_ids == (there["shop-wide"].id,)
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
        network_settings.of_network(old), name="shop-wide", mtu=1400, subnets=(IpamConfig(subnet="10.32.0.0/22"),)
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
