"""A start-first replicated and a global service attached and detached on a real Swarm."""

import pytest

from overlayweb.domain.lifecycle import JobStatus
from tests.lab.swarm import Lab
from tests.workflows import connecting
from tests.workflows.connecting import NEW, OLD
from tests.workflows.rig import assert_story

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(300)]


def test_attached_and_detached_again(lab: Lab, transactional_db: None) -> None:
    lab.reset()
    ground = connecting.lay(lab.manager.socket)
    job = ground.approved(ground.link("portal", NEW, "front"), ground.link("agent", NEW))
    ground.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert_story(job)
    assert ground.on("portal") == [{OLD, NEW}] * 2
    assert ground.on("agent") == [{OLD, NEW}] * len(lab.nodes)
    attached = ground.service("portal").spec.document()["TaskTemplate"]["Networks"]
    assert {"Target": ground.network(NEW), "Aliases": ["front"]} in attached

    job = ground.approved(ground.link("portal", NEW, attach=False), ground.link("agent", NEW, attach=False))
    ground.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert ground.on("portal") == [{OLD}] * 2
    assert ground.on("agent") == [{OLD}] * len(lab.nodes)
    for name in ("portal", "agent"):
        was = next(service for service in ground.before.services if service.name == name)
        assert ground.service(name).spec == was.spec
