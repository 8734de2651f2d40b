"""Random schedules of up to three faults, each from a seed. 200 here, 2,000 in `make faults`."""

import pytest

from tests.faults.catalogue import complaint
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import of_seed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEEDS = 200
AT_ONCE = 20


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_random_schedules_lose_nothing(nursery: RemoteNursery, first: int) -> None:
    """A failing seed N is repeated by ``python -m bench.faults --seed N``."""
    broken = []
    for seed in range(first, first + AT_ONCE):
        report = nursery.run(of_seed(seed).to_json())
        if report.problems:
            broken.append(f"python -m bench.faults --seed {seed}: {complaint(report)}")
    assert broken == []
