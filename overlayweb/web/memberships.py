"""Making a Swarm, letting engines join it, and the tokens by which they do. What changes something: administrators."""

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain import init_plans, membership
from overlayweb.domain.membership import ROLES, InitRequest, JoinRequest
from overlayweb.models import ChangeRequest, Cluster, MembershipAction
from overlayweb.services import memberships, readiness
from overlayweb.web import access, asking, frame, membership_drafts
from overlayweb.web.clusters import get_cluster
from overlayweb.web.listing import is_fragment
from overlayweb.web.membership_drafts import Draft
from overlayweb.web.readiness_forms import USE

INIT, JOIN = "readiness_initialise.html", "readiness_join.html"
CHECK = "check"
UNPROCESSABLE = 422


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def initialise(request: HttpRequest, name: str) -> HttpResponse:
    """The form that makes a Swarm of the cluster's engine: the command for everybody, the plan, and asking for it."""
    return _answer(request, get_cluster(request, name), INIT)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def join(request: HttpRequest, name: str) -> HttpResponse:
    """The form by which an engine joins: by hand with a command, or a registered one by a change."""
    return _answer(request, get_cluster(request, name), JOIN)


def again(request: HttpRequest, old: ChangeRequest) -> HttpResponse:
    """The form, filled with what ``old`` asked for; posted, what replaces it."""
    return _answer(request, old.cluster, INIT if old.kind == init_plans.KIND else JOIN, replaces=old)


def _answer(
    request: HttpRequest, cluster: Cluster, template: str, *, replaces: ChangeRequest | None = None
) -> HttpResponse:
    """Typing is answered by the preview; asking by the change request, or by the form with all that is wrong."""
    posted = request.method == "POST"
    data = request.POST.dict() if posted else request.GET.dict()
    draft = _read(cluster, template, data, replaces)
    if posted and not is_fragment(request) and not {CHECK, USE} & set(data):
        return _ask(request, draft, template, data)
    draft.form.forget_missing_reason()
    partial = "#answer" if posted and is_fragment(request) else ""
    return render(request, f"{template}{partial}", _page(request, draft))


def _ask(request: HttpRequest, draft: Draft, template: str, data: Mapping[str, str]) -> HttpResponse:
    access.asker(request, for_admins=True)
    if template == JOIN and draft.request is None:
        draft.form.add_error("joins", "Choose the engine that joins: by hand nobody has to approve it here.")
    if draft.request is not None and not draft.problems and not draft.form.errors:
        answer = asking.submit(
            request,
            draft.cluster,
            kind=draft.kind,
            asked=draft.request,
            reason=draft.form.cleaned_data["reason"],
            replaces=draft.replaces,
        )
        if answer is not None:
            return answer
        draft = _read(draft.cluster, template, data, draft.replaces)
    return render(request, template, {**_page(request, draft), "refused": True}, status=UNPROCESSABLE)


def _read(cluster: Cluster, template: str, data: Mapping[str, str], replaces: ChangeRequest | None) -> Draft:
    standing = readiness.standing(cluster=cluster, now=timezone.now())
    make = membership_drafts.init if template == INIT else membership_drafts.join
    return make(cluster=cluster, standing=standing, data=data, replaces=replaces)


def _page(request: HttpRequest, draft: Draft) -> dict[str, object]:
    shown = {"draft": draft, "cluster": draft.cluster, "standing": draft.standing, "asked": draft.asked}
    if isinstance(draft.asked, InitRequest):
        return {**shown, "command": membership.init_command(draft.asked)}
    return {**shown, **_tokens(request, draft.cluster, draft.asked)}


def _tokens(request: HttpRequest, cluster: Cluster, asked: JoinRequest) -> dict[str, object]:
    """The command with the token, for an administrator who has asked for it; and what administrators did."""
    now = timezone.now()
    actions = memberships.last(cluster=cluster)  # before the token: one that comes in between is shown by the next look
    token: str = ""
    action: MembershipAction | None = None
    person = request.user
    if isinstance(person, User) and frame.Frame(request=request, user=person).may_administer:
        token, action = memberships.token_for(cluster=cluster, person=person, role=asked.role, now=now)
    return {
        "role": asked.role,
        "token": token,
        "action": action,
        "command": membership.join_command(asked, token=token),
        "waiting": next((row for row in actions if row.waits(now)), None),
        "actions": actions,
    }


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


def _role(role: str) -> str:
    if role not in ROLES:
        raise Http404
    return role
