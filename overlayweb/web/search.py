"""Search, or jump: one field in the top bar for everything that has a page."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from overlayweb.models import ChangeRequest, NetworkRow, ServiceRow
from overlayweb.services import search as searching
from overlayweb.web import frame
from overlayweb.web.listing import LONGEST_TEXT


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """``/search?q=…``: what was found; where only one thing can be meant, its page."""
    text = request.GET.get("q", "").strip()[:LONGEST_TEXT]
    found = searching.everywhere(text, first=frame.of(request).cluster) if text else None
    only = found.only(text) if found else None
    if only is not None:
        return HttpResponseRedirect(_page_of(only))
    return render(request, "search.html", {"text": text, "found": found, "most": searching.MOST})


def _page_of(row: NetworkRow | ServiceRow | ChangeRequest) -> str:
    if isinstance(row, NetworkRow):
        return reverse("network", args=[row.cluster.name, row.network_id])
    if isinstance(row, ServiceRow):
        return reverse("service", args=[row.cluster.name, row.service_id])
    job = getattr(row, "job", None)
    return reverse("job", args=[job.pk]) if job else reverse("change", args=[row.pk])
