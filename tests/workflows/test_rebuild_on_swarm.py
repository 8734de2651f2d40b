"""The rebuild on a real three-node Swarm: straight through, and with people and strangers in the way."""

import time
from typing import Any

import pytest
from django.utils import timezone

from overlayweb.domain import specs
from overlayweb.domain.lifecycle import ChangeStatus, JobStatus
from overlayweb.domain.plans import Strategy
from overlayweb.models import JobService
from overlayweb.services import jobs
from tests.lab.daemon import Node, wait_until
from tests.workflows.rig import Rig, assert_story, settled, started, wait_event

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(400)]

OLD = "10.0.0.0/24"


def edit(node: Node, service_id: str, **changed: Any) -> None:
    """Change a service as a stranger would, at once: ``env``, ``replicas``, ``constraints`` or ``failure_action``."""
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
    node.request("POST", f"/services/{service_id}/update", spec, version=raw["Version"]["Index"])


def test_five_rebuilds_in_a_row_leave_nothing_behind(rig: Rig) -> None:
    before = rig.swarm()
    strategies = [Strategy.AUTOMATIC, Strategy.UNPUBLISH, Strategy.STOP, Strategy.AUTOMATIC, Strategy.STOP]
    for number, strategy in enumerate(strategies):
        subnet = f"10.{20 + number}.0.0/20"
        job = rig.run(rig.approved(subnet, strategy=strategy))
        assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
        assert_story(job)
        rig.assert_whole(before=before, subnet=subnet)


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


def test_a_node_that_goes_away_in_the_window_is_named(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    away = rig.lab.nodes[2]
    with rig.worker(job) as worker:
        wait_event(job, started("create"))
        away.pause()
        worker.wait(250)
    job.refresh_from_db()
    assert job.status == JobStatus.NEEDS_OPERATOR
    assert any(away.name in sentence and "systemctl restart docker" in sentence for sentence in job.attention)
    away.resume()
    away.restart()
    wait_until(lambda: all(node.ready for node in rig.swarm().nodes), what="all nodes to be ready", timeout=60)
    jobs.resume(job=job, person=rig.author, now=timezone.now())
    rig.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    rig.assert_whole(before=before, subnet="10.20.0.0/20")


def test_strangers_edits_in_the_window_are_kept(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job) as worker:
        wait_event(job, started("drain"))
        edit(rig.lab.manager, rig.ids["web"], env=["EDITED=yes"])
        edit(rig.lab.manager, rig.ids["portal"], replicas=3, failure_action="pause")
        rig.lab.manager.request("DELETE", f"/services/{rig.ids['mixed']}")
        worker.wait()
    job.refresh_from_db()
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    after = {service.name: service.spec for service in rig.swarm().services}
    assert specs.differences(settled(before, "web"), after["web"]) == ("TaskTemplate.ContainerSpec.Env",)
    assert set(specs.differences(settled(before, "portal"), after["portal"])) == {
        "Mode.Replicated.Replicas",
        "UpdateConfig.FailureAction",
    }
    assert after["slow"] == settled(before, "slow")
    assert job.services.get(name="mixed").state == JobService.State.GONE
    said = [event.message for event in job.events.filter(level="warning")]
    assert any("web was changed by somebody else" in message for message in said)
    rig.lab.wait_running(["web", "portal", "slow"])


def test_a_plan_that_no_longer_fits_changes_nothing(rig: Rig) -> None:
    job = rig.approved("10.20.0.0/20")
    edit(rig.lab.manager, rig.ids["web"], env=["EDITED=yes"])
    rig.lab.wait_running()
    versions = {service.name: service.version for service in rig.swarm().services}
    rig.run(job)
    assert job.status == JobStatus.FAILED
    assert "Service web" in job.outcome
    job.change.refresh_from_db()
    assert job.change.status == ChangeStatus.STALE
    assert {service.name: service.version for service in rig.swarm().services} == versions


def test_an_engine_that_stops_answering_for_half_a_minute(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job) as worker:
        wait_event(job, started("drain"))
        rig.lab.manager.pause()
        time.sleep(30)
        rig.lab.manager.resume()
        worker.wait(180)
    job.refresh_from_db()
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert job.events.filter(message__contains="Trying again").exists()
    rig.assert_whole(before=before, subnet="10.20.0.0/20")


def test_one_job_at_a_time_and_the_next_waits_its_turn(rig: Rig) -> None:
    before = rig.swarm()
    first, second = rig.approved("10.20.0.0/20"), rig.approved("10.21.0.0/20")
    with rig.worker(first) as worker:
        wait_event(first, started("release"))
        with rig.worker(second) as waiting:
            wait_event(first, started("publish"))
            second.refresh_from_db()
            assert second.status == JobStatus.PENDING
            worker.wait()
            waiting.wait()
    second.refresh_from_db()
    # The first job changed what the second plan had read.
    assert second.status == JobStatus.FAILED
    assert "Plan again" in second.outcome
    rig.assert_whole(before=before, subnet="10.20.0.0/20")


def test_what_cannot_be_mended_waits_for_a_person_and_goes_on(rig: Rig) -> None:
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job) as worker:
        wait_event(job, started("drain"))
        # A stranger sends web where no node is; the edit is kept, so web cannot come back to full strength.
        edit(rig.lab.manager, rig.ids["web"], constraints=["node.hostname==nowhere"])
        worker.wait(300)
    job.refresh_from_db()
    assert job.status == JobStatus.NEEDS_OPERATOR
    assert any("web runs 0 of 2" in sentence for sentence in job.attention)
    edit(rig.lab.manager, rig.ids["web"], constraints=[])
    rig.lab.wait_running()
    jobs.resume(job=job, person=rig.author, now=timezone.now())
    rig.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])


def test_a_first_ingress_is_made_and_cancelled_away(rig: Rig) -> None:
    """A Swarm without an ingress gets one; cancelled after its creation there is none again."""
    node = rig.lab.manager
    for service_id in rig.ids.values():
        node.request("DELETE", f"/services/{service_id}")
    ingress = rig.swarm().ingress_networks[0]
    wait_until(lambda: not rig.swarm().swarm_tasks, what="no task to be left", timeout=30)
    node.request("DELETE", f"/networks/{ingress.id}")
    # For a moment the manager's own node still holds what the Swarm has removed; if it stayed, that were a wedge.
    wait_until(lambda: not any(n.ingress for n in rig.swarm().networks), what="no ingress to be left", timeout=30)
    cancelled = rig.approved("10.20.0.0/20")
    with rig.worker(cancelled, die="done:create") as worker:
        worker.wait()
    jobs.cancel(job=cancelled, person=rig.author, now=timezone.now())
    rig.run(cancelled)
    assert cancelled.status == JobStatus.CANCELLED
    assert "there is none, as before" in cancelled.outcome
    assert rig.swarm().ingress_networks == ()
    made = rig.run(rig.approved("10.21.0.0/20"))
    assert (made.status, made.attention) == (JobStatus.SUCCEEDED, [])
    assert [network.ipam[0].subnet for network in rig.swarm().ingress_networks] == ["10.21.0.0/20"]
