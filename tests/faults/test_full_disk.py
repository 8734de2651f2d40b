"""No room for the database: the worker stops with a clear word, nothing is half-written, and it goes on with room."""

import pytest

from tests.faults import catalogue
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import Deed

pytestmark = [pytest.mark.slow, pytest.mark.requires("root"), pytest.mark.timeout(180)]

POINTS = ["done forward check", "after POST /services/*/update", "before DELETE /networks/*", "done forward create"]


@pytest.mark.parametrize("label", POINTS)
def test_a_full_disk_stops_the_job_and_room_lets_it_go_on(nursery: RemoteNursery, label: str) -> None:
    way = catalogue.way(nursery, stage="stop", ending="forward")
    scenario = way.scenario(Deed(kind="full", after=way.points.index(label)))
    report = nursery.run(scenario.to_json())
    assert (report.problems, report.status) == ([], "succeeded")
    assert "a worker said whose disk is full, and what to do" in report.done
