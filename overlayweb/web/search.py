"""Search, or jump: one field in the top bar for everything that has a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from overlayweb.domain import decoding
from overlayweb.models import ChangeRequest, Cluster, NetworkRow, ServiceRow
from overlayweb.services import search as searching
from overlayweb.services.search import Found
from overlayweb.web import frame
from overlayweb.web.listing import LONGEST_TEXT

LONGEST_MESSAGE = 2000
"""Characters; an engine's line in a log is longer than what anything is found by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that was found: its page, a line below its name, its cluster, and what else tells it from others."""

    title: str
    url: str
    note: str
    cluster: str
    about: str
    person: User | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What was found of one kind. ``more``: where the rest is listed, "" when this is all."""

    title: str
    about: str
    hits: Sequence[Hit]
    more: str


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """``/search?q=…``: what was found; where only one thing can be meant, its page. A known error is explained."""
    message = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_MESSAGE]  # PostgreSQL takes no NUL
    text, known = message[:LONGEST_TEXT], decoding.decode(message) is not None
    cluster = frame.of(request).cluster
    found = searching.everywhere(text, first=cluster) if text else None
    only = found.only(text) if found and not known else None
    if only is not None:
        return HttpResponseRedirect(page_of(only))
    shown = {
        "text": message,
        "known": known,
        "swarm": cluster.swarm() if known and cluster else None,
        "groups": [group for group in _groups(found, text, cluster) if group.hits] if found else [],
        "most": searching.MOST,
    }
    return render(request, "search.html", shown)


def page_of(row: NetworkRow | ServiceRow | ChangeRequest) -> str:
    """Where a thing that was found is shown; of a change that is carried out, its job."""
    if isinstance(row, NetworkRow):
        return reverse("network", args=[row.cluster.name, row.network_id])
    if isinstance(row, ServiceRow):
        return reverse("service", args=[row.cluster.name, row.service_id])
    job = getattr(row, "job", None)
    return reverse("job", args=[job.pk]) if job else reverse("change", args=[row.pk])


def _hit(row: NetworkRow | ServiceRow | ChangeRequest) -> Hit:
    url, cluster = page_of(row), row.cluster.name
    if isinstance(row, NetworkRow):
        note = f"stack {row.stack}" if row.stack else ""
        return Hit(title=row.name, url=url, note=note, cluster=cluster, about=row.subnets)
    if isinstance(row, ServiceRow):
        return Hit(title=row.name, url=url, note=row.image, cluster=cluster, about=row.ports)
    return Hit(title=row.title, url=url, note=row.reason, cluster=cluster, about="", person=row.author)


def _groups(found: Found, text: str, cluster: Cluster | None) -> Iterator[Group]:
    for kind, title, about, rows in (
        ("networks", "Networks", "Subnets", found.networks),
        ("services", "Services", "Published ports", found.services),
        ("changes", "Changes", "Asked by", found.changes),
    ):
        more = _rest(kind, text, cluster) if kind in found.more else ""
        yield Group(title=title, about=about, hits=[_hit(row) for row in rows], more=more)


def _rest(kind: str, text: str, cluster: Cluster | None) -> str:
    """The list that shows all of them: of the cluster looked at, or the history."""
    if kind == "changes":
        return f"{reverse('history')}?{urlencode({'text': text})}"
    return f"{reverse(kind, args=[cluster.name])}?{urlencode({'q': text})}" if cluster else ""
