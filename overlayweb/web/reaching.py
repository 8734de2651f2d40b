"""Who reaches whom: the matrix of services and overlays, and one service with its neighbours by network."""

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain import decoding, reach
from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.inventory import JOBS
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.web import frame
from overlayweb.web.clusters import get_cluster
from overlayweb.web.listing import is_fragment
from overlayweb.web.missing import MissingError

PAGE = "reach.html"
LONGEST_TEXT = 200
_STOPPED = {"paused": "Its update is paused", "rollback_paused": "Its rollback is paused"}


@require_safe
@vary_on_headers("HX-Request")
def matrix(request: HttpRequest, name: str) -> HttpResponse:
    """Services by overlays, filtered while it is typed; drawn from the last look."""
    cluster = get_cluster(request, name)
    swarm = cluster.swarm()
    services, networks = (request.GET.get(key, "").strip()[:LONGEST_TEXT] for key in ("service", "network"))
    shared = "shared" in request.GET
    page = {
        "cluster": cluster,
        "sight": frame.of(request).sight,
        "matrix": reach.matrix(swarm=swarm, services=services, networks=networks, shared=shared) if swarm else None,
        "service_text": services,
        "network_text": networks,
        "shared": shared,
    }
    return render(request, f"{PAGE}#found" if is_fragment(request) else PAGE, page)


@require_safe
def service(request: HttpRequest, name: str, service_id: str) -> HttpResponse:
    """One service: its networks with VIPs, aliases and neighbours, its ports, its containers by node."""
    cluster = get_cluster(request, name)
    swarm = cluster.swarm()
    found = next((row for row in swarm.services if row.id == service_id), None) if swarm else None
    if swarm is None or found is None:
        raise MissingError(cluster)
    running, wanted = len(swarm.running_on(found.id)), wanted_swarm_tasks(swarm=swarm, service=found)
    said = decoding.complaint(swarm=swarm, service=found)
    page = {
        "cluster": cluster,
        "sight": frame.of(request).sight,
        "swarm": swarm,
        "service": found,
        "wanted": wanted,
        "stopped": _STOPPED.get(found.update_state, ""),
        "short": running < wanted and found.mode not in JOBS,
        "complaint": "" if decoding.decode(said) else said,
        "attachments": reach.attachments(swarm, found),
        "nodes": _by_node(swarm, found),
        "running": running,
    }
    return render(request, "service.html", page)


def _by_node(swarm: Swarm, found: Service) -> list[tuple[str, str]]:
    """(node, its containers in words) pairs: how many are in which state, of those that are meant to be there."""
    hostnames = {node.id: node.hostname for node in swarm.nodes}
    counted: dict[str, Counter[str]] = {}
    for swarm_task in swarm.tasks_of(found.id):
        if swarm_task.desired_state == "running" or swarm_task.state == "running":
            where = hostnames.get(swarm_task.node_id, "on no node yet")
            counted.setdefault(where, Counter())[swarm_task.state] += 1
    return [
        (where, ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
        for where, states in sorted(counted.items())
    ]
