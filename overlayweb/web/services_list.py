"""The services of a cluster, as many as there are."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from overlayweb.services import inventory
from overlayweb.web import frame, listing
from overlayweb.web.clusters import get_listed_cluster

KINDS = (
    ("", "All services"),
    ("short", "Below strength"),
    ("updating", "Updating"),
    ("published", "Published"),
    ("attached", "On overlays"),
    ("alone", "On no overlay"),
)
COLUMNS = (
    ("name", "Service", False),
    ("stack", "Stack", False),
    ("containers", "Containers", True),
    ("networks", "Networks", True),
    ("ports", "Ports", False),
    ("state", "State", False),
)


@require_safe
@vary_on_headers("HX-Request")
def services(request: HttpRequest, name: str) -> HttpResponse:
    """One page of the cluster's services; filtered while it is typed, and brought up to date by itself."""
    cluster = get_listed_cluster(request, name)
    asked = listing.wanted(request, kinds=KINDS, orders=inventory.SERVICE_ORDERS)
    rows = inventory.services(cluster=cluster, text=asked.text, kind=asked.kind, order=asked.order)
    page = {
        "cluster": cluster,
        "sight": frame.of(request).sight,
        "listing": listing.listing(request, asked, rows, kinds=KINDS, columns=COLUMNS),
    }
    return render(request, "services.html#found" if listing.is_fragment(request) else "services.html", page)
