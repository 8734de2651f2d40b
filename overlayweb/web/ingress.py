"""The ingress of a cluster: what it is, and the form in which a rebuild is asked for."""

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from overlayweb.domain import capacity, commands, ingress_plans, ingress_settings, repair_plans
from overlayweb.domain.mesh import Mesh, Presence
from overlayweb.domain.swarm import Network, Swarm
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import clusters
from overlayweb.web import asking, drafts, meshes
from overlayweb.web.access import asker
from overlayweb.web.clusters import get_cluster
from overlayweb.web.drift import BACK
from overlayweb.web.ingress_forms import USE, with_suggestion

PAGES = {ingress_plans.KIND: "ingress_customise.html", repair_plans.KIND: "ingress_repair.html"}
"""The page on which a change of each kind is asked for."""
CHECK = "check"
"""The button that shows the plan without asking for anything: the way of a browser without JavaScript."""
UNPROCESSABLE = 422
SERVICES_SHOWN = 100
"""The list of services has them all."""
MEND = "mend"
"""In the address of the form: begin with what mends what is wrong."""


@require_safe
def ingress(request: HttpRequest, name: str) -> HttpResponse:
    """The ingress: settings, room, who publishes through it, on which nodes it is."""
    cluster = get_cluster(request, name)
    sight = clusters.sight(cluster=cluster, now=timezone.now())
    found = sight.swarm.ingress_networks if sight.swarm else ()
    page = {"cluster": cluster, "sight": sight, "swarm": sight.swarm, "networks": found}
    if sight.swarm and sight.mesh:
        rows = meshes.nodes(sight.swarm, sight.mesh)
        present = sum(row.node.presence is Presence.PRESENT for row in rows)
        page |= {"mesh": sight.mesh, "nodes": rows, "present": present, "several": _several(sight.swarm, sight.mesh)}
    if sight.swarm and len(found) == 1:
        page |= _one_ingress(sight.swarm, found[0])
    return render(request, "ingress.html", page)


@require_http_methods(["GET", "HEAD", "POST"])
def ingress_customise(request: HttpRequest, name: str) -> HttpResponse:
    """The form with the plan beside it; posted, it becomes a change request, unless something has to be mended."""
    return _form(request, name, ingress_plans.KIND)


@require_http_methods(["GET", "HEAD", "POST"])
def ingress_repair(request: HttpRequest, name: str) -> HttpResponse:
    """What is wrong with the routing mesh and how we know, the plan that mends it, and the button that asks for it."""
    return _form(request, name, repair_plans.KIND)


@require_POST
def ingress_preview(request: HttpRequest, name: str) -> HttpResponse:
    """What the form would do, while it is typed: verdicts beside the fields, and the plan. No field is sent back."""
    asker(request)
    kind = repair_plans.KIND if request.POST.get("kind") == repair_plans.KIND else ingress_plans.KIND
    draft = drafts.read(cluster=get_cluster(request, name), kind=kind, data=request.POST)
    draft.forget_missing_reason()
    return render(request, "ingress_customise.html#answer", {"draft": draft})


def ask(
    request: HttpRequest, cluster: Cluster, *, kind: str = ingress_plans.KIND, replaces: ChangeRequest | None = None
) -> HttpResponse:
    """Turn the posted form into a change request, or show the form again with everything that has to be mended."""
    data = with_suggestion(request.POST)
    draft = drafts.read(cluster=cluster, kind=kind, data=data, replaces=replaces)
    if {USE, CHECK} & set(request.POST):
        draft.forget_missing_reason()
        return render(request, PAGES[kind], {"draft": draft})
    if draft.form.errors or draft.problems or draft.plan is None:
        return render(request, PAGES[kind], {"draft": draft, "refused": True}, status=UNPROCESSABLE)
    reason = draft.form.cleaned_data["reason"]
    answer = asking.submit(request, cluster, kind=kind, asked=draft.request, reason=reason, replaces=replaces)
    if answer is not None:
        return answer
    draft = drafts.read(cluster=cluster, kind=kind, data=request.POST, replaces=replaces)
    return render(request, PAGES[kind], {"draft": draft, "refused": True}, status=UNPROCESSABLE)


def again(request: HttpRequest, old: ChangeRequest) -> HttpResponse:
    """The form, filled with what ``old`` asked for; posted, what replaces it."""
    if request.method == "POST":
        return ask(request, old.cluster, kind=old.kind, replaces=old)
    draft = drafts.start(cluster=old.cluster, kind=old.kind, request=old.plan_record.plan().request, replaces=old)
    return render(request, PAGES[old.kind], {"draft": draft})


def _form(request: HttpRequest, name: str, kind: str) -> HttpResponse:
    asker(request)
    cluster = get_cluster(request, name)
    if request.method != "POST":
        begin = drafts.back if BACK in request.GET else drafts.mending if MEND in request.GET else None
        mends = begin is not None and kind == ingress_plans.KIND
        draft = begin(cluster=cluster) if begin and mends else drafts.start(cluster=cluster, kind=kind)
        return render(request, PAGES[kind], {"draft": draft})
    return ask(request, cluster, kind=kind)


def _several(swarm: Swarm, mesh: Mesh) -> list[tuple[Network, int]]:
    """Where there are several: each with how many services have an address on it; first whose settings are kept."""
    on = Counter(network_id for service in swarm.published_services for network_id, _ in service.vips)
    return [(network, on[network.id]) for network in reversed(mesh.replaced)]


def _one_ingress(swarm: Swarm, network: Network) -> dict[str, object]:
    settings = ingress_settings.settings_of(network)
    shown = swarm.published_services[:SERVICES_SHOWN]
    vips = {s.id: dict(s.vips).get(network.id, "").partition("/")[0] for s in shown}
    return {
        "network": network,
        "settings": settings,
        "room": capacity.ingress_room(swarm=swarm, settings=settings),
        "command": (commands.create_ingress(settings),),
        "published": [(s, vips[s.id], len(swarm.running_on(s.id))) for s in shown],
    }
