"""Calls of the engine that go wrong: slow, reset, silent, cut short, refused, carried out with the answer lost.

Each change in each way here, and a spread of the reads; every call in every way in `make faults`.
"""

import itertools

import pytest

from tests.faults import catalogue
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import READ_FAULTS, Deed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CHANGES = {
    "update a service": "before POST /services/*/update",
    "remove the ingress": "before DELETE /networks/*",
    "create the ingress": "before POST /networks/create",
    "label a node": "before POST /nodes/*/update",
}


@pytest.fixture(scope="module")
def way(nursery: RemoteNursery) -> catalogue.Way:
    return catalogue.way(nursery, stage="stop", ending="forward")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_goes_wrong_is_made_once(nursery: RemoteNursery, way: catalogue.Way, change: str) -> None:
    index = way.points.index(CHANGES[change])
    broken = catalogue.failures(nursery, catalogue.calls(way, [index]), status="succeeded")
    assert broken == []


def test_a_read_that_goes_wrong_is_asked_again(nursery: RemoteNursery, way: catalogue.Way) -> None:
    reads = [index for index in catalogue.distinct(way.points) if way.points[index].startswith("before GET")]
    thinned = reads[:: max(1, len(reads) // 16)]
    kinds = itertools.cycle(READ_FAULTS)
    scenarios = [way.scenario(Deed(kind="call", after=index, what=next(kinds))) for index in thinned]
    assert catalogue.failures(nursery, scenarios, status="succeeded") == []
