"""The ledger of a job: steps, per-service rows and events, written only by the owner of the job.

Each write is one transaction that first checks the epoch, so that nothing of an owner that was taken over gets in;
it renews the lease by the way. Events are numbered in the same transaction. After the commit whoever watches is woken.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction

from overlayweb import wakeups
from overlayweb.domain import lifecycle
from overlayweb.domain.lifecycle import ChangeEvent, ChangeStatus, DesiredState, JobEvent, JobStatus, Pass, StepStatus
from overlayweb.domain.plans import PlannedStep
from overlayweb.models import Event, Job, JobService, Step
from overlayweb.workflows.claims import LEASE, Claim, LostClaimError

_Found = TypeVar("_Found")

MOST_ATTEMPTS = 30_000
"""What the column holds at most; a step that waits for hours is looked at every few seconds."""

LASTING = "asked of the engine: "
"""An intent whose name begins so is kept when a person is asked: what was asked of an engine stays so. The others are
about patience, which begins anew."""


class RedirectedError(Exception):
    """A person asked for another ending."""


class Entry:
    """One open transaction of the ledger. Changes to ``job`` named in :meth:`touch` are saved at its end."""

    def __init__(self, job: Job, at: datetime) -> None:
        self.job = job
        self.at = at
        self._touched = {"last_seq", "lease_until"}

    def touch(self, **values: Any) -> None:
        """Set fields of the job."""
        for name, value in values.items():
            setattr(self.job, name, value)
            self._touched.add(name)

    def event(
        self,
        message: str,
        *,
        kind: str = "note",
        level: str = Event.Level.INFO,
        step: Step | None = None,
        subject: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        """Append one line to the job's story."""
        self.job.last_seq += 1
        Event.objects.create(
            job=self.job,
            seq=self.job.last_seq,
            at=self.at,
            level=level,
            kind=kind,
            step=step.ordinal if step else None,
            subject=subject,
            message=message,
            data=data or {},
        )

    def save(self) -> None:
        """Write the job's changed fields."""
        self.job.save(update_fields=sorted(self._touched))


