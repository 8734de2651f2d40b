"""A mesh that is wedged in each way that engines were seen to wedge: what the repair asks for heals it."""

import pytest

from tests.faults import catalogue, stages
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import Deed, Scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STAGES = [name for name in stages.STAGES if name.startswith("repair")]


@pytest.mark.parametrize("stage", STAGES)
def test_it_ends_with_one_ingress_on_every_node_and_all_services_whole(nursery: RemoteNursery, stage: str) -> None:
    report = nursery.run(Scenario(stage=stage).to_json())
    assert (report.problems, report.status) == ([], "succeeded")


@pytest.mark.parametrize("stage", ["repair_late", "repair_twice"])
def test_every_node_is_nudged_before_services_are_published(nursery: RemoteNursery, stage: str) -> None:
    """Nodes are what a repair mends: none waits for the services."""
    points = catalogue.way(nursery, stage=stage, ending="forward").points
    create = points[points.index("begin forward create") : points.index("done forward create")]
    made = create.index("after POST /networks/create")
    assert create[made:].count("after POST /nodes/*/update") == 3


@pytest.mark.parametrize("point", ["begin forward release", "begin forward remove"])
def test_an_ingress_that_a_stranger_adds_meanwhile_is_not_removed(nursery: RemoteNursery, point: str) -> None:
    """Nothing is: every service is put back as it was, and the sentence names it."""
    way = catalogue.way(nursery, stage="repair_twice", ending="forward")
    added = way.scenario(Deed(kind="ingress", what="third", after=way.points.index(point)))
    report = nursery.run(added.to_json())
    assert (report.problems, report.status, report.visits) == ([], "failed", [])
    assert report.outcome.startswith("Somebody made the ingress third ")
    assert "Plan again." in report.outcome


def test_one_that_is_added_between_two_removals_is_removed_by_a_person_and_the_rest_by_the_job(
    nursery: RemoteNursery,
) -> None:
    """Some are removed and some are there: the only way back leads to one that is made anew."""
    way = catalogue.way(nursery, stage="repair_twice_split", ending="forward")
    between = way.points.index("after DELETE /networks/*")
    report = nursery.run(way.scenario(Deed(kind="ingress", what="third", after=between)).to_json())
    assert (report.problems, report.status) == ([], "failed")
    assert "Remove it by its id" in report.outcome
    assert ["ingress third" in said for said in report.visits] == [True]
