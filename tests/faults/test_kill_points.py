"""A worker killed, or frozen past its lease, at the points of a job: around each step, each call, each commit.

Another ends the job as promised, and nothing of a frozen one reaches the engine or the ledger when it wakes. A spread
of the points here; every one of them in `make faults`.
"""

from functools import cache

import pytest

from tests.faults import catalogue
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import UNCOMMITTED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WAYS = [
    ("stop", "forward", 8),
    ("unpublish", "forward", 3),
    ("stop", "cancelled", 3),
    ("unpublish", "restored", 3),
    ("stop", "drifted", 2),
    ("stop", "unallocated", 2),
    ("unpublish", "unallocated", 2),
    ("repair", "forward", 3),
    ("repair", "cancelled", 2),
    ("repair_twice", "forward", 3),
    ("repair_twice", "cancelled", 2),
    ("connect", "forward", 2),
    ("connect", "cancelled", 2),
    ("containers", "forward", 2),
    ("containers", "cancelled", 2),
    ("create", "forward", 2),
    ("create", "cancelled", 2),
    ("create", "unallocated", 2),
    ("init", "forward", 3),
    ("init", "cancelled", 2),
    ("delete", "forward", 2),
    ("delete", "cancelled", 2),
    ("replace", "forward", 3),
    ("replace", "cancelled", 2),
    ("replace", "unallocated", 2),
    ("same_name", "forward", 3),
    ("same_name", "cancelled", 2),
]


recorded = cache(catalogue.way)


@pytest.mark.parametrize(("stage", "ending", "count"), WAYS)
def test_killed_anywhere_the_job_ends_as_promised(nursery: RemoteNursery, stage: str, ending: str, count: int) -> None:
    way = recorded(nursery, stage=stage, ending=ending)
    kills = catalogue.kills(way, catalogue.spread(way.points, count))
    assert catalogue.failures(nursery, kills, status=catalogue.ends_as(ending)) == []


@pytest.mark.parametrize(("number", "stage", "ending"), [(n, *way[:2]) for n, way in enumerate(WAYS)])
def test_frozen_on_any_way_it_writes_nothing_when_it_wakes(
    nursery: RemoteNursery, number: int, stage: str, ending: str
) -> None:
    """Once on each way: early on the first, late on the last."""
    way = recorded(nursery, stage=stage, ending=ending)
    points = [i for i in catalogue.spread(way.points, len(way.points)) if not way.points[i].startswith(UNCOMMITTED)]
    freezes = catalogue.freezes(way, [points[number * len(points) // len(WAYS)]])
    assert catalogue.failures(nursery, freezes, status=catalogue.ends_as(ending)) == []
