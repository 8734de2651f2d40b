"""Every reachable state of a change and of a job, every event in it: handled, or refused by name; no dead end.

The walk does not read the tables: it leads the real services and the real runner, on the database, from each state
that it finds through every event there is.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from overlayweb.domain.lifecycle import CHANGE_TRANSITIONS, JOB_TRANSITIONS, ChangeEvent, ChangeStatus, JobStatus
from overlayweb.models import Job
from overlayweb.services import approvals, changes, jobs
from overlayweb.services.approvals import NotApprovableError
from overlayweb.services.jobs import NotPossibleError
from overlayweb.workflows import runner
from tests.faults.scripted import SLICE, NoEngine, Scripted, StepEnd, SteppedClock, Way
from tests.services.conftest import Cast, cast
from tests.services.test_jobs import job

pytestmark = pytest.mark.slow

__all__ = ["cast", "job"]

State = tuple[Any, ...]
REFUSED = "refused"
WALKED: list["Walk"] = []
"""The one walk, kept for all tests of this file: it only reads what it found."""


class Walk:
    """Explores depth first; each edge is one call of the product, undone by its savepoint.

    ``edges``: by state, by the event's name, the state that follows, or REFUSED.
    """

    def __init__(self, job: Job, person: User) -> None:
        self.pk = job.pk
        self.person = person
        self.clock = SteppedClock()
        self.workflow = Scripted(self.clock)
        self.edges: dict[State, dict[str, State | str]] = {}

    def explore(self) -> None:
        """Follow every event from the state that the database is in."""
        here = self.state()
        if here in self.edges:
            return
        self.edges[here] = {}
        for name, act in self.events().items():
            with transaction.atomic():
                self.edges[here][name] = self.follow(act)
                transaction.set_rollback(True)

    def follow(self, act: Callable[[], object]) -> State | str:
        """The state that the event leads to, or REFUSED with a reason that a person can read."""
        try:
            with transaction.atomic():
                act()
        except NotPossibleError as error:
            return REFUSED if str(error).endswith(".") else f"refused without a sentence: {error}"
        self.explore()
        return self.state()

    def events(self) -> dict[str, Callable[[], object]]:
        """Whatever people and the runner can do, in any state."""
        job, person, now = Job.objects.get(pk=self.pk), self.person, self.clock.now()
        people: dict[str, Callable[[], object]] = {
            "cancel": partial(jobs.cancel, job=job, person=person, now=now),
            "restore": partial(jobs.restore, job=job, person=person, now=now),
            "resume": partial(jobs.resume, job=job, person=person, now=now),
            "accept": partial(jobs.accept, job=job, person=person, now=now, reason="as it is"),
        }
        turns = [Way.PUT_BACK, Way.RESTORE, Way.REFUSED, Way.UNREACHABLE]
        turns += [] if job.point_passed else [Way.NOTHING_CHANGED]
        runs = {f"run:{end}": partial(self.advance, end, Way.PUT_BACK) for end in StepEnd}
        return people | runs | {f"turn:{way}": partial(self.advance, StepEnd.DONE, way) for way in turns}

    def advance(self, step_end: StepEnd, way: Way) -> runner.Result:
        """One slice of the real runner."""
        self.workflow.step_end, self.workflow.way = step_end, way
        return runner.advance(
            job_id=self.pk,
            workflow=self.workflow,
            connect=NoEngine,
            owner="walker",
            clock=self.clock,
            slice_seconds=SLICE,
        )

    def state(self) -> State:
        """What decides how things go on: the job's own fields, its open step, and how often that met a bug."""
        job = Job.objects.get(pk=self.pk)
        step = job.steps.filter(of_pass=job.current_pass, status__in=["pending", "running"]).first()
        at = (step.name, step.status, step.intent.get("bugs", 0)) if step and not job.ended else None
        return (job.status, job.desired_state, job.current_pass, job.point_passed, job.ending, at)


@pytest.fixture
def walk(cast: Cast, job: Job, caplog: pytest.LogCaptureFixture) -> Walk:
    if not WALKED:
        caplog.set_level("CRITICAL")  # the tracebacks of a thousand scripted bugs say nothing
        found = Walk(job, cast.author)
        found.explore()
        WALKED.append(found)
    return WALKED[0]


