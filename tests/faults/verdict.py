"""What must hold at the end of every run, whatever happened in it. Each broken promise is one sentence."""

from collections.abc import Iterator

from overlayweb.domain import specs
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import IngressPlan
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.models import Job
from tests.faults import stage, templates
from tests.faults.director import RESUMES_WITHIN, Run

SETTLES_WITHIN = 90.0
"""Seconds of the Swarm within which services are at full strength after the end of a job."""
LOOK_EVERY = 2.0
HARMLESS = frozenset({"kill", "freeze", "freeze_long", "call", "double", "lose", "full", "cancel", "restore"})
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
    if made > 1 + taken_away + restored or (job.status == JobStatus.SUCCEEDED and made != 1 + taken_away):
        yield f"{made} networks were created"


def _of_owners(run: Run) -> Iterator[str]:
    late = [seconds for seconds in run.story.resumed_after if seconds > RESUMES_WITHIN]
    if late:
        yield f"resumed only after {late} s"
    for worker, second in run.story.taken_over:
        name = worker.rstrip("!")
        after = [c for c in stage.changes(run.folder) if c["worker"] == name and c["at"] > second]
        if len(after) > 1:
            yield f"{name} was taken over at {second:.2f} and changed after that: {[c['verb'] for c in after]}"


def _of_swarm(run: Run, job: Job) -> list[str]:
    """Wait until the services are at full strength, then compare with what was there before."""
    before = job.cluster.swarm()
    assert before is not None
    until = run.shared.seconds + SETTLES_WITHIN
    while found := [*_differences(run, job, before, templates.observed(run.engine.socket))]:
        if run.shared.seconds > until:
            return found
        run.shared.pass_(LOOK_EVERY)
    return []


def _differences(run: Run, job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    plan = IngressPlan.of(job.plan())
    subnet = plan.after.subnet if job.status == JobStatus.SUCCEEDED else plan.before.subnet
    there = [block.subnet for network in now.ingress_networks for block in network.ipam]
    if there != [subnet]:
        yield f"the ingress is {there}, not {subnet}"
        return
    yield from _of_nodes(run, now)
    left = {service.name for service in before.services} ^ {service.name for service in now.services}
    if left:
        yield f"services came or went: {left}"
        return
    for service in now.services:
        yield from _of_service(run, before, now, service)


def _of_nodes(run: Run, now: Swarm) -> Iterator[str]:
    ingress = now.ingress_networks[0]
    sockets = run.engine.node_sockets
    for node in now.nodes:
        if not node.ready:
            yield f"{node.hostname} is {node.state}"
        elif any("overlayweb" in key for key, _ in node.labels) and not run.story.taken_over:
            yield f"{node.hostname} keeps a label of ours"
        elif node.hostname not in sockets:
            yield f"{node.hostname} has no socket"
        else:
            held = templates.ingresses_on(sockets[node.hostname])
            if held != [ingress.id]:
                yield f"{node.hostname} holds {held} as its ingress"


def _of_service(run: Run, before: Swarm, now: Swarm, service: Service) -> Iterator[str]:
    was = next(s for s in before.services if s.name == service.name)
    spec = _without_edit(service.spec) if service.name in run.story.edited else service.spec
    if spec not in {was.spec, specs.pinned(was.spec, was.ports)}:
        yield f"{service.name} differs at {', '.join(specs.differences(was.spec, spec)) or 'bytes alone'}"
    running = now.running_on(service.id)
    if len(running) != len(before.running_on(was.id)):
        yield f"{service.name} runs {len(running)} of {len(before.running_on(was.id))}"
    ingress = now.ingress_networks[0].id
    if service.ingress_ports and not all(ingress in t.network_ids for t in running):
        yield f"{service.name} is not on the ingress"
    if service.ingress_ports and ingress not in dict(service.vips):
        yield f"{service.name} has no address on the ingress"


def _without_edit(spec: Spec) -> Spec:
    """The spec before the stranger's edit, which has to be there."""
    document = spec.document()
    edited = document["TaskTemplate"]["ContainerSpec"].pop("Env", [""])
    assert edited[0].startswith("EDITED="), "the stranger's edit is lost"
    return Spec.of(document)
