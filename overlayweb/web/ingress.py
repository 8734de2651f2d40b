"""The ingress of a cluster: what it is, and the form in which a rebuild is asked for."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from overlayweb.domain import capacity, commands, diagnosis, ingress_settings
from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.swarm import Network, Node, Swarm
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes, clusters
from overlayweb.web import drafts
from overlayweb.web.access import asker
from overlayweb.web.clusters import get_cluster
from overlayweb.web.ingress_forms import USE, with_suggestion

PAGE = "ingress_customise.html"
CHECK = "check"
"""The button that shows the plan without asking for anything: the way of a browser without JavaScript."""
UNPROCESSABLE = 422


@require_safe
def ingress(request: HttpRequest, name: str) -> HttpResponse:
    """The ingress: settings, room, who publishes through it, on which nodes it is."""
    cluster = get_cluster(request, name)
    sight = clusters.sight(cluster=cluster, now=timezone.now())
    found = sight.swarm.ingress_networks if sight.swarm else ()
    page = {"cluster": cluster, "sight": sight, "swarm": sight.swarm, "networks": found}
    if sight.swarm and len(found) == 1:
        page |= _one_ingress(sight.swarm, found[0])
    return render(request, "ingress.html", page)


@require_http_methods(["GET", "HEAD", "POST"])
def ingress_customise(request: HttpRequest, name: str) -> HttpResponse:
    """The form with the plan beside it; posted, it becomes a change request, unless something has to be mended."""
    asker(request)
    cluster = get_cluster(request, name)
    if request.method != "POST":
        return render(request, PAGE, {"draft": drafts.start(cluster=cluster)})
    return ask(request, cluster, replaces=None)


@require_POST
def ingress_preview(request: HttpRequest, name: str) -> HttpResponse:
    """What the form would do, while it is typed: verdicts beside the fields, and the plan. No field is sent back."""
    asker(request)
    draft = drafts.read(cluster=get_cluster(request, name), data=request.POST)
    draft.forget_missing_reason()
    return render(request, f"{PAGE}#answer", {"draft": draft})


def ask(request: HttpRequest, cluster: Cluster, *, replaces: ChangeRequest | None) -> HttpResponse:
    """Turn the posted form into a change request, or show the form again with everything that has to be mended."""
    draft = drafts.read(cluster=cluster, data=with_suggestion(request.POST), replaces=replaces)
    if {USE, CHECK} & set(request.POST):
        draft.forget_missing_reason()
        return render(request, PAGE, {"draft": draft})
    if draft.form.errors or draft.problems or draft.plan is None:
        return render(request, PAGE, {"draft": draft, "refused": True}, status=UNPROCESSABLE)
    try:
        change = changes.submit(
            cluster=cluster,
            request=draft.form.request(),
            author=asker(request),
            reason=draft.form.cleaned_data["reason"],
            now=timezone.now(),
            replaces=_withdrawn_by(asker(request), replaces),
        )
    except (changes.BlockedError, changes.NotSeenError):  # the cluster moved in the moment between
        draft = drafts.read(cluster=cluster, data=request.POST, replaces=replaces)
        return render(request, PAGE, {"draft": draft, "refused": True}, status=UNPROCESSABLE)
    return redirect("change", change.pk)


def _withdrawn_by(person: User, old: ChangeRequest | None) -> ChangeRequest | None:
    """The change that a new one takes the place of. Somebody else's that still waits is theirs to withdraw."""
    others = old is not None and old.status == ChangeStatus.PENDING and old.author_id != person.pk
    return None if others else old


def _one_ingress(swarm: Swarm, network: Network) -> dict[str, object]:
    settings = ingress_settings.settings_of(network)
    vips = {s.id: dict(s.vips).get(network.id, "").partition("/")[0] for s in swarm.published_services}
    absent = diagnosis.absent_nodes(swarm=swarm, ingress=network)
    return {
        "network": network,
        "settings": settings,
        "room": capacity.ingress_room(swarm=swarm, settings=settings),
        "command": (commands.create_ingress(settings),),
        "published": [(s, vips[s.id], len(swarm.running_on(s.id))) for s in swarm.published_services],
        "nodes": [(node, _presence(node, network, absent)) for node in swarm.nodes],
    }


def _presence(node: Node, network: Network, absent: tuple[Node, ...]) -> str:
    """ "present", "absent", or "unknown" where a manager cannot see it."""
    if not node.ready or not network.peers:
        return "unknown"
    return "absent" if node in absent else "present"
