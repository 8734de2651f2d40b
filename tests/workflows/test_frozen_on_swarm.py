"""A worker frozen past its lease, on a real Swarm: when it wakes, nothing of it reaches the engine or the ledger.

Freezes at every point: tests/faults.
"""

import os
import signal

import pytest

from overlayweb.domain.lifecycle import JobStatus
from tests.workflows.rig import Rig, assert_story

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(300)]


def test_a_worker_frozen_past_its_lease_writes_nothing_when_it_wakes(rig: Rig) -> None:
    before = rig.swarm()
    job = rig.approved("10.20.0.0/20")
    with rig.worker(job, die="freeze:update_service:2") as frozen:
        os.waitid(os.P_PID, frozen.process.pid, os.WSTOPPED)
        rig.run(job)
        assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
        rig.assert_whole(before=before, subnet="10.20.0.0/20")
        versions = {service.name: service.version for service in rig.swarm().services}
        told = job.last_seq
        os.kill(frozen.process.pid, signal.SIGCONT)
        assert frozen.wait(30) == 0
    job.refresh_from_db()
    assert job.last_seq == told
    assert {service.name: service.version for service in rig.swarm().services} == versions
    assert_story(job)
