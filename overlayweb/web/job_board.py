"""What the job page shows, as frozen records: the same ones for the first page, the stream and the poll.

Records of the same content are equal, so that whoever sends them can leave out what has not changed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.utils import timezone

from overlayweb.domain import ingress_plans, network_plans, repair_plans, replace_plans
from overlayweb.domain.lifecycle import ENDED, DesiredState, JobStatus, Pass, StepStatus
from overlayweb.domain.plans import Effect, IngressPlan, Plan, Strategy
from overlayweb.models import Job, JobService, Step, codec
from overlayweb.web import job_restarts, job_words
from overlayweb.web.job_clocks import Clock, Mark, between
from overlayweb.web.job_restarts import Restarts

ServiceState = JobService.State


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step. ``point``: "" or what to say of the point of no return after it, which ``passed`` when it did."""

    key: str
    title: str
    mark: Mark
    detail: str
    clock: Clock | None
    expected: float
    point: str
    passed: bool
    tries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepGroup:
    """The steps of one direction, under a heading; the way forward has none."""

    key: str
    heading: str
    steps: tuple[StepRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRow:
    """One service. ``dark``: how long its ports have not answered, or None; ``note``: what else to know."""

    key: str
    name: str
    stack: str
    ports: str
    strategy: str
    mark: Mark
    containers: str
    dark: Clock | None
    expected: float | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The job's state, beside its title."""

    mark: Mark
    clock: Clock | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What has to be said in sentences. ``resume``: the job waits for a person who says how to go on.

    ``made``: the job is done and has made a network of a cluster that is still here.
    """

    job_id: int
    name: str
    queued: str
    turned_back: str
    outcome: str
    attention: tuple[str, ...]
    resume: bool
    made: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """How the job may be turned round now. ``services``: how many are affected."""

    job_id: int
    kind: str
    cancel: bool
    restore: bool
    started: bool
    old_subnet: str
    services: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The changing parts of one job's page, as read at one moment. ``said``: where it stands, for screen readers."""

    job_id: int
    last_seq: int
    ended: bool
    said: str
    state: State
    notes: Notes
    actions: Actions
    restarts: Restarts
    groups: tuple[StepGroup, ...]
    services: tuple[ServiceRow, ...]
    counts: str


JOB_MARKS: Mapping[str, Mark] = {
    JobStatus.PENDING: Mark(name="queued", word="Queued"),
    JobStatus.RUNNING: Mark(name="running", word="Running"),
    JobStatus.SUCCEEDED: Mark(name="succeeded", word="Done"),
    JobStatus.FAILED: Mark(name="failed", word="Failed"),
    JobStatus.ERRORED: Mark(name="errored", word="Stopped by an error"),
    JobStatus.CANCELLED: Mark(name="cancelled", word="Cancelled"),
    JobStatus.NEEDS_OPERATOR: Mark(name="needs_operator", word="Needs a person"),
}
WAITS_FOR_RESTART = Mark(name="needs_operator", word="Waits for a restart")
_STEP_MARKS: Mapping[str, Mark] = {
    StepStatus.PENDING: Mark(name="todo", word="To come"),
    StepStatus.RUNNING: Mark(name="running", word="Running"),
    StepStatus.SUCCEEDED: Mark(name="succeeded", word="Done"),
    StepStatus.SKIPPED: Mark(name="skipped", word="Left out"),
    StepStatus.FAILED: Mark(name="failed", word="Failed"),
}
_SERVICE_MARKS: Mapping[str, Mark] = {
    ServiceState.WAITING: Mark(name="waiting", word="Still up"),
    ServiceState.RELEASING: Mark(name="releasing", word="Leaving"),
    ServiceState.OFF: Mark(name="off", word="Dark"),
    ServiceState.STARTING: Mark(name="starting", word="Starting"),
    ServiceState.RUNNING: Mark(name="succeeded", word="Up again"),
    ServiceState.GONE: Mark(name="gone", word="Removed by somebody else"),
}
_UNTOUCHED = Mark(name="skipped", word="Untouched")
_HANGS = Mark(name="waiting", word="Waiting for the mesh")
_MAKES_NETWORK = frozenset({ingress_plans.KIND, network_plans.CREATE, replace_plans.KIND})
SERVICE_KINDS = (("", "All services"), *((mark.name, mark.word) for mark in _SERVICE_MARKS.values()))
"""How a long list of services is narrowed: by the name of the mark that each bears."""


def job_mark(job: Job) -> Mark:
    """The job's state, with the direction it goes in."""
    if job.status == JobStatus.RUNNING and job.current_pass == Pass.PUT_BACK:
        return Mark(name="running", word="Putting back")
    if job.status == JobStatus.RUNNING and job.current_pass == Pass.RESTORE:
        return Mark(name="running", word=job_words.restoring(job.kind))
    if job.status == JobStatus.RUNNING and job.desired_state != DesiredState.RUN:
        return Mark(name="running", word="Turning back")
    return JOB_MARKS[job.status]


def read(*, job_id: int, now: datetime | None = None) -> Board:
    """Read one job's board. Four queries, five for a repair, whatever the job's size. Raises Job.DoesNotExist."""
    at = now or timezone.now()
    job = Job.objects.defer("plan_document").get(pk=job_id)
    plan = plan_of(job.pk, job.plan_sha256)
    ahead = 0
    if job.status == JobStatus.PENDING:
        ahead = (
            Job.objects.filter(cluster=job.cluster_id, created_at__lt=job.created_at).exclude(status__in=ENDED).count()
        )
    steps = list(job.steps.all())
    rows = list(job.services.defer("original", "previous", "endpoint_ports", "target", "intent", "written"))
    groups = _groups(job, steps, plan, at)
    services = _services(job, rows, plan, at)
    restarts = job_restarts.read(job, steps, plan)
    mark = WAITS_FOR_RESTART if restarts.now else job_mark(job)
    state = State(mark=mark, clock=_job_clock(job, steps, at))
    return Board(
        job_id=job.pk,
        last_seq=job.last_seq,
        ended=job.ended,
        said=_said(state, groups),
        state=state,
        notes=_notes(job, ahead),
        actions=_actions(job, plan, len(services)),
        restarts=restarts,
        groups=groups,
        services=services,
        counts=_counted(services),
    )


@lru_cache(maxsize=64)
def plan_of(job_id: int, plan_sha256: str) -> Plan:
    """The plan of a job. It never changes, so each process reads it once."""
    documents = Job.objects.filter(pk=job_id, plan_sha256=plan_sha256).values_list("plan_document", flat=True)
    return codec.load_plan(documents[0])


def _groups(job: Job, steps: Sequence[Step], plan: Plan, at: datetime) -> tuple[StepGroup, ...]:
    if not steps:
        planned = tuple(
            StepRow(
                key=f"planned-{number}",
                title=step.title,
                mark=_STEP_MARKS[StepStatus.PENDING],
                detail="",
                clock=None,
                expected=step.expected_seconds,
                point=_point(job) if step.point_of_no_return else "",
                passed=job.point_passed and not job.ended,
                tries="",
            )
            for number, step in enumerate(plan.steps, start=1)
        )
        return (StepGroup(key=Pass.FORWARD, heading="", steps=planned),)
    passes = dict.fromkeys(step.of_pass for step in steps)
    return tuple(
        StepGroup(
            key=of_pass,
            heading=job_words.heading(job.kind, of_pass),
            steps=tuple(_step_row(job, step, at) for step in steps if step.of_pass == of_pass),
        )
        for of_pass in passes
    )


def _step_row(job: Job, step: Step, at: datetime) -> StepRow:
    running = step.status == StepStatus.RUNNING and not job.ended
    seconds = between(step.started_at, at if running else step.finished_at)
    clock = None
    if seconds is not None:
        since = step.started_at if running else None
        clock = Clock(seconds=0.0 if running else seconds, since=since, expected=step.expected_seconds)
    return StepRow(
        key=str(step.ordinal),
        title=step.title,
        mark=_step_mark(job, step),
        detail=step.detail,
        clock=clock,
        expected=step.expected_seconds,
        point=_point(job) if step.point_of_no_return else "",
        passed=job.point_passed and not job.ended,
        tries=_tries(step),
    )


def _step_mark(job: Job, step: Step) -> Mark:
    if job.status == JobStatus.NEEDS_OPERATOR and step.status == StepStatus.PENDING and step.started_at:
        return Mark(name="needs_operator", word="Waits for a person")
    return _STEP_MARKS[step.status]


def _point(job: Job) -> str:
    return "point of no return, passed" if job.point_passed else "point of no return"


def _tries(step: Step) -> str:
    if step.takeovers:
        return f"taken over {_times(step.takeovers)} from a worker that was gone"
    looks = step.name.startswith(repair_plans.RESTART_STEP)  # begun anew each time the job looks
    return f"started {_times(step.attempts)}" if step.attempts > 1 and not looks else ""


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _services(job: Job, rows: Sequence[JobService], plan: Plan, at: datetime) -> tuple[ServiceRow, ...]:
    effects = {effect.service_id: effect for effect in plan.effects}
    if rows:
        return tuple(_service_row(job, row, effects.get(row.service_id), at) for row in rows)
    return tuple(_planned_row(job, effect) for effect in sorted(plan.effects, key=lambda effect: effect.service_name))


def _planned_row(job: Job, effect: Effect) -> ServiceRow:
    return ServiceRow(
        key=effect.service_id,
        name=effect.service_name,
        stack=effect.stack,
        ports=", ".join(str(port) for port in effect.ports),
        strategy=job_words.strategy(job.kind, effect.strategy),
        mark=_service_mark(job, ServiceState.WAITING, touched=False),
        containers=str(effect.containers),
        dark=None,
        expected=_expected(effect),
        note="",
    )


def _service_row(job: Job, row: JobService, effect: Effect | None, at: datetime) -> ServiceRow:
    return ServiceRow(
        key=row.service_id,
        name=row.name,
        stack=row.stack,
        ports=row.ports,
        strategy=job_words.strategy(job.kind, row.strategy),
        mark=_service_mark(job, row.state, touched=row.released_at is not None),
        containers=f"{row.containers_now}/{row.containers_before}",
        dark=_dark(job, row, at),
        expected=_expected(effect) if effect else None,
        note=f"changed by somebody else meanwhile, kept: {', '.join(row.edited)}" if row.edited else "",
    )


def _expected(effect: Effect) -> float | None:
    """How long its ports will be dark, in seconds; None for a service that the job leaves alone."""
    return None if effect.strategy is Strategy.AUTOMATIC and not effect.dark_seconds else effect.dark_seconds


def _service_mark(job: Job, state: str, *, touched: bool) -> Mark:
    if state != ServiceState.WAITING:
        return _SERVICE_MARKS[state]
    if job.ended and not touched:
        return _UNTOUCHED
    return _HANGS if job.kind == repair_plans.KIND else _SERVICE_MARKS[state]


def _dark(job: Job, row: JobService, at: datetime) -> Clock | None:
    """Its dark time: fixed once it runs again, running on until then, unknown when the job left it dark."""
    if row.released_at is None or row.state == ServiceState.GONE:
        return None
    if row.dark_seconds is not None:
        return Clock(seconds=row.dark_seconds)
    if job.ended:
        return Clock(seconds=between(row.released_at, job.finished_at or at) or 0.0)
    return Clock(since=row.released_at)


def _said(state: State, groups: Sequence[StepGroup]) -> str:
    running = [step.title for group in groups for step in group.steps if step.mark.name == "running"]
    return ": ".join([state.mark.word, *running])


def _notes(job: Job, ahead: int) -> Notes:
    return Notes(
        job_id=job.pk,
        name=job_mark(job).name,
        queued=_queued(job, ahead),
        turned_back=job.outcome if job.ending and not job.ended else "",
        outcome=job.outcome if job.ended else "",
        attention=tuple(job.attention),
        resume=job.status == JobStatus.NEEDS_OPERATOR,
        made=job.status == JobStatus.SUCCEEDED and job.kind in _MAKES_NETWORK and not job.cluster.removed_at,
    )


def _actions(job: Job, plan: Plan, services: int) -> Actions:
    return Actions(
        job_id=job.pk,
        kind=job.kind,
        cancel=job.may_cancel,
        restore=job.may_restore,
        started=job.started_at is not None,
        old_subnet=plan.before.subnet if isinstance(plan, IngressPlan) else "",
        services=services,
    )


def _job_clock(job: Job, steps: Sequence[Step], at: datetime) -> Clock | None:
    """Since its start; what to expect is only known of the way forward."""
    if job.started_at is None:
        return None
    forward = job.current_pass == Pass.FORWARD
    expected = sum(step.expected_seconds for step in steps if step.of_pass == Pass.FORWARD) if forward else None
    if job.ended:
        return Clock(seconds=between(job.started_at, job.finished_at or at) or 0.0, expected=expected)
    return Clock(since=job.started_at, expected=expected)


def _queued(job: Job, ahead: int) -> str:
    if job.status != JobStatus.PENDING:
        return ""
    if not ahead:
        return "Next in the queue of this cluster. It starts as soon as a worker is free."
    jobs = "1 job" if ahead == 1 else f"{ahead} jobs"
    return f"{jobs} of this cluster before it. A cluster runs one job at a time."


def _counted(services: Sequence[ServiceRow]) -> str:
    """How many services stand where, in the order of their way: "3 still up, 2 leaving, 4 dark"."""
    counts = Counter(row.mark.word for row in services)
    words = [_HANGS.word, *(mark.word for mark in _SERVICE_MARKS.values()), _UNTOUCHED.word]
    return ", ".join(f"{counts[word]} {word.lower()}" for word in words if counts[word])
