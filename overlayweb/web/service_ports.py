"""The change back of a service's published ports that somebody changed outside: nothing to fill in but the reason."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from overlayweb.domain import connect_plans, standings
from overlayweb.domain.connect_plans import ConnectPlan, ConnectRequest
from overlayweb.domain.swarm import Service
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes, drifts
from overlayweb.web import asking
from overlayweb.web.access import asker
from overlayweb.web.clusters import get_cluster
from overlayweb.web.missing import MissingError

PAGE = "service_ports.html"
UNPROCESSABLE = 422


@require_http_methods(["GET", "HEAD", "POST"])
def service_ports(request: HttpRequest, name: str, service_id: str) -> HttpResponse:
    """What the change back would do, and the button that asks for it; where the ports are as approved, that."""
    return _page(request, get_cluster(request, name), service_id)


def again(request: HttpRequest, old: ChangeRequest) -> HttpResponse:
    """The same for what ``old`` asked for, against what is approved now."""
    asked = ConnectPlan.of(old.plan_record.plan()).request
    return _page(request, old.cluster, asked.publications[0].service_id, replaces=old)


def _page(
    request: HttpRequest, cluster: Cluster, service_id: str, *, replaces: ChangeRequest | None = None
) -> HttpResponse:
    asker(request)
    service = _found(cluster, service_id)
    page = {"cluster": cluster, "service": service, "replaces": replaces}
    drift = drifts.of_ports(cluster=cluster, service_name=service.name)
    if drift is None or drift.approved is None:
        return render(request, PAGE, page)
    asked = ConnectRequest(links=(), publications=(standings.publication(service, drift.approved.standing),))
    kind = connect_plans.KIND
    plan = changes.preview(cluster=cluster, request=asked, kind=kind)
    reason = request.POST.get("reason", "").strip()
    if request.method == "POST" and reason and not plan.blockers:
        answer = asking.submit(request, cluster, kind=kind, asked=asked, reason=reason, replaces=replaces)
        if answer is not None:
            return answer
        plan = changes.preview(cluster=cluster, request=asked, kind=kind)
    refused = request.method == "POST"
    page |= {"plan": plan, "drift": drift, "reason": reason, "refused": refused}
    return render(request, PAGE, page, status=UNPROCESSABLE if refused else 200)


def _found(cluster: Cluster, service_id: str) -> Service:
    """The service as seen last. Raises MissingError."""
    swarm = cluster.swarm()
    found = next((row for row in swarm.services if row.id == service_id), None) if swarm else None
    if found is None:
        raise MissingError(cluster)
    return found
