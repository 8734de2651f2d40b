"""Where the engines of nodes are reached, so that they may be asked themselves. Administrators only."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from overlayweb.models import Cluster, NodeEndpoint
from overlayweb.services import endpoints
from overlayweb.web import access, meshes
from overlayweb.web.cluster_forms import NodeEndpointForm
from overlayweb.web.clusters import get_cluster


@never_cache
@sensitive_post_parameters("tls_key")
@require_http_methods(["GET", "HEAD", "POST"])
def nodes(request: HttpRequest, name: str) -> HttpResponse:
    """The nodes with where each is asked and what it said, and a form for one more."""
    access.admin(request)
    return _page(request, get_cluster(request, name), None)


@never_cache
@sensitive_post_parameters("tls_key")
@require_http_methods(["GET", "HEAD", "POST"])
def node(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """The same, with the form filled for one of them."""
    access.admin(request)
    cluster = get_cluster(request, name)
    return _page(request, cluster, get_object_or_404(cluster.node_endpoints, pk=pk))


@require_POST
def node_forget(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Ask this node itself no more."""
    access.admin(request)
    cluster = get_cluster(request, name)
    if not endpoints.forget_node(cluster=cluster, pk=pk, now=timezone.now()):
        raise Http404
    return redirect("cluster-nodes", cluster.name)


def _page(request: HttpRequest, cluster: Cluster, edited: NodeEndpoint | None) -> HttpResponse:
    registered = {row.hostname: row for row in cluster.node_endpoints.all()}
    swarm, mesh = cluster.swarm(), cluster.mesh()
    rows = meshes.nodes(swarm, mesh) if swarm and mesh else []
    names = sorted({row.node.hostname for row in rows} - registered.keys())
    hostnames = [edited.hostname] if edited else names
    form = NodeEndpointForm(request.POST or None, reached=edited, hostnames=hostnames)
    if form.is_valid():
        endpoints.keep_node(cluster=cluster, now=timezone.now(), **form.cleaned_data)
        return redirect("cluster-nodes", cluster.name)
    page = {
        "cluster": cluster,
        "form": form,
        "edited": edited,
        "names": hostnames,
        "swarm": swarm,
        "rows": [(row, registered.pop(row.node.hostname, None)) for row in rows],
        "gone": list(registered.values()),
    }
    return render(request, "cluster_nodes.html", page)
