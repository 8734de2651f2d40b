"""How a step waits, by a clock that stands while nobody waits: how often it looks, what it says, when it gives up."""

import threading
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import PlannedStep
from overlayweb.domain.swarm import Network, Node, SwarmTask
from overlayweb.models import Job, JobService
from overlayweb.workflows import claims, ingress_rebuild
from overlayweb.workflows.ledger import Ledger
from overlayweb.workflows.runner import Context
from overlayweb.workflows.strength import Strength
from tests.domain.builders import make_ingress, make_node, make_service, make_swarm_tasks
from tests.services.conftest import cast
from tests.services.test_jobs import job

if typing.TYPE_CHECKING:
    from overlayweb.workflows.clock import Clock
    from overlayweb.workflows.ports import SwarmEngine

__all__ = ["cast", "job"]

WEB = make_service("web", replicas=2)


@dataclass
class StandingClock:
    """Seconds pass by sleeping only."""

    began: datetime
    passed: float = 0.0

    def now(self) -> datetime:
        return self.began + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


@dataclass
class Engine:
    """A manager that shows an ingress on three nodes, and two Swarm tasks of a service: one runs, one does this."""

    clock: StandingClock
    state: str
    runs_after: float = float("inf")

    def networks(self) -> tuple[Network, ...]:
        return (make_ingress(),)

    def is_registered(self, _: str) -> bool:
        return True

    def network(self, _: str) -> Network:
        return make_ingress(peers=tuple(node.address for node in self.nodes()))

    def nodes(self) -> tuple[Node, ...]:
        return tuple(make_node(f"node{number}") for number in (1, 2, 3))

    def swarm_tasks_to_run(self) -> tuple[SwarmTask, ...]:
        first, second = make_swarm_tasks(WEB)
        return first, replace(second, state="running" if self.clock.passed >= self.runs_after else self.state)


@contextmanager
def publishing(job: Job, clock: StandingClock, engine: Engine | None = None) -> Iterator[Context]:
    """A step that waits, by an engine if it needs one."""
    claim = claims.claim(job_id=job.pk, owner="one", now=clock.now())
    assert claim
    ledger = Ledger(claim, now=clock.now)
    ledger.lay_out(Pass.FORWARD, [PlannedStep(name="publish", title="Bring services back", expected_seconds=1.0)])
    step = ledger.current_step(ledger.job())
    assert step
    context = Context(
        job=job,
        engine=typing.cast("SwarmEngine", engine),
        ledger=ledger,
        clock=typing.cast("Clock", clock),
        lost=threading.Event(),
        ends_at=float("inf"),
    )
    with context.in_step(step):
        yield context


@pytest.fixture
def clock(job: Job) -> StandingClock:
    return StandingClock(job.created_at)


@pytest.fixture
def row(job: Job) -> JobService:
    """The service, published again, of which one container runs already."""
    spec = WEB.spec.text
    return JobService.objects.create(
        job=job,
        service_id=WEB.id,
        name=WEB.name,
        strategy="stop",
        original=spec,
        target=spec,
        written=spec,
        containers_before=2,
        state=JobService.State.STARTING,
    )


def test_a_busy_engine_is_left_alone_for_as_long_as_it_took_to_answer(job: Job, clock: StandingClock) -> None:
    looked_at = []

    def look() -> str:
        looked_at.append(clock.passed)
        clock.sleep(10.0)
        return "Waiting"

    with publishing(job, clock) as context:
        assert context.wait("it", look, seconds=15.0, every=0.25) == "Waiting"
    assert looked_at == [0.0, 20.0]


def test_a_container_that_starts_for_long_is_told_of_once_with_its_node(
    job: Job, clock: StandingClock, row: JobService
) -> None:
    with publishing(job, clock, Engine(clock, "starting", runs_after=40.0)) as context:
        assert context.wait("it", Strength(context, [row]), seconds=20.0)
        assert context.wait("the same in the next slice", Strength(context, [row]), seconds=60.0) == ""
    told = [event for event in job.events.all() if "has been starting" in event.message]
    assert [event.subject for event in told] == ["web"]
    assert told[0].message.startswith("web has been starting on node2 for 10 s")
    assert (told[0].at - clock.began).total_seconds() == pytest.approx(10.0, abs=0.5)


@pytest.mark.parametrize(("state", "more_seconds"), [("starting", 90.0), ("preparing", 90.0), ("pending", 0.0)])
def test_more_patience_is_for_what_is_on_its_way(
    job: Job, clock: StandingClock, row: JobService, state: str, more_seconds: float
) -> None:
    with publishing(job, clock, Engine(clock, state)) as context:
        look = Strength(context, [row])
        said = ingress_rebuild.waited_for_late(context, [row], look, look())
    assert said == "Not at full strength yet: Waiting for web (1 of 2)"
    assert clock.passed == pytest.approx(more_seconds, abs=2.0)


def test_what_comes_late_is_there_all_the_same(job: Job, clock: StandingClock, row: JobService) -> None:
    with publishing(job, clock, Engine(clock, "starting", runs_after=60.0)) as context:
        look = Strength(context, [row])
        assert ingress_rebuild.waited_for_late(context, [row], look, look()) == "1 of 1"
