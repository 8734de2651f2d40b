"""The job page's changing parts as HTML, each under the id of the element that it replaces."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone

from overlayweb.models import Event, Job
from overlayweb.web import job_board
from overlayweb.web.job_board import Board

BATCH = 500
"""Log lines sent at once: a long story comes in several pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One element of the page. Parts of equal ``content`` look the same, whenever they were rendered.

    ``row``: it belongs into a table; ``form``: it may hold forms, so that each reader gets their own.
    """

    element: str
    template: str
    content: object
    row: bool = False
    form: bool = False

    def html(self, csrf_token: str) -> str:
        """The element; forms in it carry the token."""
        return render_to_string(self.template, {"part": self.content, "csrf_token": csrf_token})


def narrowed(board: Board, services: Collection[str] | None) -> Board:
    """The board with only these services, by their ids; None: with all of them."""
    if services is None:
        return board
    return replace(board, services=tuple(row for row in board.services if row.key in services))


def services_of(request: HttpRequest) -> Collection[str] | None:
    """The ids of the services that the page which asks shows; None where it shows all."""
    named = request.GET.get("services")
    return None if named is None else frozenset(named.split(","))


def parts(board: Board) -> list[Part]:
    """Every changing part of the page, in its order; the services are one part each, as they change one by one."""
    whole = (
        Part(element="job-said", template="job_parts.html#said", content=board.said),
        Part(element="job-state", template="job_parts.html#state", content=board.state),
        Part(element="job-actions", template="job_actions.html", content=board.actions, form=True),
        Part(element="job-notes", template="job_notes.html", content=board.notes, form=True),
        Part(element="job-restarts", template="job_restarts.html", content=board.restarts),
        Part(element="job-steps", template="job_steps.html", content=board.groups),
        Part(element="job-counts", template="job_parts.html#counts", content=board.counts),
    )
    return [
        *whole,
        *(
            Part(element=f"service-{row.key}", template="job_parts.html#service", content=row, row=True)
            for row in board.services
        ),
    ]


def html(fresh: Sequence[Part], render: Callable[[Part], str]) -> str:
    """The parts; rows stand in a table, as a browser throws rows away that stand elsewhere."""
    said = "".join(render(part) for part in fresh if not part.row)
    rows = "".join(render(part) for part in fresh if part.row)
    return f"{said}<table><tbody>{rows}</tbody></table>" if rows else said


def read_events(*, job_id: int, after: int) -> Sequence[Event]:
    """The next lines of the story after ``after``, in order, at most ``BATCH``."""
    return list(Event.objects.filter(job=job_id, seq__gt=after).order_by("seq")[:BATCH])


def lines(events: Sequence[Event]) -> str:
    """The lines as list items."""
    return render_to_string("job_parts.html#lines", {"events": events})


def page(*, job: Job, board: Board) -> Mapping[str, object]:
    """The context of the whole page beside its list of services, with the newest lines of the log."""
    newest = list(job.events.order_by("-seq")[:BATCH])[::-1]
    return {
        "job": job,
        "change": job.change,
        "plan": job_board.plan_of(job.pk, job.plan_sha256),
        "board": board,
        "events": newest,
        "last_seq": newest[-1].seq if newest else 0,
        "left_out": newest[0].seq - 1 if newest else 0,
        "now": timezone.now(),
    }
