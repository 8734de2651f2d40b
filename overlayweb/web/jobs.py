"""Jobs: what runs, what waits, one job's page, its log, and what people may still ask of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain.ingress_settings import JOB_LABEL, job_of
from overlayweb.domain.lifecycle import ENDED, HOLDS_CLUSTER, JobStatus
from overlayweb.models import Approval, Event, Job
from overlayweb.services import jobs as job_service
from overlayweb.services.jobs import NotPossibleError
from overlayweb.web import access, frame, job_board, job_clocks, job_frames, job_restarts, listing
from overlayweb.web.clusters import get_cluster
from overlayweb.web.job_board import Board
from overlayweb.web.job_clocks import Clock, Mark
from overlayweb.web.listing import Listing

ENDED_SHOWN = 20
LINES_PER_PAGE = 500

LEVELS: dict[str, tuple[str, ...]] = {
    "": (),
    "warning": (Event.Level.WARNING, Event.Level.ERROR),
    "error": (Event.Level.ERROR,),
}
"""What the log's filter lets through, by what the address says; nothing named: everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job in a list. ``step``: what it does now; ``position``: its place in its cluster's queue, from 1."""

    job: Job
    mark: Mark
    clock: Clock | None
    step: str = ""
    position: int | None = None


class AcceptForm(forms.Form):
    """Why things are left as they are."""

    reason = forms.CharField(max_length=2000)


@require_GET
def jobs(request: HttpRequest) -> HttpResponse:
    """``/jobs/``: what runs, what waits for its turn, and what ended lately."""
    running = with_people(Job.objects.filter(status__in=HOLDS_CLUSTER)).prefetch_related("steps")
    waiting = with_people(Job.objects.filter(status=JobStatus.PENDING)).order_by("cluster__name", "created_at")
    ended = with_people(Job.objects.filter(status__in=ENDED)).order_by("-finished_at")[:ENDED_SHOWN]
    lists = {
        "running": [_running_row(job) for job in running],
        "waiting": _queues(waiting),
        "ended": [_ended_row(job) for job in ended],
    }
    template = "jobs.html#lists" if request.headers.get("HX-Target") == "job-lists" else "jobs.html"
    return render(request, template, lists)


@require_GET
@vary_on_headers("HX-Request")
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """``/jobs/<pk>/``: one job, whole, as it is now; of its services one page, which is also asked for alone."""
    found, board = _job(pk), _board(pk)
    services = {"job": found, "listing": _services(request, board)}
    if listing.is_fragment(request):
        return render(request, "job.html#found", services)
    frame.remember(request, found.cluster)
    return render(request, "job.html", {**job_frames.page(job=found, board=board), **services})


@require_GET
def job_live(request: HttpRequest, pk: int) -> HttpResponse:
    """``/jobs/<pk>/live?after=seq&services=id,id``: the changing parts, of services those named or all, and the lines
    after ``seq``: for pages without a stream.
    """
    after = request.GET.get("after", "")
    seq = int(after) if after.isascii() and after.isdigit() else 0
    board = job_frames.narrowed(_board(pk), job_frames.services_of(request))
    events = job_frames.read_events(job_id=pk, after=seq)
    response = render(request, "job_parts.html#live", {"board": board, "events": events, "now": timezone.now()})
    response.headers["Cache-Control"] = "no-store"
    return response


@require_GET
def job_log(request: HttpRequest, pk: int) -> HttpResponse:
    """``/jobs/<pk>/log?level=&page=``: the whole story, oldest first."""
    found = _job(pk)
    level = request.GET.get("level", "")
    lines = found.events.order_by("seq")
    if levels := LEVELS.get(level):
        lines = lines.filter(level__in=levels)
    page = Paginator(lines, LINES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "job_log.html", {"job": found, "page": page, "level": level})


@require_GET
def job_network(request: HttpRequest, pk: int) -> HttpResponse:
    """``/jobs/<pk>/network``: leads to the network that the job made, or to the list until it was seen there."""
    cluster = get_cluster(request, get_object_or_404(Job.objects.select_related("cluster"), pk=pk).cluster.name)
    swarm = cluster.swarm()
    made = [network for network in swarm.networks if job_of(network) == pk] if swarm else []
    if not made:
        return redirect("networks", cluster.name)
    # One that stands between two of the same name, and came too late, has the smaller mark.
    last = max(made, key=lambda network: dict(network.labels)[JOB_LABEL])
    return redirect("network", cluster.name, last.id)


@require_POST
def job_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Put everything back, before the point of no return."""
    return _ask(request, pk, job_service.cancel, "Cancelled. What had been changed is put back.")


