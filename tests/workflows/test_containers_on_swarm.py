"""Standalone containers that join an overlay of a real Swarm and leave it, each by the engine of its own node."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from django.utils import timezone

from overlayweb.domain import container_plans
from overlayweb.domain.container_plans import ContainerLink, ContainerRequest
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.models import Job
from overlayweb.services import endpoints
from tests.lab import image
from tests.lab import services as lab_services
from tests.lab.daemon import wait_until
from tests.workflows.rig import Rig, assert_story

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(300)]

FULL_ID = 64


@pytest.fixture
def boxes(rig: Rig) -> Iterator[list[ContainerLink]]:
    """A container on the manager and one on node2, whose engine is registered; both on no overlay yet."""
    worker = rig.lab.nodes[1]
    secrets = {"tls_ca": "", "tls_certificate": "", "tls_key": ""}
    endpoints.keep_node(
        cluster=rig.cluster, hostname=worker.name, endpoint=worker.socket, now=timezone.now(), **secrets
    )
    made = [(node, node.cli("run", "--detach", image.IMAGE, "sleep", "600").strip()) for node in rig.lab.nodes[:2]]
    ids = {node.hostname: node.id for node in rig.swarm().nodes}
    yield [ContainerLink(node_id=ids[node.name], container_id=box, attach=True) for node, box in made]
    for node, box in made:
        with contextlib.suppress(subprocess.CalledProcessError):  # a test may have removed it
            node.cli("rm", "--force", box)


@pytest.fixture
def pond(rig: Rig) -> Iterator[str]:
    """The id of an attachable overlay."""
    made = lab_services.create_overlay(rig.lab.manager, "pond", attachable=True)
    wait_until(
        lambda: "pond" in [row.name for row in rig.swarm().networks if row.allocated],
        what="pond to be allocated",
        timeout=20,
    )
    yield made
    wait_until(lambda: not rig.lab.containers_on(made), what="everybody to leave", timeout=20)
    rig.lab.manager.request("DELETE", f"/networks/{made}")


def test_standalone_containers_come_and_go_by_the_engines_of_their_nodes(
    rig: Rig, boxes: list[ContainerLink], pond: str
) -> None:
    wanted = {box.container_id for box in boxes}
    job = _agreed(rig, pond, boxes)
    with rig.worker(job, die="call:connect_container:1") as worker:
        assert worker.wait() == -signal.SIGKILL
    rig.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert_story(job)
    assert _on(rig, pond) == wanted
    assert {row.container_id for row in rig.swarm().attachments if row.may_be_on(pond)} == wanted

    back = tuple(replace(box, attach=False) for box in boxes)
    rig.run(job := _agreed(rig, pond, back))
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert _on(rig, pond) == set()


def test_where_one_container_cannot_join_the_others_go_back(rig: Rig, boxes: list[ContainerLink], pond: str) -> None:
    job = _agreed(rig, pond, boxes)
    with rig.worker(job, die="step:connect") as worker:
        worker.wait()
    rig.lab.nodes[1].cli("rm", "--force", boxes[1].container_id)
    rig.run(job)
    assert job.status == JobStatus.FAILED
    assert "does not run any more" in job.outcome
    assert "has joined pond" in " ".join(event.message for event in job.events.all()), "the first one was there already"
    assert _on(rig, pond) == set()


def _on(rig: Rig, network_id: str) -> set[str]:
    return {box for boxes in rig.lab.containers_on(network_id).values() for box in boxes if len(box) == FULL_ID}


def _agreed(rig: Rig, network_id: str, links: Sequence[ContainerLink]) -> Job:
    rig.swarm()
    return rig.agreed(container_plans.KIND, ContainerRequest(network_id=network_id, links=tuple(links)))
