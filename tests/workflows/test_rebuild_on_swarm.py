"""The rebuild on a real three-node Swarm: straight through, turned round by people, and refused by the engine."""

import re

import pytest
from django.utils import timezone

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import Strategy
from overlayweb.models import Job
from overlayweb.services import jobs
from tests.workflows.rig import Rig, assert_story, started, wait_event

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(400)]

OLD = "10.0.0.0/24"


@pytest.mark.parametrize("services", [()])
def test_five_rebuilds_in_a_row_leave_nothing_behind(rig: Rig) -> None:
    before = rig.swarm()
    strategies = [Strategy.AUTOMATIC, Strategy.UNPUBLISH, Strategy.STOP, Strategy.AUTOMATIC, Strategy.STOP]
    for number, strategy in enumerate(strategies):
        subnet = f"10.{20 + number}.0.0/20"
        job = rig.run(rig.approved(subnet, strategy=strategy))
        assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
        assert_story(job)
        assert_nodes_are_followed(rig, job)
        rig.assert_whole(before=before, subnet=subnet)


def assert_nodes_are_followed(rig: Rig, job: Job) -> None:
    """While containers leave, the log says which nodes still hold some, and how many."""
    drain = job.steps.get(name="drain").ordinal
    told = job.events.filter(kind="progress", step=drain, message__startswith="Waiting for ")
    names = "|".join(re.escape(node.hostname) for node in rig.swarm().nodes)
    on_node = rf"({names}) \(\d+ containers?\)"
    assert told
    assert all(re.fullmatch(rf"Waiting for {on_node}(, {on_node})*", event.message) for event in told)


def test_cancelled_before_the_removal_puts_everything_back(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job) as worker:
        wait_event(job, started("drain"))
        jobs.cancel(job=job, person=rig.author, now=timezone.now())
        worker.wait()
    job.refresh_from_db()
    assert (job.status, job.point_passed) == (JobStatus.CANCELLED, False)
    assert "every service has its ports back" in job.outcome
    assert rig.swarm().ingress_networks[0].id == before.ingress_networks[0].id
    rig.assert_whole(before=before, subnet=OLD)
    assert_story(job)


def test_the_old_ingress_comes_back_when_asked_after_the_removal(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job) as worker:
        wait_event(job, started("publish"))
        jobs.restore(job=job, person=rig.author, now=timezone.now())
        worker.wait()
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    assert f"The old ingress {OLD} is back" in job.outcome
    rig.assert_whole(before=before, subnet=OLD)
    assert_story(job)


def test_an_ingress_that_swarm_cannot_allocate_falls_back_by_itself(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job) as worker:
        wait_event(job, started("drain"))
        # A stranger takes the addresses after the plan was checked. Swarm accepts the ingress all the same.
        config = {"Config": [{"Subnet": "10.20.0.0/24"}]}
        body = {"Name": "squatter", "Driver": "overlay", "IPAM": config, "Attachable": True}
        rig.lab.manager.request("POST", "/networks/create", body)
        worker.wait(150)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "overlaps squatter (10.20.0.0/24)" in job.outcome
    assert f"The old ingress {OLD} is back" in job.outcome
    rig.assert_whole(before=before, subnet=OLD)


def test_a_creation_that_the_engine_refuses_falls_back_by_itself(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20", name="mesh")
    with rig.worker(job) as worker:
        wait_event(job, started("drain"))
        rig.lab.manager.request("POST", "/networks/create", {"Name": "mesh", "Driver": "overlay"})
        worker.wait(150)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "another network named mesh" in job.outcome
    rig.assert_whole(before=before, subnet=OLD)
