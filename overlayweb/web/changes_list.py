"""The list of changes: what waits for the reader first, then what was decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.planners import KINDS
from overlayweb.domain.policy import ApprovalMode, Role, may_approve
from overlayweb.models import ChangeRequest, codec
from overlayweb.services import installation, roles
from overlayweb.web import access, history, job_board
from overlayweb.web.job_clocks import Mark

ROWS_PER_PAGE = 50
PENDING_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a plan would do, in three numbers: services, the longest dark time in seconds, warnings."""

    services: int
    outage_seconds: float
    warnings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRow:
    """One change that waits. ``mine``: the reader asked for it."""

    change: ChangeRequest
    mine: bool
    impact: Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedRow:
    """One decided change, with where its job stands when it has one."""

    change: ChangeRequest
    mark: Mark


@require_GET
def changes(request: HttpRequest) -> HttpResponse:
    """``/changes/``: what waits for me, what I wait for, what was decided."""
    me = access.signed_in(request)
    mode, role = installation.approval_mode(), roles.of(me)
    waiting = _pending(me.pk)
    page = Paginator(history.decided(), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "for_me": [row for row in waiting if _may(mode, role, row, me.pk)],
        "by_me": [row for row in waiting if row.mine and not _may(mode, role, row, me.pk)],
        "for_others": [row for row in waiting if not row.mine and not _may(mode, role, row, me.pk)],
        "solo": mode is ApprovalMode.SOLO,
        "shown": PENDING_SHOWN,
        "page": page,
        "rows": _decided_rows(page.object_list),
    }
    return render(request, "changes.html", context)


def _may(mode: ApprovalMode, role: Role, row: PendingRow, me: int) -> bool:
    for_admins = KINDS[row.change.kind].for_admins
    return may_approve(
        mode=mode, role=role, author_id=row.change.author_id, approver_id=me, for_admins=for_admins
    ).allowed


def _pending(me: int) -> list[PendingRow]:
    """The oldest first: who waits longest is served first."""
    found = (
        ChangeRequest.objects.filter(status=ChangeStatus.PENDING)
        .select_related("author", "cluster", "plan_record")
        .defer("cluster__observation")
        .order_by("created_at")[:PENDING_SHOWN]
    )
    return [
        PendingRow(change=change, mine=change.author_id == me, impact=_impact(change.plan_record.document))
        for change in found
    ]


@lru_cache(maxsize=128)
def _impact(document: str) -> Impact:
    """A plan never changes and reading a large one takes a while, so each process reads it once."""
    plan = codec.load_plan(document)
    return Impact(services=len(plan.effects), outage_seconds=plan.outage_seconds, warnings=len(plan.warnings))


def _decided_rows(changes: Iterable[ChangeRequest]) -> list[DecidedRow]:
    return [DecidedRow(change=change, mark=_mark(change)) for change in changes]


def _mark(change: ChangeRequest) -> Mark:
    job = getattr(change, "job", None)
    return job_board.job_mark(job) if job else history.CHANGE_MARKS[change.status]
