"""Somebody else changes a service, or a node goes away, in the middle of a job: kept, said, and nothing lost."""

import pytest

from tests.faults import catalogue
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import Deed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def way(nursery: RemoteNursery) -> catalogue.Way:
    return catalogue.way(nursery, stage="stop", ending="forward")


def test_a_change_by_somebody_else_is_kept_whenever_it_comes(nursery: RemoteNursery, way: catalogue.Way) -> None:
    begun = way.points.index("begin forward release")
    later = [index for index in catalogue.spread(way.points, 400) if index > begun]
    edits = [way.scenario(Deed(kind="edit", what="slow", after=index)) for index in later[:: len(later) // 10]]
    assert catalogue.failures(nursery, edits, status="succeeded") == []


def test_a_change_after_the_last_write_is_kept_too(nursery: RemoteNursery, way: catalogue.Way) -> None:
    last = max(index for index, label in enumerate(way.points) if label == "after POST /nodes/*/update")
    edit = way.scenario(Deed(kind="edit", what="slow", after=last))
    assert catalogue.failures(nursery, [edit], status="succeeded") == []


def test_a_service_that_is_deployed_again_has_its_ports_whenever_that_comes(
    nursery: RemoteNursery, way: catalogue.Way
) -> None:
    """Through the old ingress or the new one; while there is none the engine refuses it."""
    begun = way.points.index("begin forward release")
    later = [index for index in catalogue.spread(way.points, 400) if index > begun]
    deploys = [way.scenario(Deed(kind="deploy", what="web", after=index)) for index in later[:: len(later) // 8]]
    assert catalogue.failures(nursery, deploys) == []


@pytest.mark.parametrize("step", ["drain", "remove"])
def test_one_deployed_before_the_removal_is_named_at_once_and_keeps_the_old_ingress(
    nursery: RemoteNursery, way: catalogue.Way, step: str
) -> None:
    """Nobody waits until containers leave that are there to stay."""
    deploy = way.scenario(Deed(kind="deploy", what="web", after=way.points.index(f"begin forward {step}")))
    report = nursery.run(deploy.to_json())
    assert (report.problems, report.status, report.visits) == ([], "failed", [])
    assert report.outcome.startswith("Somebody published web through the ingress meanwhile. Plan again.")


def test_a_change_to_a_service_that_was_never_written_is_nothing_to_put_right(nursery: RemoteNursery) -> None:
    """A replacement, cancelled while it makes the new network: no service was touched, by it."""
    straight = catalogue.way(nursery, stage="replace", ending="forward")
    made = straight.points.index("after POST /networks/create")
    deeds = Deed(kind="cancel", after=made), Deed(kind="edit", what="web", after=1)
    assert catalogue.failures(nursery, [straight.scenario(*deeds)], status="cancelled") == []


@pytest.mark.parametrize("step", ["release", "publish"])
def test_a_node_that_goes_away_is_named_with_what_to_do(nursery: RemoteNursery, way: catalogue.Way, step: str) -> None:
    crash = way.scenario(Deed(kind="crash", what="node3", after=way.points.index(f"begin forward {step}")))
    report = nursery.run(crash.to_json())
    assert report.problems == []
    assert any("node3" in said and "systemctl restart docker" in said for said in report.visits)


def test_what_was_begun_is_known_when_a_person_was_asked_in_between(nursery: RemoteNursery) -> None:
    """The node of the other is away until the job gives up; that container is gone then, and the first goes back."""
    moved = catalogue.way(nursery, stage="containers", ending="forward")
    told = [index for index, label in enumerate(moved.points) if label == "committed say"]
    report = nursery.run(moved.scenario(Deed(kind="crash", what="node2", after=told[1])).to_json())
    assert (report.problems, report.status) == ([], "failed")
    assert report.visits