@require_POST
def job_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring the old ingress back, after it."""
    return _ask(request, pk, job_service.restore, "The old ingress comes back.")


@require_POST
def job_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """What the job asked for is done: go on."""
    return _ask(request, pk, job_service.resume, "The job goes on.")


@require_POST
def job_accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a job that waits for a person, as it is, with the reason."""
    access.steerer(request)
    form = AcceptForm(request.POST)
    if form.is_valid():
        accept = partial(job_service.accept, reason=form.cleaned_data["reason"])
        return _ask(request, pk, accept, "Closed as it is.")
    messages.error(request, "Say why: the history keeps the reason.")
    return redirect("job", pk=pk)


def with_people(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Jobs with who asked and who approved, and without the texts that lists do not show."""
    said = Approval.objects.select_related("person")
    return (
        jobs.select_related("change__author", "cluster")
        .defer("plan_document", "cluster__observation")
        .prefetch_related(Prefetch("change__approvals", queryset=said, to_attr="words"))
    )


def _job(pk: int) -> Job:
    """The job, or 404. Everybody who is signed in sees every job; readers do not steer it."""
    return get_object_or_404(with_people(Job.objects.all()), pk=pk)


def _board(pk: int) -> Board:
    try:
        return job_board.read(job_id=pk)
    except Job.DoesNotExist as error:
        raise Http404 from error


def _services(request: HttpRequest, board: Board) -> Listing:
    """One page of the job's services, of those that the address asks for."""
    asked = listing.wanted(request, kinds=job_board.SERVICE_KINDS, orders=())
    text = asked.text.lower()
    rows = [
        row
        for row in board.services
        if text in f"{row.name} {row.stack} {row.ports}".lower() and asked.kind in ("", row.mark.name)
    ]
    return listing.listing(request, asked, rows, kinds=job_board.SERVICE_KINDS)


def _ask(request: HttpRequest, pk: int, service: Callable[..., None], said: str) -> HttpResponse:
    try:
        service(job=_job(pk), person=access.steerer(request), now=timezone.now())
    except NotPossibleError as error:
        messages.error(request, str(error))
    else:
        messages.info(request, said)
    return redirect("job", pk=pk)


def _running_row(job: Job) -> JobRow:
    steps = [step for step in job.steps.all() if step.of_pass == job.current_pass]
    now = next((step.title for step in steps if step.finished_at is None), "")
    expected = sum(step.expected_seconds for step in steps) or None
    clock = Clock(since=job.started_at, expected=expected) if job.started_at else None
    mark = job_board.WAITS_FOR_RESTART if job_restarts.waits(job, steps) else job_board.job_mark(job)
    return JobRow(job=job, mark=mark, clock=clock, step=now)


def _ended_row(job: Job) -> JobRow:
    took = job_clocks.between(job.started_at, job.finished_at)
    return JobRow(job=job, mark=job_board.job_mark(job), clock=None if took is None else Clock(seconds=took))


def _queues(waiting: Iterable[Job]) -> list[JobRow]:
    return [
        JobRow(job=job, mark=job_board.job_mark(job), clock=None, position=position)
        for _, queue in groupby(waiting, key=lambda job: job.cluster_id)
        for position, job in enumerate(queue, start=1)
    ]
