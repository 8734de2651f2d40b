"""Making a Swarm, letting engines join it, and the tokens by which they do. What changes something: administrators."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from overlayweb.domain import membership
from overlayweb.domain.membership import ROLES
from overlayweb.domain.readiness import Membership
from overlayweb.models import Cluster
from overlayweb.services import memberships, readiness
from overlayweb.services.readiness import Standing
from overlayweb.web import access, frame
from overlayweb.web.clusters import get_cluster
from overlayweb.web.readiness_forms import InitForm, JoinForm, Sheet, typed


@never_cache
@require_safe
def join(request: HttpRequest, name: str) -> HttpResponse:
    """The command by which an engine joins; to administrators the token, once they have asked for it."""
    cluster = get_cluster(request, name)
    now = timezone.now()
    standing = readiness.standing(cluster=cluster, now=now)
    sheet, form = _join_sheet(request.GET.dict(), standing)
    asked = form.request()
    actions = memberships.last(cluster=cluster)  # before the token: one that comes in between is shown by the next look
    token, action = "", None
    if frame.Frame(request=request, user=request.user).may_administer:
        token, action = memberships.token_for(
            cluster=cluster, person=access.signed_in(request), role=asked.role, now=now
        )
    page = {
        "cluster": cluster,
        "standing": standing,
        "sheet": sheet,
        "role": asked.role,
        "roles": ROLES,
        "token": token,
        "action": action,
        "command": membership.join_command(asked, token=token),
        "asked": asked,
        "waiting": next((row for row in actions if row.waits(now)), None),
        "joinable": memberships.joinable(cluster=cluster),
        "actions": actions,
    }
    return render(request, "readiness_join.html", page)


@require_POST
def let_join(request: HttpRequest, name: str) -> HttpResponse:
    """Have a registered engine join this Swarm."""
    person = access.admin(request)
    cluster = get_cluster(request, name)
    sheet, form = _join_sheet(request.POST.dict(), readiness.standing(cluster=cluster, now=timezone.now()))
    known = {str(row.pk): row for row in memberships.joinable(cluster=cluster)}
    other = known.get(request.POST.get("engine", ""))
    if other is None or sheet.blocked:
        messages.error(request, "Nothing was asked for: choose an engine, and mend what the form says.")
        return redirect("readiness-join", cluster.name)
    memberships.join(cluster=cluster, person=person, other=other, request=form.request(), now=timezone.now())
    return redirect("readiness-join", cluster.name)


@require_POST
def token(request: HttpRequest, name: str, role: str) -> HttpResponse:
    """Have the token of this role fetched for the administrator who asks."""
    person = access.admin(request)
    cluster = get_cluster(request, name)
    memberships.show(cluster=cluster, person=person, role=_role(role), now=timezone.now())
    return redirect(f"{reverse('readiness-join', args=[cluster.name])}?role={role}")


@require_POST
def hide(request: HttpRequest, name: str) -> HttpResponse:
    """Take the shown tokens away again."""
    person = access.admin(request)
    cluster = get_cluster(request, name)
    memberships.hide(cluster=cluster, person=person)
    return redirect("readiness-join", cluster.name)


@require_http_methods(["GET", "HEAD", "POST"])
def rotate(request: HttpRequest, name: str, role: str) -> HttpResponse:
    """What a new token means, and making it."""
    person = access.admin(request)
    cluster = get_cluster(request, name)
    _role(role)
    if request.method == "POST":
        memberships.rotate(cluster=cluster, person=person, role=role, now=timezone.now())
        return redirect("readiness-join", cluster.name)
    return render(request, "readiness_rotate.html", {"cluster": cluster, "role": role})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def initialise(request: HttpRequest, name: str) -> HttpResponse:
    """The command that makes a Swarm of the cluster's engine; administrators may have a worker do it."""
    cluster = get_cluster(request, name)
    now = timezone.now()
    standing = readiness.standing(cluster=cluster, now=now)
    data = request.POST.dict() if request.method == "POST" else typed(request.GET.dict(), _init_new(standing))
    form = InitForm(data)
    form.is_valid()
    asked = form.request()
    sheet = Sheet(form, readiness.check_init(cluster=cluster, check=standing.check, request=asked))
    if request.method == "POST":
        person = access.admin(request)
        if not sheet.blocked and _may_be_made(cluster, standing):
            memberships.initialise(cluster=cluster, person=person, request=asked, now=now)
            return redirect("readiness", cluster.name)
    page = {
        "cluster": cluster,
        "standing": standing,
        "sheet": sheet,
        "asked": asked,
        "command": membership.init_command(asked),
        "count": membership.networks_in(asked.pools or (membership.DEFAULT_POOL,), asked.size),
        "possible": _may_be_made(cluster, standing),
    }
    return render(request, "readiness_initialise.html", page)


def _join_sheet(data: dict[str, str], standing: Standing) -> tuple[Sheet, JoinForm]:
    new = {"role": ROLES[0], "remote": next(iter(standing.managers), "")}
    form = JoinForm(typed({**new, **data}, {}))
    form.is_valid()
    found = readiness.check_join(managers=standing.managers, request=form.request())
    return Sheet(form, found), form


def _init_new(standing: Standing) -> dict[str, str]:
    """What the form begins with: nothing, which leaves everything to the engine."""
    known = standing.check.engine.address if standing.check else ""
    return {"advertise": known}


def _may_be_made(cluster: Cluster, standing: Standing) -> bool:
    """Whether the engine told that it is in no Swarm."""
    return standing.membership is Membership.NONE and not cluster.demo


def _role(role: str) -> str:
    if role not in ROLES:
        raise Http404
    return role
