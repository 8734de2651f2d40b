"""Carries a job out, slice by slice: claim, next step, observe, act, record; and the ways back.

One call of :func:`advance` is one bounded slice. Between slices, and whenever a worker dies, the ledger knows where
things stand; every step of a workflow observes before it acts, so running it again is always safe.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from typing import Protocol

from django.db import InterfaceError, OperationalError

from overlayweb.domain.lifecycle import DesiredState, JobEvent, JobStatus, Pass
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.engine.errors import EngineError
from overlayweb.models import Cluster, Event, Job, Step
from overlayweb.workflows import claims
from overlayweb.workflows.claims import Claim, LostClaimError
from overlayweb.workflows.clock import WALL, Clock
from overlayweb.workflows.ledger import Ledger, RedirectedError
from overlayweb.workflows.ports import SwarmEngine

logger = logging.getLogger(__name__)

SLICE_SECONDS = 60.0
PATIENCE_SECONDS = 15 * 60.0
"""How long an engine that does not answer is asked again before a person is."""
MAX_TAKEOVERS = 5
MAX_BUGS = 3
_WAITING = "waiting since: "
_TROUBLE = ("troubled_since", "tries")
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 3.0)


class Result(StrEnum):
    """What became of a slice."""

    NOT_CLAIMED = "not_claimed"
    AGAIN = "again"
    """The slice is over, the job is not: send another message."""
    WAITS = "waits"
    """For something that may take hours: nobody works on the job until the sweep rings again."""
    RESTED = "rested"
    """Ended, or waiting for a person."""
    LOST = "lost"
    """Somebody else took over."""


class StepFailedError(Exception):
    """A foreseen failure, in words for a person. The job turns back."""


class OperatorNeededError(Exception):
    """Somebody has to do something by hand; the sentences say what."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


class NotYetError(Exception):
    """What the step waits for may take hours: give the job back, and look again when the sweep rings.

    It rings every few seconds, so nobody is needed to go on, and no worker is busy meanwhile.
    """


class _SliceOverError(Exception):
    """The slice's time is used up."""


