"""Drift: what was approved against what is, with "adopt" and "propose a change back"."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain.drift import Drift, Report, What
from overlayweb.domain.standings import Subject
from overlayweb.models import Cluster, Job
from overlayweb.services import drifts
from overlayweb.web import frame, listing
from overlayweb.web.access import decider
from overlayweb.web.clusters import get_cluster, get_listed_cluster
from overlayweb.web.listing import Listing

ADOPTED_SHOWN = 20
UNRECORDED = "unrecorded"
KINDS = (
    ("", "All that differs"),
    (What.CHANGED, "Changed outside"),
    (What.REMOVED, "Removed outside"),
    (What.MADE, "Made outside"),
    (UNRECORDED, "Never recorded"),
)
BACK = "back"
"""In the address of a form: begin with how it was approved."""
_TITLES = {
    What.CHANGED: "was changed outside",
    What.REMOVED: "was removed outside",
    What.MADE: "was made outside",
}
_NOUNS = {Subject.INGRESS: "The ingress", Subject.NETWORK: "Network", Subject.PORTS: "Ports of"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One drift as the page shows it. ``back``: where a change back is asked for, "" for nowhere, with ``label``;
    ``job``: the job of ours that made it, too late.
    """

    drift: Drift
    title: str
    back: str
    label: str
    job: Job | None = None

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """How it is, or was, where there is nothing to compare."""
        gone = self.drift.what is What.REMOVED and self.drift.approved
        return gone.standing.values if gone else self.drift.found.values


@require_safe
@vary_on_headers("HX-Request")
def drift(request: HttpRequest, name: str) -> HttpResponse:
    """What is not as it was approved, what was never approved, and what people have adopted."""
    cluster = get_listed_cluster(request, name)
    found = drifts.report(cluster=cluster)
    shown = _listed(request, found or Report())
    adopted = cluster.adoptions.select_related("person")
    context = {
        "cluster": cluster,
        "sight": frame.of(request).sight,
        "report": found,
        "listing": shown,
        "rows": _rows(cluster, [one for one in shown.page if isinstance(one, Drift)]),
        "adopted": adopted[:ADOPTED_SHOWN],
        "adopted_count": adopted.count(),
    }
    return render(request, "drift.html#found" if listing.is_fragment(request) else "drift.html", context)


@require_safe
def drift_count(request: HttpRequest, name: str) -> HttpResponse:
    """How much differs, as a few words for a list that does not read the whole observation."""
    return render(
        request, "parts/drift_words.html", {"report": drifts.report(cluster=get_listed_cluster(request, name))}
    )


@require_POST
def drift_adopt(request: HttpRequest, name: str) -> HttpResponse:
    """Keep one thing as it was found: an audited record, with the reason."""
    person, cluster = decider(request), get_cluster(request, name)
    reason, subject = request.POST.get("reason", "").strip(), request.POST.get("subject", "")
    if not reason or subject not in list(Subject):
        messages.error(request, "Nothing is adopted: say why it may stay so.")
        return redirect("drift", cluster.name)
    try:
        adopted = drifts.adopt(
            cluster=cluster,
            subject=Subject(subject),
            name=request.POST.get("name", ""),
            digest=request.POST.get("digest", ""),
            person=person,
            reason=reason,
            now=timezone.now(),
        )
    except drifts.MovedError as error:
        messages.error(request, str(error))
    else:
        messages.info(request, f"Adopted: this is how {_named(adopted.standing().subject, adopted.name)} shall be.")
    return redirect("drift", cluster.name)


@require_POST
def drift_record(request: HttpRequest, name: str) -> HttpResponse:
    """Keep all networks that were there before as they are."""
    person, cluster = decider(request), get_cluster(request, name)
    try:
        count = drifts.adopt_unrecorded(
            cluster=cluster,
            digest=request.POST.get("digest", ""),
            person=person,
            reason=request.POST.get("reason", "").strip() or "As they were found.",
            now=timezone.now(),
        )
    except drifts.MovedError as error:
        messages.error(request, str(error))
    else:
        messages.info(request, f"{count} network{'' if count == 1 else 's'} recorded. What changes from now on shows.")
    return redirect("drift", cluster.name)


def _listed(request: HttpRequest, report: Report) -> Listing:
    asked = listing.wanted(request, kinds=KINDS, orders=())
    if asked.kind == UNRECORDED:
        return listing.listing(request, asked, report.unrecorded_with(text=asked.text), kinds=KINDS)
    what = What(asked.kind) if asked.kind else None
    return listing.listing(request, asked, report.drifts_with(text=asked.text, what=what), kinds=KINDS)


def _rows(cluster: Cluster, found: Sequence[Drift]) -> list[Row]:
    numbers = [one.job for one in found if one.job is not None]
    jobs = cluster.jobs.only("pk").in_bulk(numbers) if numbers else {}
    return [_row(cluster, one, jobs.get(one.job)) for one in found]


def _row(cluster: Cluster, one: Drift, job: Job | None) -> Row:
    back, label = _back(cluster, one)
    return Row(
        drift=one,
        job=job,
        title=f"{_named(one.subject, one.name)} {'was made too late' if job else _verb(one)}",
        back=back,
        label=label,
    )


def _named(subject: Subject, name: str) -> str:
    return f"{_NOUNS[subject]} {name}".strip()


def _verb(one: Drift) -> str:
    return "were changed outside" if one.subject is Subject.PORTS else _TITLES[one.what]


def _back(cluster: Cluster, one: Drift) -> tuple[str, str]:
    """Where a change back is asked for, and what the link is called."""
    if one.subject is Subject.INGRESS:
        label = "Create it as approved…" if one.what is What.REMOVED else "Propose the change back…"
        return f"{reverse('ingress-customise', args=[cluster.name])}?{BACK}", label
    if one.subject is Subject.PORTS:
        return _url("service-ports", cluster.name, one.subject_id), "Propose the change back…"
    if one.what is What.MADE:
        return _url("network-delete", cluster.name, one.subject_id), "Propose to remove it…"
    query = "?" + urlencode({BACK: one.name})
    if one.what is What.REMOVED:
        return _url("network-new", cluster.name, query=query), "Create it as approved…"
    return _url("network-replace", cluster.name, one.subject_id, query=query), "Propose the change back…"


def _url(place: str, *args: str, query: str = "") -> str:
    try:
        return reverse(place, args=args) + query
    except NoReverseMatch:  # the id of a network is what an engine says
        return ""
