"""The networks of a cluster, as many as there are."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from overlayweb.services import inventory
from overlayweb.web import frame, listing
from overlayweb.web.clusters import get_listed_cluster

KINDS = (
    ("", "All overlays"),
    ("attachable", "Attachable"),
    ("internal", "Internal"),
    ("encrypted", "Encrypted"),
    ("unallocated", "Without addresses"),
    ("tight", "Nearly full"),
    ("unused", "Unused"),
    ("local", "The manager's own"),
)
COLUMNS = (
    ("name", "Network", False),
    ("subnet", "Subnet", False),
    ("used", "Addresses", True),
    ("services", "Services", True),
    ("nodes", "Nodes", True),
    ("mtu", "MTU", True),
    ("owner", "Owner", False),
    ("state", "State", False),
)


@require_safe
@vary_on_headers("HX-Request")
def networks(request: HttpRequest, name: str) -> HttpResponse:
    """One page of the cluster's networks; filtered while it is typed, and brought up to date by itself."""
    cluster = get_listed_cluster(request, name)
    asked = listing.wanted(request, kinds=KINDS, orders=inventory.NETWORK_ORDERS)
    rows = inventory.networks(cluster=cluster, text=asked.text, kind=asked.kind, order=asked.order)
    page = {
        "cluster": cluster,
        "sight": frame.of(request).sight,
        "listing": listing.listing(request, asked, rows, kinds=KINDS, columns=COLUMNS),
    }
    return render(request, "networks.html#found" if listing.is_fragment(request) else "networks.html", page)
