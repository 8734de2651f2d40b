"""Which status may follow which: one table for change requests, one for jobs. Everything else asks here."""

from enum import StrEnum


class ChangeStatus(StrEnum):
    """Where a change request stands until its job takes over."""

    PENDING = "pending"
    """Waits for approval."""
    APPROVED = "approved"
    """Approved; its job tells the rest."""
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    STALE = "stale"
    """The cluster moved away from what the plan had read; plan again."""


class ChangeEvent(StrEnum):
    """What may happen to a change request."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    DRIFT = "drift"


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    """Queued, or waiting for another job of the cluster."""
    RUNNING = "running"
    """Claimed by a worker whose lease is renewed, or waiting to be taken over."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """A foreseen failure; what had been changed was put back."""
    ERRORED = "errored"
    """A bug; what had been changed was put back."""
    CANCELLED = "cancelled"
    """Stopped by a person; what had been changed was put back."""
    NEEDS_OPERATOR = "needs_operator"
    """Somebody has to do something by hand; the job says what."""


class JobEvent(StrEnum):
    """What may happen to a job."""

    CLAIM = "claim"
    """A worker takes the job, or takes it over."""
    SUCCEED = "succeed"
    FAIL = "fail"
    ERR = "err"
    CANCEL = "cancel"
    GIVE_UP = "give_up"
    """The runner cannot go on without a person."""
    RESUME = "resume"
    """A person says: go on."""
    ACCEPT = "accept"
    """A person says: leave it as it is."""


class DesiredState(StrEnum):
    """What people want of a job, read by the runner between steps and while it waits."""

    RUN = "run"
    CANCEL = "cancel"
    """Before the point of no return: put everything back."""
    RESTORE = "restore"
    """After it: bring the old ingress back."""


class Pass(StrEnum):
    """The direction a job goes in."""

    FORWARD = "forward"
    PUT_BACK = "put_back"
    """Nothing was removed yet: give every service its ports back."""
    RESTORE = "restore"
    """The old ingress is gone: build it again from the snapshot, then give every service its ports back."""


class StepStatus(StrEnum):
    """Where a step of the ledger stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    """Not needed, or no longer wanted."""
    FAILED = "failed"


class InvalidTransitionError(Exception):
    """The event does not apply to the status as it is."""


CHANGE_TRANSITIONS: dict[tuple[ChangeStatus, ChangeEvent], ChangeStatus] = {
    (ChangeStatus.PENDING, ChangeEvent.APPROVE): ChangeStatus.APPROVED,
    (ChangeStatus.PENDING, ChangeEvent.REJECT): ChangeStatus.REJECTED,
    (ChangeStatus.PENDING, ChangeEvent.WITHDRAW): ChangeStatus.WITHDRAWN,
    (ChangeStatus.PENDING, ChangeEvent.DRIFT): ChangeStatus.STALE,
    # Found by the worker under the lock, before anything was changed.
    (ChangeStatus.APPROVED, ChangeEvent.DRIFT): ChangeStatus.STALE,
}

JOB_TRANSITIONS: dict[tuple[JobStatus, JobEvent], JobStatus] = {
    (JobStatus.PENDING, JobEvent.CLAIM): JobStatus.RUNNING,
    (JobStatus.PENDING, JobEvent.CANCEL): JobStatus.CANCELLED,
    (JobStatus.RUNNING, JobEvent.CLAIM): JobStatus.RUNNING,
    (JobStatus.RUNNING, JobEvent.SUCCEED): JobStatus.SUCCEEDED,
    (JobStatus.RUNNING, JobEvent.FAIL): JobStatus.FAILED,
    (JobStatus.RUNNING, JobEvent.ERR): JobStatus.ERRORED,
    (JobStatus.RUNNING, JobEvent.CANCEL): JobStatus.CANCELLED,
    (JobStatus.RUNNING, JobEvent.GIVE_UP): JobStatus.NEEDS_OPERATOR,
    # Not back into the queue: another job of the cluster must not get in between.
    (JobStatus.NEEDS_OPERATOR, JobEvent.RESUME): JobStatus.RUNNING,
    (JobStatus.NEEDS_OPERATOR, JobEvent.ACCEPT): JobStatus.FAILED,
}

ENDED = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.ERRORED, JobStatus.CANCELLED})
HOLDS_CLUSTER = frozenset({JobStatus.RUNNING, JobStatus.NEEDS_OPERATOR})
"""At most one job per cluster is in one of these."""


def change_after(status: ChangeStatus, event: ChangeEvent) -> ChangeStatus:
    """The status that follows. Raises InvalidTransitionError."""
    try:
        return CHANGE_TRANSITIONS[status, event]
    except KeyError as exc:
        raise InvalidTransitionError(f"A change that is {status} cannot {event}.") from exc


def job_after(status: JobStatus, event: JobEvent) -> JobStatus:
    """The status that follows. Raises InvalidTransitionError."""
    try:
        return JOB_TRANSITIONS[status, event]
    except KeyError as exc:
        raise InvalidTransitionError(f"A job that is {status} cannot {event}.") from exc


def may_cancel(*, status: JobStatus, current_pass: Pass, point_passed: bool) -> bool:
    """Whether everything can still be put back for free."""
    return status in {JobStatus.PENDING, JobStatus.RUNNING} and current_pass is Pass.FORWARD and not point_passed


def may_restore(*, status: JobStatus, current_pass: Pass, point_passed: bool) -> bool:
    """Whether the old ingress can be asked back: after the point of no return, while the job is open."""
    return status in HOLDS_CLUSTER and current_pass is Pass.FORWARD and point_passed
