"""How a step waits: as often as it may look, and for how long."""

import threading
import typing

from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import PlannedStep
from overlayweb.models import Job
from overlayweb.workflows import claims
from overlayweb.workflows.clock import Clock
from overlayweb.workflows.ledger import Ledger
from overlayweb.workflows.runner import Context
from tests.services.conftest import cast
from tests.services.test_jobs import job

if typing.TYPE_CHECKING:
    from overlayweb.workflows.ports import SwarmEngine

__all__ = ["cast", "job"]

NO_ENGINE = typing.cast("SwarmEngine", None)


def looks(job: Job, clock: Clock, *, answer_seconds: float, seconds: float) -> int:
    """How often something that does not come is looked for, by an engine that answers so slowly."""
    claim = claims.claim(job_id=job.pk, owner="one", now=clock.now())
    assert claim
    ledger = Ledger(claim, now=clock.now)
    ledger.lay_out(Pass.FORWARD, [PlannedStep(name="drain", title="Drain", expected_seconds=1.0)])
    step = ledger.current_step(ledger.job())
    assert step
    count = 0

    def look() -> str:
        nonlocal count
        count += 1
        clock.sleep(answer_seconds)
        return "Waiting"

    context = Context(
        job=job, engine=NO_ENGINE, ledger=ledger, clock=clock, lost=threading.Event(), ends_at=float("inf")
    )
    with context.in_step(step):
        assert context.wait("it", look, seconds=seconds) == "Waiting"
    return count


def test_a_busy_engine_is_left_alone_for_as_long_as_it_took_to_answer(job: Job) -> None:
    assert looks(job, Clock.fast(100.0), answer_seconds=10.0, seconds=15.0) == 2
