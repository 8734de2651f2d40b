"""The page of something that a cluster has no more: it says so inside the frame, and where to go on."""

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from overlayweb.models import Cluster
from overlayweb.web import frame, network_forms

_LISTS = {"network_id": ("network", "networks"), "service_id": ("service", "services")}
"""What an address names, by the argument of its route, and the page that lists all of them."""


class MissingError(Http404):
    """The last look at the cluster did not find what the address names, or there was no look yet."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(f"not found in {cluster.name}")
        self.cluster = cluster


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What answers every 404."""
    arguments = request.resolver_match.kwargs if request.resolver_match else {}
    argument = next((name for name in _LISTS if name in arguments), "")
    if not isinstance(exception, MissingError) or not argument or _has(exception.cluster, arguments[argument]):
        return defaults.page_not_found(request, exception)
    noun, listed = _LISTS[argument]
    page = {
        "noun": noun,
        "listed": listed,
        "cluster": exception.cluster,
        "sight": frame.of(request).sight,
        "typed": _typed(request),
    }
    return render(request, "missing.html", page, status=404)


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What was typed into the form that was about it, by the label of the field: to be copied from."""
    fields = {name: network_forms.NetworkForm.base_fields[name] for name in network_forms.FIELDS}
    typed = {
        str(field.label or name.capitalize()): request.POST.get(name, "").strip()
        for name, field in fields.items()
        if not isinstance(field, forms.BooleanField)
    }
    return [(label, text) for label, text in typed.items() if text]


def _has(cluster: Cluster, wanted: str) -> bool:
    """Whether it is there after all, and only this page is not for it: nobody replaces the ingress like an overlay."""
    swarm = cluster.swarm()
    return swarm is not None and wanted in {*(row.id for row in swarm.networks), *(row.id for row in swarm.services)}
