"""Services attached to and detached from overlays on a simulated Swarm: kills, strangers, an update that fails."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overlayweb.domain import reach
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.links import Publication
from overlayweb.domain.ports import PublishedPort
from tests.lab.services import SECOND
from tests.support.simulator import simulated
from tests.workflows import connecting
from tests.workflows.connecting import NEW, OLD, Ground
from tests.workflows.rig import assert_story

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def ground(tmp_path: Path, transactional_db: None) -> Iterator[Ground]:
    with simulated(tmp_path / "engine.sock", speed=10) as swarm:
        yield connecting.lay(swarm.socket)


def test_attached_with_an_alias_and_detached_in_one_job(ground: Ground) -> None:
    links = (
        ground.link("portal", NEW, "front", "gate"),
        ground.link("agent", NEW),
        ground.link("agent", OLD, attach=False),
    )
    job = ground.approved(*links)
    ground.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert_story(job)
    assert ground.on("portal") == [{OLD, NEW}] * 2
    assert ground.on("agent") == [{NEW}] * 3
    aliases = reach.aliases_of(ground.service("portal").spec)
    assert aliases == {ground.network(OLD): ("door",), ground.network(NEW): ("front", "gate")}
    began = [e.subject for e in job.events.all() if "is being updated" in e.message]
    assert began == ["agent", "portal"]


def test_of_ports_the_containers_are_counted_and_swarms_word_is_waited_for(ground: Ground) -> None:
    port = PublishedPort(target_port=80, published_port=8123)
    ground.edit("portal", lambda spec: spec["UpdateConfig"].update(Delay=20 * SECOND))
    job = ground.approved(publications=(Publication(service_id=ground.service("portal").id, publish=(port,)),))
    ground.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert job.outcome == "1 service has the ports that were asked for"
    assert_story(job)
    portal = ground.service("portal")
    assert (portal.ports, portal.update_state) == ((port,), "completed")
    told = [event.message for event in job.events.all()]
    assert "Updating portal (1 of 2)" in told
    assert told.index("Updating portal (1 of 2)") < told.index("portal: 2 of 2 containers are as asked for")


def test_a_killed_worker_is_taken_over_and_writes_nothing_twice(ground: Ground) -> None:
    job = ground.approved(ground.link("portal", NEW), ground.link("quiet", NEW))
    for point in ("done:record", "call:update_service:1", "done:connect"):
        assert ground.run(job, die=point) == -signal.SIGKILL, f"never came to {point}"
    ground.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert_story(job)
    for name in ("portal", "quiet"):
        was = next(s for s in ground.before.services if s.name == name)
        document = ground.service(name).spec.document()
        assert document["TaskTemplate"]["Networks"].pop() == {"Target": ground.network(NEW)}
        assert document == was.spec.document()


def test_what_somebody_else_changes_meanwhile_is_kept(ground: Ground) -> None:
    job = ground.approved(ground.link("portal", NEW))
    assert ground.run(job, die="call:update_service:1") == -signal.SIGKILL

    def relabel(spec: dict[str, Any]) -> None:
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = ["EDITED=1"]

    ground.edit("portal", relabel)
    ground.run(job)
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert ground.service("portal").spec.document()["TaskTemplate"]["ContainerSpec"]["Env"] == ["EDITED=1"]
    assert ground.on("portal") == [{OLD, NEW}] * 2
    assert "changed by somebody else" in " ".join(e.message for e in job.events.all())


def test_where_an_update_stops_every_service_gets_its_networks_back(ground: Ground) -> None:
    job = ground.approved(ground.link("agent", NEW), ground.link("quiet", NEW))
    assert ground.run(job, die="done:record") == -signal.SIGKILL

    def spoil(spec: dict[str, Any]) -> None:
        spec["TaskTemplate"]["ContainerSpec"]["Command"] = ["/bin/no-such-one"]

    ground.edit("quiet", spoil)
    ground.run(job)
    assert job.status in {JobStatus.FAILED, JobStatus.NEEDS_OPERATOR}
    assert ground.on("agent") == [{OLD}] * 3
    was = next(s for s in ground.before.services if s.name == "agent")
    assert ground.service("agent").spec == was.spec
    quiet = ground.service("quiet").spec.document()["TaskTemplate"]
    assert quiet["Networks"] == [{"Target": ground.network(OLD)}]
    assert quiet["ContainerSpec"]["Command"] == ["/bin/no-such-one"]