def status(state: State) -> JobStatus:
    return JobStatus(state[0])


def ended(state: State) -> bool:
    return status(state) in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.ERRORED, JobStatus.CANCELLED}


def leads(walk: Walk, *prefixes: str) -> Iterator[tuple[State, State]]:
    """(from, to) for the events whose name begins with one of the prefixes; all of them when none is given."""
    for state, moves in walk.edges.items():
        for name, after in moves.items():
            if isinstance(after, tuple) and name.startswith(prefixes or ""):
                yield state, after


def can_end(walk: Walk, *prefixes: str) -> set[State]:
    """The states from which those events lead to an end."""
    moves = list(leads(walk, *prefixes))
    good = {state for state in walk.edges if ended(state)}
    while True:
        more = {before for before, after in moves if after in good} - good
        if not more:
            return good
        good |= more


def test_every_state_of_a_job_comes_to_an_end(walk: Walk) -> None:
    reached = set(walk.edges)
    assert {status(state) for state in reached} == set(JobStatus)
    assert can_end(walk) == reached
    # A runner that meets no trouble needs nobody, unless the job waits for a person.
    waiting = {state for state in reached if status(state) is JobStatus.NEEDS_OPERATOR}
    assert can_end(walk, "run:done", "turn:put_back", "turn:restore") == reached - waiting
    # And whoever is waited for can end it alone, or have it go on.
    assert all(ended(after) for state in waiting if isinstance(after := walk.edges[state]["accept"], tuple))
    assert all(walk.edges[state]["accept"] != REFUSED for state in waiting)
    assert all(status(after) is JobStatus.RUNNING for state, after in leads(walk, "resume"))


def test_every_move_of_a_job_is_one_of_the_table(walk: Walk) -> None:
    single = {(before, after) for (before, _), after in JOB_TRANSITIONS.items()}
    # A slice claims first; what it does next follows from running.
    slices = {(JobStatus.PENDING, after) for before, after in single if before is JobStatus.RUNNING}
    for before, after in leads(walk):
        same = status(before) is status(after)
        assert same or (status(before), status(after)) in single | slices, (before, after)


def test_an_ended_job_is_left_alone(walk: Walk) -> None:
    for state, moves in walk.edges.items():
        if ended(state):
            assert {after for after in moves.values() if after != REFUSED} == {state}
            assert [moves[name] for name in ("cancel", "restore", "resume", "accept")] == [REFUSED] * 4


def test_beyond_the_point_of_no_return_nobody_cancels_and_nothing_is_forgotten(walk: Walk) -> None:
    for before, after in leads(walk):
        passed_before, passed_after = before[3], after[3]
        if passed_before and not passed_after:
            assert walk.edges[before]["run:nothing_removed"] == after
    for state, moves in walk.edges.items():
        if state[3]:
            assert moves["cancel"] == REFUSED
        else:
            assert moves["restore"] == REFUSED


@pytest.mark.parametrize(("status", "event"), list(product(ChangeStatus, ChangeEvent)))
def test_every_event_of_a_change_is_handled_or_refused(cast: Cast, status: ChangeStatus, event: ChangeEvent) -> None:
    change = cast.change
    change.status = status
    change.save(update_fields=["status"])
    moved = apply(cast, event)
    change.refresh_from_db()
    after = CHANGE_TRANSITIONS.get((status, event))
    assert moved is (after is not None)
    assert change.status == (after or status)


def apply(cast: Cast, event: ChangeEvent) -> bool:
    """Do it by the service that people reach; the worker's own event by what the worker calls. False: refused."""
    match event:
        case ChangeEvent.APPROVE:
            sha256 = cast.change.plan_record.sha256
            try:
                approvals.approve(change=cast.change, person=cast.reviewer, plan_sha256=sha256, reason="", now=cast.now)
            except NotApprovableError:
                return False
            return True
        case ChangeEvent.REJECT:
            return approvals.reject(change=cast.change, person=cast.reviewer, reason="no", now=cast.now)
        case ChangeEvent.WITHDRAW:
            return changes.withdraw(change=cast.change, now=cast.now)
    return changes.move(cast.change, ChangeEvent.DRIFT, reason="moved", now=cast.now)
