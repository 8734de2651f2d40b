"""History: every change that was decided and every job that ended, found again by who, where, what and when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django import forms
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import DurationField, Exists, ExpressionWrapper, F, Max, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from overlayweb.domain.lifecycle import ENDED, ChangeStatus, JobStatus
from overlayweb.models import Approval, ChangeRequest, Cluster, JobService
from overlayweb.services import search
from overlayweb.web import job_board, job_clocks, kinds
from overlayweb.web.job_clocks import Mark

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

ROWS_PER_PAGE = 50

CHANGE_MARKS: Mapping[str, Mark] = {
    ChangeStatus.PENDING: Mark(name="pending", word="Waits for approval"),
    ChangeStatus.APPROVED: Mark(name="approved", word="Approved"),
    ChangeStatus.REJECTED: Mark(name="rejected", word="Rejected"),
    ChangeStatus.WITHDRAWN: Mark(name="withdrawn", word="Withdrawn"),
    ChangeStatus.STALE: Mark(name="stale", word="Out of date"),
}
_JOB_OUTCOMES = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.ERRORED, JobStatus.CANCELLED)
_CHANGE_OUTCOMES = (ChangeStatus.REJECTED, ChangeStatus.WITHDRAWN, ChangeStatus.STALE)
OUTCOMES = [
    ("", "Any outcome"),
    *((status, job_board.JOB_MARKS[status].word) for status in _JOB_OUTCOMES),
    *((status, CHANGE_MARKS[status].word) for status in _CHANGE_OUTCOMES),
]

KINDS = [("", "Any kind"), *((kind, look.name) for kind, look in kinds.LOOKS.items())]


class Ended(TypedDict):
    """What :func:`decided` adds: when a change, or its job, came to its end."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One decided change. ``took`` and ``dark`` in seconds; None where nothing was carried out or went dark."""

    change: ChangeRequest
    mark: Mark
    at: datetime
    took: float | None
    dark: float | None
    said: str


class FilterForm(forms.Form):
    """What to look for; every field may be left out."""

    text = forms.CharField(required=False, max_length=200, label="Network, service or words")
    person = forms.ModelChoiceField(
        User.objects.none(), required=False, label="Person", empty_label="Anybody", to_field_name="username"
    )
    cluster = forms.ModelChoiceField(
        Cluster.objects.none(), required=False, label="Cluster", empty_label="Any cluster", to_field_name="name"
    )
    kind = forms.ChoiceField(choices=KINDS, required=False, label="Kind")
    outcome = forms.ChoiceField(choices=OUTCOMES, required=False, label="Outcome")
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, "person").queryset = User.objects.order_by("username")
        _choices(self, "cluster").queryset = Cluster.objects.only("name").order_by("name")


@require_GET
def history(request: HttpRequest) -> HttpResponse:
    """``/history/``: what was decided and how it ended, newest first, by what the address asks for."""
    form = FilterForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    page = Paginator(_found(wanted), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "form": form,
        "page": page,
        "rows": _rows(page.object_list),
        "query": query.urlencode(),
        "filtered": any(wanted.values()),
    }
    return render(request, "history.html", context)


def decided() -> "QuerySet[WithAnnotations[ChangeRequest, Ended]]":
    """Changes that were decided, with their people, without the texts that lists do not show; newest first."""
    said = Approval.objects.select_related("person")
    return (
        ChangeRequest.objects.exclude(status=ChangeStatus.PENDING)
        .select_related("author", "cluster", "job")
        .defer("job__plan_document", "cluster__observation")
        .prefetch_related(Prefetch("approvals", queryset=said, to_attr="words"))
        .annotate(at=Coalesce("job__finished_at", "decided_at", "created_at"))
        .order_by("-at", "-pk")
    )


def _found(wanted: Mapping[str, Any]) -> "QuerySet[WithAnnotations[ChangeRequest, Ended]]":
    """Decided changes whose job, if any, has ended, by the form's cleaned data; what is empty does not filter."""
    found = decided().filter(Q(job=None) | Q(job__status__in=ENDED)).exclude(status=ChangeStatus.APPROVED, job=None)
    if person := wanted.get("person"):
        found = found.filter(Q(author=person) | Exists(Approval.objects.filter(change=OuterRef("pk"), person=person)))
    if cluster := wanted.get("cluster"):
        found = found.filter(cluster=cluster)
    if kind := wanted.get("kind"):
        found = found.filter(kind=kind)
    if text := wanted.get("text"):
        found = found.filter(search.mentions(text))
    if outcome := wanted.get("outcome"):
        by_job = outcome in set(_JOB_OUTCOMES)
        found = found.filter(job__status=outcome) if by_job else found.filter(job=None, status=outcome)
    if since := wanted.get("since"):
        found = found.filter(at__gte=_midnight(since))
    if until := wanted.get("until"):
        found = found.filter(at__lt=_midnight(until + timedelta(days=1)))
    return found


def _rows(changes: Iterable[ChangeRequest]) -> list[HistoryRow]:
    listed = list(changes)
    dark = _longest_dark(listed)
    return [_row(change, dark.get(change.pk)) for change in listed]


def _row(change: ChangeRequest, dark: timedelta | None) -> HistoryRow:
    job = getattr(change, "job", None)
    return HistoryRow(
        change=change,
        mark=job_board.job_mark(job) if job else CHANGE_MARKS[change.status],
        at=(job.finished_at if job else None) or change.decided_at or change.created_at,
        took=job_clocks.between(job.started_at, job.finished_at) if job else None,
        dark=dark.total_seconds() if dark else None,
        said=job.outcome if job else change.status_reason,
    )


def _longest_dark(changes: Iterable[ChangeRequest]) -> dict[int, timedelta]:
    """For each change the longest time that a service's ports did not answer, in one query."""
    dark = ExpressionWrapper(F("running_at") - F("released_at"), output_field=DurationField())
    rows = JobService.objects.filter(job__change__in=changes).exclude(running_at=None).exclude(released_at=None)
    longest = rows.order_by().values("job__change").annotate(longest=Max(dark))
    return {row["job__change"]: row["longest"] for row in longest}


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _choices(form: forms.Form, name: str) -> "forms.ModelChoiceField[Any]":
    field = form.fields[name]
    if not isinstance(field, forms.ModelChoiceField):
        raise TypeError(name)
    return field
