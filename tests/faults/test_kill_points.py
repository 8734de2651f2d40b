"""A worker killed at the points of a job: around each step, each call, each commit. Another ends it as promised.

A spread of the points here; every one of them in `make faults`.
"""

import pytest

from tests.faults import catalogue
from tests.faults.nursery import RemoteNursery

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WAYS = [
    ("stop", "forward", 20),
    ("unpublish", "forward", 10),
    ("stop", "cancelled", 10),
    ("unpublish", "restored", 10),
    ("stop", "drifted", 8),
    ("repair", "forward", 10),
    ("repair", "cancelled", 3),
    ("create", "forward", 8),
    ("create", "cancelled", 4),
    ("delete", "forward", 6),
    ("replace", "forward", 5),
    ("replace", "cancelled", 3),
    ("same_name", "forward", 5),
]


@pytest.mark.parametrize(("stage", "ending", "count"), WAYS)
def test_killed_anywhere_the_job_ends_as_promised(nursery: RemoteNursery, stage: str, ending: str, count: int) -> None:
    way = catalogue.way(nursery, stage=stage, ending=ending)
    kills = catalogue.kills(way, catalogue.spread(way.points, count))
    assert catalogue.failures(nursery, kills, status=catalogue.ends_as(ending)) == []
