"""A worker frozen past its lease while another takes over: nothing of it reaches the engine or the ledger after that.

But the one call that was in flight. It is woken at the worst moment, as soon as the other has the job, or at the end.
On every way of every kind of job: test_kill_points.py.
"""

import pytest

from tests.faults import catalogue
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import Deed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def way(nursery: RemoteNursery) -> catalogue.Way:
    return catalogue.way(nursery, stage="stop", ending="forward")


@pytest.mark.parametrize("label", ["before POST /nodes/*/update", "after POST /nodes/*/update"])
def test_frozen_between_two_labels_it_labels_no_further_node(
    nursery: RemoteNursery, way: catalogue.Way, label: str
) -> None:
    scenario = way.scenario(Deed(kind="freeze", after=way.points.index(label)))
    assert catalogue.failures(nursery, [scenario], status="succeeded") == []


def test_a_second_message_starts_no_second_owner(nursery: RemoteNursery, way: catalogue.Way) -> None:
    doubles = [way.scenario(Deed(kind="double", after=index)) for index in catalogue.spread(way.points, 4)]
    assert catalogue.failures(nursery, doubles, status="succeeded") == []


@pytest.mark.parametrize("turn", ["kill", "freeze"])
def test_a_message_out_of_its_turn_changes_nothing(nursery: RemoteNursery, way: catalogue.Way, turn: str) -> None:
    """It comes when another worker has the job, and once more when the job is over."""
    lates = [
        way.scenario(Deed(kind="late", after=index), Deed(kind=turn, after=5))
        for index in catalogue.spread(way.points, 5)
        if index + 6 < len(way.points)
    ]
    assert catalogue.failures(nursery, lates, status="succeeded") == []


@pytest.mark.parametrize("ending", ["forward", "unallocated"])
def test_a_network_that_comes_when_its_job_is_over_is_drift_of_that_job(nursery: RemoteNursery, ending: str) -> None:
    """The name of the network between is free again by then, or that of the old one."""
    way = catalogue.way(nursery, stage="same_name", ending=ending)
    creations = [index for index, label in enumerate(way.points) if label == "before POST /networks/create"]
    assert creations
    frozen = [way.scenario(Deed(kind="freeze_long", after=index)) for index in creations]
    assert catalogue.failures(nursery, frozen, status=catalogue.ends_as(ending)) == []
