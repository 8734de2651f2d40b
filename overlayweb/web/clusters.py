"""Clusters: the overview, a fresh look, adding one, and the ranges that are kept free."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.models import Cluster
from overlayweb.services import clusters, drifts, endpoints
from overlayweb.web import access, frame
from overlayweb.web.cluster_forms import ClusterForm

PROBLEMS_SHOWN = 30
"""What does not work comes first; the lists of networks and services show all of a kind."""

LONG_SECONDS = 20.0
"""A look takes a second or two; after this long a page says where to look."""


def get_cluster(request: HttpRequest, name: str) -> Cluster:
    """The cluster of a page, remembered as the one that is looked at; or 404. Every account sees every cluster."""
    cluster = get_object_or_404(Cluster, name=name, removed_at=None)
    frame.remember(request, cluster)
    return cluster


def get_listed_cluster(request: HttpRequest, name: str) -> Cluster:
    """The cluster of a list, as the frame has loaded it, which saves a question; or 404."""
    cluster = frame.of(request).cluster
    if cluster is None or cluster.name != name:
        raise Http404
    frame.remember(request, cluster)
    return cluster


def _get_editable(request: HttpRequest, name: str) -> Cluster:
    """The cluster, or 404; the demo is removed in its own way, and has one address."""
    cluster = get_cluster(request, name)
    if cluster.demo:
        raise Http404
    return cluster


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The cluster that was looked at last; without any, how to add the first."""
    cluster = frame.of(request).cluster
    return redirect("cluster", cluster.name) if cluster else render(request, "no_cluster.html")


@require_safe
def cluster(request: HttpRequest, name: str) -> HttpResponse:
    """One cluster: what is wrong, its ingress, its nodes, what waits for approval."""
    found = get_cluster(request, name)
    sight = clusters.sight(cluster=found, now=timezone.now())
    page = {
        "cluster": found,
        "sight": sight,
        "swarm": sight.swarm,
        "problems": (problems := clusters.problems(cluster=found))[:PROBLEMS_SHOWN],
        "more_problems": len(problems[PROBLEMS_SHOWN:]),
        "report": drifts.report(cluster=found),
        "waiting": found.changes.filter(status=ChangeStatus.PENDING).select_related("author"),
    }
    return render(request, "cluster.html", page)


@require_POST
def cluster_look(request: HttpRequest, name: str) -> HttpResponse:
    """Ask a worker for a fresh observation, and go back."""
    found = get_cluster(request, name)
    now = timezone.now()
    frame.keep_asked(request, found, now=now)
    clusters.look(cluster=found, now=now)
    return frame.back(request, reverse("cluster", args=[found.name]))


@require_safe
def cluster_news(request: HttpRequest, name: str) -> HttpResponse:
    """What a page says while it waits for a look: for how long. Once there is one, the event ``seen`` says so too.

    ``known``: the last look that the page knows, as :func:`frame.known` writes it; ``since``: when it began to wait,
    in seconds since 1970.
    """
    found = get_object_or_404(Cluster, name=name, removed_at=None)
    since = request.GET.get("since", "")
    waited = max(timezone.now().timestamp() - int(since), 0.0) if since.isascii() and since.isdigit() else 0.0
    answer = render(request, "parts/waited.html", {"waited": int(waited), "long": waited > LONG_SECONDS})
    answer.headers["Cache-Control"] = "no-store"
    return trigger_client_event(answer, "seen") if frame.known(found) != request.GET.get("known", "") else answer


@never_cache
@sensitive_post_parameters("tls_key")
@require_http_methods(["GET", "HEAD", "POST"])
def cluster_add(request: HttpRequest) -> HttpResponse:
    """Register a Swarm by one of its managers."""
    access.admin(request)
    form = ClusterForm(request.POST or None)
    if not form.is_valid():
        return render(request, "cluster_add.html", {"form": form})
    added = clusters.add(now=timezone.now(), **form.cleaned_data)
    return redirect("cluster", added.name)


@never_cache
@sensitive_post_parameters("tls_key")
@require_http_methods(["GET", "HEAD", "POST"])
def cluster_edit(request: HttpRequest, name: str) -> HttpResponse:
    """Another name or address for a cluster."""
    access.admin(request)
    found = _get_editable(request, name)
    form = ClusterForm(request.POST or None, reached=found)
    if form.is_valid():
        try:
            endpoints.change(cluster=found, now=timezone.now(), **form.cleaned_data)
        except endpoints.InUseError as error:
            form.add_error(None, str(error))
        else:
            return redirect("cluster", form.cleaned_data["name"])
    return render(request, "cluster_edit.html", {"cluster": found, "form": form})


@require_POST
def cluster_remove(request: HttpRequest, name: str) -> HttpResponse:
    """Forget a cluster; its history stays."""
    access.admin(request)
    found = _get_editable(request, name)
    try:
        endpoints.remove(cluster=found, now=timezone.now())
    except endpoints.InUseError as error:
        messages.error(request, str(error))
        return redirect("cluster-edit", name)
    messages.info(request, f"{name} is removed. Its changes and jobs stay in the history.")
    return redirect("overview")
