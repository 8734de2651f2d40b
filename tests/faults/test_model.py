"""The state machine of requests, plans, approvals and jobs: few and short ways here, 5,000 of 50 in `make faults`."""

import logging
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine import Overlayweb

LONG = os.environ.get("OVERLAYWEB_MODEL") == "long"
EXAMPLES, STEPS = (5000, 50) if LONG else (60, 50)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600 if LONG else 180)
@pytest.mark.django_db
def test_whatever_people_workers_and_clusters_do(caplog: pytest.LogCaptureFixture) -> None:
    """The long way: ``OVERLAYWEB_MODEL=long python -m pytest tests/faults/test_model.py``."""
    caplog.set_level(logging.CRITICAL)  # scripted bugs and a broker that is away would fill the memory
    checks = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=checks,
        print_blob=True,
    )
    run_state_machine_as_test(Overlayweb, settings=chosen)
