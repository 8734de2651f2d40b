"""A mesh that is wedged in each way that engines were seen to wedge: what the repair asks for heals it."""

import pytest

from tests.faults import stages
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import Scenario

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STAGES = [name for name in stages.STAGES if name.startswith("repair")]


@pytest.mark.parametrize("stage", STAGES)
def test_it_ends_with_one_ingress_on_every_node_and_all_services_whole(nursery: RemoteNursery, stage: str) -> None:
    report = nursery.run(Scenario(stage=stage).to_json())
    assert (report.problems, report.status) == ([], "succeeded")