class Workflow(Protocol):
    """One kind of change: its steps by direction, and the way back."""

    kind: str

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The steps of one direction, in order."""

    def run(self, name: str, context: "Context") -> str:
        """Run one step to its end and return what was done, in words. Must be safe to run again from anywhere.

        Raises StepFailedError (turn back), OperatorNeededError, or any EngineError.
        """

    def way_back(self, context: "Context") -> Pass | None:
        """Where to turn to, by observation. None: nothing was changed yet."""

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """How it ended, in one sentence, when all steps of the pass are done."""


class Context:
    """What a step gets: the plan, the engine, the ledger, and time that can be taken away."""

    def __init__(
        self,
        *,
        job: Job,
        engine: SwarmEngine,
        ledger: Ledger,
        clock: Clock,
        lost: threading.Event,
        ends_at: float,
    ) -> None:
        self.job = job
        self.plan = job.plan()
        self.current_pass = Pass(job.current_pass)
        self.engine = engine
        self.ledger = ledger
        self.now = clock.now
        self._clock = clock
        self._step: Step | None = None
        self._lost = lost
        self._ends_at = ends_at

    @property
    def step(self) -> Step:
        """The step that runs. Raises RuntimeError outside of one."""
        if self._step is None:
            raise RuntimeError("no step is running")
        return self._step

    @contextmanager
    def in_step(self, step: Step) -> Iterator[None]:
        """Make ``step`` the one that runs."""
        self._step = step
        try:
            yield
        finally:
            self._step = None

    def pulse(self) -> None:
        """Come up for air: stop when the claim is lost, people want another ending, or the slice is over."""
        if self._lost.is_set():
            raise LostClaimError(f"job {self.job.pk} has another owner")
        if self.ledger.desired_state() != DesiredState.RUN and self.current_pass is Pass.FORWARD:
            raise RedirectedError
        if self._clock.monotonic() > self._ends_at:
            raise _SliceOverError

    def sleep(self, seconds: float) -> None:
        """Wait, with a pulse at least twice a second."""
        until = self._clock.monotonic() + seconds
        self.pulse()
        while (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, 0.5))
            self.pulse()

    def wait(self, name: str, check: Callable[[], str], *, seconds: float, every: float = 0.25) -> str:
        """Wait until ``check`` returns "" and return that; or, after ``seconds``, what it was still waiting for.

        The clock of the wait is kept in the step under ``name``, so that a slice's end or a takeover does not
        start it anew. A busy engine is left alone for as long as it took to answer, where that is more than ``every``.
        """
        key = _WAITING + name
        began = self._clock.monotonic()
        while waiting_for := check():
            took = self._clock.monotonic() - began
            self.ledger.forget(self.step, _TROUBLE)  # the engine answers again: patience begins anew
            if key not in self.step.intent:
                self.ledger.intend(self.step, **{key: self.now().timestamp()})
            if self.now().timestamp() - float(self.step.intent[key]) > seconds:
                return waiting_for
            self.ledger.progress(self.step, waiting_for)
            self.sleep(max(every, took))
            began = self._clock.monotonic()
        return ""


def advance(
    *,
    job_id: int,
    workflow: Workflow,
    connect: Callable[[Cluster], SwarmEngine],
    owner: str,
    clock: Clock = WALL,
    slice_seconds: float = SLICE_SECONDS,
) -> Result:
    """Carry a job on for one slice of at most ``slice_seconds`` (and the engine call in flight)."""
    claim = claims.claim(job_id=job_id, owner=owner, now=clock.now())
    if claim is None:
        return Result.NOT_CLAIMED
    ledger = Ledger(claim, now=clock.now)
    try:
        with (
            claims.heartbeat(claim, clock=clock) as lost,
            closing(_Slice(claim, workflow, connect, ledger, clock, lost, slice_seconds)) as work,
        ):
            return work.run()
    except LostClaimError:
        logger.warning("job %s: claim of epoch %s lost, stopping", job_id, claim.epoch)
        return Result.LOST
    except _SliceOverError:
        claims.release(claim, now=clock.now())
        return Result.AGAIN
    except NotYetError:
        claims.release(claim, now=clock.now())
        return Result.WAITS


class _Slice:
    """One claimed slice of a job."""

    def __init__(
        self,
        claim: Claim,
        workflow: Workflow,
        connect: Callable[[Cluster], SwarmEngine],
        ledger: Ledger,
        clock: Clock,
        lost: threading.Event,
        seconds: float,
    ) -> None:
        self.claim = claim
        self.workflow = workflow
        self.connect = connect
        self.ledger = ledger
        self.clock = clock
        self.lost = lost
        self.ends_at = clock.monotonic() + seconds
        self.engine: SwarmEngine | None = None

    def run(self) -> Result:
        """1. Nothing runs unapproved. 2. Say what was taken over. 3. Turn back if wanted, else run the next step."""
        if not _approved(self.ledger.job()):
            self.ledger.end(JobEvent.FAIL, outcome="Nobody approved this plan, so nothing was done")
            return Result.RESTED
        self._open()
        while True:
            job = self.ledger.job()
            step = self.ledger.current_step(job)
            if job.current_pass == Pass.FORWARD and (job.ending or job.desired_state != DesiredState.RUN):
                done = self._turn(job, step)
            elif step is None:
                done = self._end(job)
            else:
                done = self._run_step(job, step)
            if done:
                return Result.RESTED

    def _open(self) -> None:
        job = self.ledger.job()
        self.ledger.lay_out(Pass.FORWARD, self.workflow.steps(Pass.FORWARD, job.plan()))
        if self.claim.took_over:
            step = self.ledger.current_step(job)
            self.ledger.say(
                "The worker that ran this job is gone; another one goes on from here",
                level=Event.Level.WARNING,
                step=step,
            )

    def _context(self, job: Job) -> Context:
        if self.engine is None:
            self.engine = self.connect(job.cluster)
        return Context(
            job=job, engine=self.engine, ledger=self.ledger, clock=self.clock, lost=self.lost, ends_at=self.ends_at
        )

    def _run_step(self, job: Job, step: Step) -> bool:
        """Run one step; True when the job rests."""
        if step.takeovers > MAX_TAKEOVERS:
            return self._give_up(step, [f"“{step.title}” was left by its worker {step.takeovers} times. See the log."])
        self.ledger.start(step)
        try:
            context = self._context(job)
            with context.in_step(step):
                context.pulse()
                detail = self.workflow.run(step.name, context)
            self.ledger.finish(step, detail)
        except (LostClaimError, NotYetError, _SliceOverError, OperationalError, InterfaceError):
            raise  # the last two are the database's trouble and not the step's: whoever comes next observes first
        except Exception as error:  # noqa: BLE001 - whatever happens, the ledger gets to know and the way back is found
            return self._stopped(job, step, error)
        return False

    def _stopped(self, job: Job, step: Step, error: Exception) -> bool:
        """What follows from a step that did not come to its end; True when the job rests."""
        match error:
            case RedirectedError():
                return False  # the loop sees what people want
            case OperatorNeededError():
                return self._give_up(step, error.sentences)
            case EngineError():
                return self._engine_error(job, step, error)
            case StepFailedError():
                return self._fail(job, step, str(error), JobStatus.FAILED)
        logger.error("job %s: %s", job.pk, step.name, exc_info=error)
        return self._bug(job, step, error)

    def _engine_error(self, job: Job, step: Step, error: EngineError) -> bool:
        """Ask again what may still work; turn back from what will not."""
        if error.permanent:
            return self._fail(job, step, str(error), JobStatus.FAILED)
        self.close()
        now = self.clock.now().timestamp()
        troubled_since = float(step.intent.get("troubled_since") or now)
        if now - troubled_since > PATIENCE_SECONDS:
            return self._give_up(step, [f"{error} This went on for {PATIENCE_SECONDS / 60:.0f} minutes."])
        tries = int(step.intent.get("tries", 0))
        # Time without an engine does not count against what is waited for.
        step.intent = {key: value for key, value in step.intent.items() if not key.startswith(_WAITING)}
        self.ledger.intend(step, troubled_since=troubled_since, tries=tries + 1)
        self.ledger.progress(step, f"{error} Trying again.", level=Event.Level.WARNING)
        self._rest(BACKOFF_SECONDS[min(tries, len(BACKOFF_SECONDS) - 1)])
        return False

    def _bug(self, job: Job, step: Step, error: Exception) -> bool:
        bugs = int(step.intent.get("bugs", 0)) + 1
        self.ledger.intend(step, bugs=bugs)
        message = f"Unexpected {type(error).__name__} in “{step.title}”: {error}. The worker's log has the traceback."
        if bugs < MAX_BUGS:
            self.ledger.progress(step, message, level=Event.Level.ERROR)
            self._rest(1.0)
            return False
        return self._fail(job, step, message, JobStatus.ERRORED)

    def _fail(self, job: Job, step: Step, reason: str, ending: JobStatus) -> bool:
        """Turn back; on the way back there is no further way back but a person."""
        if job.current_pass != Pass.FORWARD:
            return self._give_up(step, [reason])
        self.ledger.turn_back(ending=ending, reason=reason, step=step)
        return False

    def _give_up(self, step: Step | None, sentences: list[str]) -> bool:
        self.ledger.give_up(step, attention=sentences)
        return True

    def _turn(self, job: Job, step: Step | None) -> bool:
        """Find the way back by observation and lay out its steps; True when there is nothing to put back."""
        if not job.ending:
            wish = "Cancelled" if job.desired_state == DesiredState.CANCEL else "The old ingress was asked back"
            self.ledger.turn_back(ending=JobStatus.CANCELLED, reason=wish, step=step)
            job = self.ledger.job()
        try:
            way = self.workflow.way_back(self._context(job))
        except EngineError as error:
            return self._way_back_unknown(job, error)
        if way is None:
            outcome = f"{job.outcome.rstrip('.')}. Nothing had been changed"
            self.ledger.end(_ENDINGS[JobStatus(job.ending)], outcome=outcome)
            return True
        plan = job.plan()
        self.ledger.begin_pass(way, self.workflow.steps(way, plan), self.workflow.turning(way))
        return False

    def _way_back_unknown(self, job: Job, error: EngineError) -> bool:
        self.close()
        if error.permanent:
            return self._give_up(None, [str(error)])
        last = job.events.order_by("-seq").first()
        if last is None or last.message != str(error):
            self.ledger.say(str(error), level=Event.Level.WARNING)
        self._rest(BACKOFF_SECONDS[-1])
        return False

    def _end(self, job: Job) -> bool:
        way = Pass(job.current_pass)
        outcome = self.workflow.outcome(way, job.plan())
        if way is Pass.FORWARD:
            self.ledger.end(JobEvent.SUCCEED, outcome=outcome)
        else:
            self.ledger.end(_ENDINGS[JobStatus(job.ending)], outcome=f"{job.outcome.rstrip('.')}. {outcome}")
        return True

    def _rest(self, seconds: float) -> None:
        if self.clock.wait(self.lost, seconds):
            raise LostClaimError
        if self.clock.monotonic() > self.ends_at:
            raise _SliceOverError

    def close(self) -> None:
        """Let go of the engine; one whose connection failed is not trusted again either."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None


def _approved(job: Job) -> bool:
    """Whether the plan is the one, to the byte, that somebody approved. The message in the queue proves nothing."""
    said = job.change.approvals.filter(plan_sha256=job.plan_sha256)
    return (
        job.plan().sha256 == job.plan_sha256
        and said.filter(approved=True).exists()
        and not said.filter(approved=False).exists()
    )


_ENDINGS = {
    JobStatus.FAILED: JobEvent.FAIL,
    JobStatus.ERRORED: JobEvent.ERR,
    JobStatus.CANCELLED: JobEvent.CANCEL,
}
