"""The rebuild on a real Swarm that others use, too: strangers, other jobs, an engine that does not answer."""

import time

import pytest
from django.utils import timezone

from overlayweb.domain import specs
from overlayweb.domain.lifecycle import ChangeStatus, JobStatus
from overlayweb.models import JobService
from overlayweb.services import jobs
from tests.lab.daemon import wait_until
from tests.lab.services import ingress_port
from tests.workflows.rig import FEW, Rig, edit, settled, started, wait_event

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(400)]

OLD = "10.0.0.0/24"


@pytest.mark.parametrize("services", [(*FEW, "portal")])
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


def test_a_service_published_again_before_the_removal_ends_the_job_at_once_and_nothing_is_lost(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job) as worker:
        wait_event(job, started("drain"))
        edit(rig.lab.manager, rig.ids["web"], ports=[ingress_port(8101)])
        worker.wait(60)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert job.outcome.startswith("Somebody published web through the ingress meanwhile. Plan again.")
    rig.assert_whole(before=before, subnet=OLD)


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
