"""Where a job needs a person: it says what to do, waits, and goes on when told to."""

import pytest
from django.utils import timezone

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.services import jobs
from tests.lab.daemon import wait_until
from tests.workflows.rig import Rig, edit, started, wait_event

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(400)]

OLD = "10.0.0.0/24"


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
    rig.lab.wait_running()
    jobs.resume(job=job, person=rig.author, now=timezone.now())
    rig.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
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