class Ledger:
    """The ledger of one claimed job. Every method raises LostClaimError once the claim is lost."""

    def __init__(self, claim: Claim, *, now: Callable[[], datetime]) -> None:
        self.claim = claim
        self.now = now

    @contextmanager
    def entry(self) -> Iterator[Entry]:
        """A transaction in which only the owner of this epoch can be."""
        with transaction.atomic():
            job = self._owned(Job.objects.select_for_update().defer("plan_document").filter(**self._claimed).first())
            at = self.now()
            entry = Entry(job, at)
            entry.touch(lease_until=at + LEASE)
            yield entry
            entry.save()
            transaction.on_commit(lambda: wakeups.ring(self.claim.job_id))

    def job(self) -> Job:
        """The job as it is now, without the observation of its cluster, which may be megabytes."""
        related = Job.objects.select_related("cluster", "change").defer("cluster__observation", "plan_document")
        return self._owned(related.filter(**self._claimed).first())

    def desired_state(self) -> DesiredState:
        """What people want of the job now. Asked many times a second, so nothing else is read."""
        wanted = Job.objects.filter(**self._claimed).values_list("desired_state", flat=True).first()
        return DesiredState(self._owned(wanted))

    @property
    def _claimed(self) -> dict[str, Any]:
        claim = self.claim
        return {"pk": claim.job_id, "owner": claim.owner, "epoch": claim.epoch, "status": JobStatus.RUNNING}

    def _owned(self, found: _Found | None) -> _Found:
        if found is None:
            raise LostClaimError(f"job {self.claim.job_id} has another owner")
        return found

    # Steps

    def current_step(self, job: Job) -> Step | None:
        """The step to run: the first of the pass that is neither done nor left out."""
        open_steps = job.steps.filter(of_pass=job.current_pass, status__in=[StepStatus.PENDING, StepStatus.RUNNING])
        return open_steps.order_by("ordinal").first()

    def lay_out(self, current_pass: Pass, planned: Iterable[PlannedStep]) -> None:
        """Write down the steps of a pass, once, after those that are there."""
        with self.entry() as entry:
            self._lay_out(entry.job, current_pass, planned)

    def start(self, step: Step) -> None:
        """Mark the step as running and count the attempt."""
        with self.entry() as entry:
            fresh = step.started_at is None
            step.status = StepStatus.RUNNING
            step.started_at = step.started_at or entry.at
            step.attempts = min(step.attempts + 1, MOST_ATTEMPTS)
            step.save(update_fields=["status", "started_at", "attempts"])
            if fresh:
                entry.event(step.title, kind="step_started", step=step)

    def finish(self, step: Step, detail: str) -> None:
        """Mark the step as done; ``detail`` says what was done."""
        with self.entry() as entry:
            step.status, step.finished_at, step.detail = StepStatus.SUCCEEDED, entry.at, detail
            step.save(update_fields=["status", "finished_at", "detail"])
            seconds = (entry.at - (step.started_at or entry.at)).total_seconds()
            said = f"{step.title}: {detail}" if detail else f"{step.title}: done"
            entry.event(said, kind="step_finished", step=step, data={"seconds": round(seconds, 3)})

    def intend(self, step: Step, **intent: Any) -> None:
        """Commit what is about to be asked of the engine. Doubles as the guard before the call."""
        with self.entry():
            step.intent = {**step.intent, **intent}
            step.save(update_fields=["intent"])

    def forget(self, step: Step, keys: Iterable[str]) -> None:
        """Take what no longer holds out of the step's intent; only a change is written."""
        gone = set(keys) & set(step.intent)
        if gone:
            with self.entry():
                step.intent = {key: value for key, value in step.intent.items() if key not in gone}
                step.save(update_fields=["intent"])

    def progress(self, step: Step, detail: str, *, level: str = Event.Level.INFO) -> None:
        """Say what is being waited for; only a change is written."""
        if step.detail == detail:
            return
        with self.entry() as entry:
            step.detail = detail
            step.save(update_fields=["detail"])
            entry.event(detail, kind="progress", level=level, step=step)

    def say(self, message: str, *, step: Step | None = None, level: str = Event.Level.INFO, subject: str = "") -> None:
        """Append one line to the job's story."""
        with self.entry() as entry:
            entry.event(message, level=level, step=step, subject=subject)

    def announce(
        self, kind: str, message: str, *, step: Step, subject: str, data: dict[str, Any], **intent: Any
    ) -> None:
        """Append a line of this kind, and remember ``intent`` in the step, so that it is said once."""
        with self.entry() as entry:
            step.intent = {**step.intent, **intent}
            step.save(update_fields=["intent"])
            entry.event(message, kind=kind, level=Event.Level.WARNING, step=step, subject=subject, data=data)

    # Services

    def record(self, rows: Iterable[JobService], *, step: Step, message: str) -> None:
        """Write the snapshots of all affected services, all or none, and once."""
        with self.entry() as entry:
            if not entry.job.services.exists():
                JobService.objects.bulk_create(rows)
            entry.event(message, kind="recorded", step=step)

    def change_service(self, row: JobService, *, step: Step, message: str = "", level: str = "", **values: Any) -> None:
        """Change a service's row, and tell it if ``message`` is given."""
        with self.entry() as entry:
            for name, value in values.items():
                setattr(row, name, value)
            row.save(update_fields=sorted(values))
            if message:
                entry.event(
                    message,
                    kind="service",
                    level=level or Event.Level.INFO,
                    step=step,
                    subject=row.name,
                    data={"state": row.state, "containers": row.containers_now, "of": row.containers_before},
                )

    # The job

    def pass_point_of_no_return(self, step: Step, what: str = "the ingress network is removed next") -> None:
        """Commit ``what`` comes next. Raises RedirectedError when a person cancelled just before."""
        with self.entry() as entry:
            if entry.job.desired_state != DesiredState.RUN and entry.job.current_pass == Pass.FORWARD:
                raise RedirectedError
            if entry.job.point_passed:
                return
            entry.touch(point_passed=True)
            entry.event(f"Point of no return: {what}", kind="point", step=step)

    def take_back_point(self, step: Step, why: str = "Nothing was removed") -> None:
        """The engine refused what came next, and nothing was done."""
        with self.entry() as entry:
            entry.touch(point_passed=False)
            entry.event(why, kind="point", step=step)

    def turn_back(self, *, ending: JobStatus, reason: str, step: Step | None) -> None:
        """From here on the job only puts things back; it will end as ``ending``."""
        with self.entry() as entry:
            entry.touch(ending=ending, outcome=reason)
            level = Event.Level.WARNING if ending is JobStatus.CANCELLED else Event.Level.ERROR
            entry.event(reason, kind="turned_back", level=level, step=step)
            status = StepStatus.SKIPPED if ending is JobStatus.CANCELLED else StepStatus.FAILED
            entry.job.steps.filter(status=StepStatus.RUNNING).update(status=status, finished_at=entry.at)
            entry.job.steps.filter(status=StepStatus.PENDING).update(status=StepStatus.SKIPPED)

    def begin_pass(self, new_pass: Pass, planned: Iterable[PlannedStep], message: str) -> None:
        """Go in another direction: lay its steps out and make it the current pass."""
        with self.entry() as entry:
            entry.touch(current_pass=new_pass)
            self._lay_out(entry.job, new_pass, planned)
            entry.event(message, kind="pass", level=Event.Level.WARNING)

    def end(self, event: JobEvent, *, outcome: str) -> None:
        """The job is over."""
        with self.entry() as entry:
            status = lifecycle.job_after(JobStatus(entry.job.status), event)
            entry.touch(status=status, outcome=outcome, finished_at=entry.at, owner="", attention=[], lease_until=None)
            level = Event.Level.INFO if status is JobStatus.SUCCEEDED else Event.Level.WARNING
            entry.event(outcome, kind="ended", level=level, data={"status": status})

    def give_up(self, step: Step | None, *, attention: list[str]) -> None:
        """Wait for a person. The step is tried again when that person says so."""
        with self.entry() as entry:
            status = lifecycle.job_after(JobStatus(entry.job.status), JobEvent.GIVE_UP)
            entry.touch(status=status, attention=attention, owner="", lease_until=None)
            for sentence in attention:
                entry.event(sentence, kind="attention", level=Event.Level.ERROR, step=step)
            if step is not None:
                kept = {name: value for name, value in step.intent.items() if name.startswith(LASTING)}
                Step.objects.filter(pk=step.pk).update(status=StepStatus.PENDING, takeovers=0, intent=kept)

    def mark_stale(self, reason: str) -> None:
        """The plan no longer fits the cluster: the change has to be planned again."""
        with self.entry() as entry:
            change = entry.job.change
            if change.status == ChangeStatus.STALE:
                return  # an owner before us came as far as this
            change.status = lifecycle.change_after(ChangeStatus(change.status), ChangeEvent.DRIFT)
            change.status_reason = reason
            change.save(update_fields=["status", "status_reason"])

    def _lay_out(self, job: Job, current_pass: Pass, planned: Iterable[PlannedStep]) -> None:
        if job.steps.filter(of_pass=current_pass).exists():
            return
        last = job.steps.order_by("-ordinal").first()
        first = last.ordinal + 1 if last else 1
        Step.objects.bulk_create(
            Step(
                job=job,
                ordinal=ordinal,
                of_pass=current_pass,
                name=item.name,
                title=item.title,
                expected_seconds=item.expected_seconds,
                point_of_no_return=item.point_of_no_return,
            )
            for ordinal, item in enumerate(planned, start=first)
        )
