"""What must hold at the end of every run, whatever happened in it. Each broken promise is one sentence."""

from collections import Counter
from collections.abc import Iterator

from overlayweb.domain import candidates
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.models import Job, JobService
from tests.faults import stage
from tests.faults.director import RESUMES_WITHIN, Run
from tests.faults.stages import STAGES, observed

SETTLES_WITHIN = 90.0
"""Seconds of the Swarm within which services are at full strength after the end of a job."""
LOOK_EVERY = 2.0
SAID_AT_MOST = 20
"""So often a job says the same: workers that die and waits that begin anew say it again, polls do not."""
HARMLESS = frozenset({"kill", "freeze", "freeze_long", "call", "double", "late", "lose", "full", "cancel", "restore"})
"""After these alone nothing may end as failed: the Swarm itself is well and nobody else touched it."""


def problems(run: Run) -> list[str]:
    """All broken promises, as sentences. None: the run was as it must be."""
    job = run.job()
    found = [*run.story.problems]
    if not job.ended:
        return [*found, f"the job is {job.status}: {run.last_words()}"]
    found += _of_story(job)
    found += _of_ending(run, job)
    found += _of_changes(run, job)
    found += _of_owners(run)
    return [*found, *_of_swarm(run, job)]


def _of_story(job: Job) -> Iterator[str]:
    seqs = list(job.events.order_by("seq").values_list("seq", flat=True))
    if seqs != list(range(1, job.last_seq + 1)):
        yield f"events are not gapless: {seqs} of {job.last_seq}"
    message, times = Counter(job.events.values_list("message", flat=True)).most_common(1)[0]
    if times > SAID_AT_MOST:
        yield f"it says {times} times: {message}"
    states: dict[tuple[str, int | None], str] = {}
    for event in job.events.filter(kind="service", data__has_key="state").order_by("seq"):
        key, state = (event.subject, event.step), event.data["state"]
        if states.get(key) == JobService.State.RUNNING and state == JobService.State.STARTING:
            yield f"{event.subject} runs, and is said to start again in the same step: {event}"
        states[key] = state
    last = job.events.order_by("-seq").first()
    if last is None or last.kind != "ended":
        yield f"the last event is {last}"


def _of_ending(run: Run, job: Job) -> Iterator[str]:
    kinds = run.scenario.kinds
    allowed = {JobStatus.SUCCEEDED}
    if kinds & {"cancel", "restore"}:
        allowed |= {JobStatus.CANCELLED}
    if kinds - HARMLESS:
        allowed |= {JobStatus.FAILED}
    if job.status not in allowed:
        yield f"the job {job.status}: {job.outcome}"
    if not job.change.approvals.filter(plan_sha256=job.plan_sha256, approved=True).exists():
        yield "the plan was not approved"


def _of_changes(run: Run, job: Job) -> Iterator[str]:
    """The snapshot came first, and nothing was made twice."""
    carried_out = [line for line in stage.changes(run.folder) if line["worker"]]
    first = next(iter(carried_out), None)
    expected = len(job.plan().effects)
    if first and first["snapshots"] != expected:
        yield f"{first['snapshots']} of {expected} snapshots were durable at the first change ({first['verb']})"
    made = sum(line["verb"] == "create_network" for line in carried_out)
    taken_away = job.events.filter(message__contains="it is removed again").count()
    restored = job.steps.filter(of_pass="restore", name="create").exists()
    planned = sum(step.name.partition("-")[0] == "create" for step in job.plan().steps)
    in_flight = stage.changes_in_flight(run.folder, run.story.taken_over)
    late = sum(line["verb"] == "create_network" for line in in_flight)  # whether drift tells them is the stage's to say
    needed = planned + taken_away
    if made > needed + restored + late or (job.status == JobStatus.SUCCEEDED and made not in (needed, needed + late)):
        yield f"{made} networks were created"


def _of_owners(run: Run) -> Iterator[str]:
    late = [seconds for seconds in run.story.resumed_after if seconds > RESUMES_WITHIN]
    if late:
        yield f"resumed only after {late} s"
    for worker, second in run.story.taken_over:
        after = stage.changes_in_flight(run.folder, [(worker, second)])
        if len(after) > 1:
            yield f"{worker} was taken over at {second:.2f} and changed after that: {[c['verb'] for c in after]}"


def _of_swarm(run: Run, job: Job) -> list[str]:
    """Wait until the services are at full strength, then compare with what was there before."""
    before = job.cluster.swarm()
    if before is None:
        check = job.cluster.readiness.check_of()
        assert check is not None
        before = candidates.alone(check.engine, check.checked_at)
    until = run.shared.seconds + SETTLES_WITHIN
    differences = STAGES[run.scenario.stage].differences
    while found := [*differences(run, job, before, observed(run.engine.socket))]:
        if run.shared.seconds > until:
            return found
        run.shared.pass_(LOOK_EVERY)
    return []
