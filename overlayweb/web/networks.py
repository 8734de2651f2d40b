"""One overlay: what it is and who is on it; the form that makes one, and the page that takes one away."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from overlayweb.domain import capacity, container_plans, inventory, network_plans, reach, standalone
from overlayweb.domain.ingress_settings import job_of
from overlayweb.domain.network_plans import CreatePlan, CreateRequest, DeletePlan, DeleteRequest
from overlayweb.domain.network_settings import NetworkSettings, of_network
from overlayweb.domain.plans import Level
from overlayweb.domain.swarm import Network, Service, Swarm
from overlayweb.models import ChangeRequest, Cluster, Job
from overlayweb.services import changes, drifts, seeing
from overlayweb.web import asking, frame, network_pick
from overlayweb.web.access import asker
from overlayweb.web.clusters import get_cluster
from overlayweb.web.drift import BACK
from overlayweb.web.missing import MissingError
from overlayweb.web.network_drafts import NetworkDraft
from overlayweb.web.network_forms import FIELDS, USE, NetworkForm, Row, beside, initial_of, with_suggestion
from overlayweb.web.network_pick import PICK

NEW, DELETE = "network_new.html", "network_delete.html"
CHECK = "check"
UNPROCESSABLE = 422
HISTORY = 20


@dataclass(kw_only=True)
class Draft(NetworkDraft):
    """``problem``: why there is no plan."""

    request: CreateRequest
    plan: CreatePlan | None = None
    problem: str = ""

    @cached_property
    def rows(self) -> dict[str, Row]:
        """The typed fields by name."""
        return {
            name: Row(self.form[name], beside(self.plan, name) if self.plan and not self.blank else ())
            for name in FIELDS
        }

    @property
    def blank(self) -> bool:
        """Whether nothing was typed yet."""
        return self.request.settings == NetworkSettings()


@require_safe
def network(request: HttpRequest, name: str, network_id: str) -> HttpResponse:
    """Everything that is known of one network."""
    cluster = get_cluster(request, name)
    swarm, found = _found(cluster, network_id)
    attached = sorted((row for row in swarm.services if network_id in row.network_ids), key=lambda row: row.name)
    vips = {service.id: dict(service.vips).get(network_id, "").partition("/")[0] for service in attached}
    names = {container.id: container.name for _, container in container_plans.known(swarm)}
    settings = of_network(found)
    page = {
        "cluster": cluster,
        "sight": frame.of(request).sight,
        "swarm": swarm,
        "network": found,
        "settings": settings,
        "commands": [network_plans.create_line(settings)],
        "origin": _origin(cluster, found),
        "services": [(s, vips[s.id], reach.aliases_of(s.spec).get(network_id, ())) for s in attached],
        "nodes": _by_node(swarm, found),
        "filling": capacity.filling_of(swarm=swarm, network_id=network_id),
        "standalone": [(box, names.get(box.container_id, "")) for box in standalone.seen_on(swarm, found)],
        "of_nodes": len(swarm.nodes),
        "present": inventory.nodes_on(swarm=swarm, network=found),
        "uses": [row for row in network_plans.in_the_way(swarm, found) if row.level is Level.BLOCKER],
        "history": changes.of_network(cluster=cluster, network=found, most=HISTORY),
        "adoptions": drifts.adoptions_of(cluster=cluster, network=found)[:HISTORY],
        "document": found.document and json.dumps(json.loads(found.document), indent=2, ensure_ascii=False),
    }
    return render(request, "network.html", page)


@require_http_methods(["GET", "HEAD", "POST"])
def network_new(request: HttpRequest, name: str) -> HttpResponse:
    """The form with the plan beside it; posted, it becomes a change request, unless something has to be mended."""
    asker(request)
    cluster = get_cluster(request, name)
    if request.method == "POST":
        return _ask_new(request, cluster)
    approved = drifts.network_as_approved(cluster=cluster, name=request.GET[BACK]) if BACK in request.GET else None
    return render(request, NEW, {"draft": _start(cluster, approved or NetworkSettings())})


@require_POST
def network_new_preview(request: HttpRequest, name: str) -> HttpResponse:
    """What the form would do, while it is typed."""
    asker(request)
    draft = _read(get_cluster(request, name), request.POST)
    draft.forget_missing_reason()
    return render(request, f"{NEW}#answer", {"draft": draft})


@require_http_methods(["GET", "HEAD", "POST"])
def network_delete(request: HttpRequest, name: str, network_id: str) -> HttpResponse:
    """What still uses the network; where nothing does, the button that asks for its removal."""
    asker(request)
    return _delete(request, get_cluster(request, name), network_id)


def again(request: HttpRequest, old: ChangeRequest) -> HttpResponse:
    """The form, filled with what ``old`` asked for; posted, what replaces it."""
    if old.kind == network_plans.DELETE:
        return _delete(request, old.cluster, DeletePlan.of(old.plan_record.plan()).network_id, replaces=old)
    if request.method == "POST":
        return _ask_new(request, old.cluster, replaces=old)
    asked = CreatePlan.of(old.plan_record.plan()).request
    return render(request, NEW, {"draft": _start(old.cluster, asked.settings, replaces=old)})


def _ask_new(request: HttpRequest, cluster: Cluster, *, replaces: ChangeRequest | None = None) -> HttpResponse:
    draft = _read(cluster, with_suggestion(request.POST), replaces=replaces)
    if {CHECK, PICK, USE} & set(request.POST):
        draft.forget_missing_reason()
        return render(request, NEW, {"draft": draft})
    if draft.form.errors or draft.problems:
        return render(request, NEW, {"draft": draft, "refused": True}, status=UNPROCESSABLE)
    reason = draft.form.cleaned_data["reason"]
    answer = asking.submit(
        request, cluster, kind=network_plans.CREATE, asked=draft.request, reason=reason, replaces=replaces
    )
    if answer is not None:
        return answer
    draft = _read(cluster, request.POST, replaces=replaces)
    return render(request, NEW, {"draft": draft, "refused": True}, status=UNPROCESSABLE)


def _delete(
    request: HttpRequest, cluster: Cluster, network_id: str, *, replaces: ChangeRequest | None = None
) -> HttpResponse:
    _swarm, found = _found(cluster, network_id)
    asked = DeleteRequest(network_id=network_id)
    plan = changes.preview(cluster=cluster, request=asked, kind=network_plans.DELETE)
    reason = request.POST.get("reason", "").strip()
    if request.method == "POST" and reason and not plan.blockers:
        kind = network_plans.DELETE
        answer = asking.submit(request, cluster, kind=kind, asked=asked, reason=reason, replaces=replaces)
        if answer is not None:
            return answer
        plan = changes.preview(cluster=cluster, request=asked, kind=kind)
    page = {"cluster": cluster, "network": found, "plan": plan, "replaces": replaces}
    refused = request.method == "POST"
    return render(request, DELETE, page | {"refused": refused}, status=UNPROCESSABLE if refused else 200)


def _found(cluster: Cluster, network_id: str) -> tuple[Swarm, Network]:
    """The network as seen last. Raises MissingError."""
    swarm = cluster.swarm()
    found = next((n for n in swarm.networks if n.id == network_id and n.scope == "swarm"), None) if swarm else None
    if swarm is None or found is None:
        raise MissingError(cluster)
    return swarm, found


def _by_node(swarm: Swarm, found: Network) -> list[tuple[str, list[tuple[Service, int]]]]:
    """(node, [(service, containers on it)]) of what may be on the network."""
    hostnames = {node.id: node.hostname for node in swarm.nodes}
    services = {service.id: service for service in swarm.services}
    counted: dict[str, Counter[str]] = {}
    for swarm_task in swarm.swarm_tasks:
        if swarm_task.may_be_on(found.id) and swarm_task.service_id in services:
            counted.setdefault(hostnames.get(swarm_task.node_id, swarm_task.node_id), Counter())[
                swarm_task.service_id
            ] += 1
    return [
        (node, sorted(((services[key], count) for key, count in rows.items()), key=lambda row: row[0].name))
        for node, rows in sorted(counted.items())
    ]


def _origin(cluster: Cluster, found: Network) -> Job | None:
    """The job that made the network."""
    number = job_of(found)
    return cluster.jobs.filter(pk=number).select_related("change").first() if number is not None else None


def _start(cluster: Cluster, settings: NetworkSettings, *, replaces: ChangeRequest | None = None) -> Draft:
    draft = _read(cluster, initial_of(settings), replaces=replaces)
    draft.forget_missing_reason()
    return draft


def _read(cluster: Cluster, typed: Any, *, replaces: ChangeRequest | None = None) -> Draft:
    data, pick = network_pick.take(cluster=cluster, typed=typed)
    form = NetworkForm(data)
    form.full_clean()
    settings = form.settings()
    approved = drifts.labels_as_approved(cluster=cluster, name=settings.name) if settings.labels else ()
    asked = CreateRequest(settings=settings, approved_labels=approved)
    draft = Draft(cluster=cluster, form=form, request=asked, pick=pick, replaces=replaces)
    try:
        plan = changes.preview(cluster=cluster, request=draft.request, kind=network_plans.CREATE)
        draft.plan = CreatePlan.of(plan)
    except seeing.NotSeenError as error:
        draft.problem = str(error)
    return draft
