"""Coming in: sign-in, the one-time links that make accounts, and who has one."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth import login, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.models import SetupLink
from overlayweb.services import demo, installation, roles
from overlayweb.web import access
from overlayweb.web.accounts import (
    AccountForm,
    ApprovalModeForm,
    InviteForm,
    PasswordForm,
    RoleForm,
    SignInForm,
)

LOCKED = 429
CONFLICT = 409

sign_in = views.LoginView.as_view(
    template_name="sign_in.html", authentication_form=SignInForm, redirect_authenticated_user=True
)
sign_out = views.LogoutView.as_view()


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer to a sign-in that is locked: the form again, and how long to wait."""
    return render(request, "sign_in.html", {"form": SignInForm(request), "locked": True}, status=LOCKED)


@login_not_required
@sensitive_post_parameters("password", "password_again")
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Make the account of a one-time link, or open the one that waits for it, and sign it in."""
    now = timezone.now()
    try:
        link = installation.find_link(token=token, now=now)
        form = _setup_form(request, link)
        if not form.is_valid():
            return render(request, "setup.html", {"form": form, "link": link})
        if isinstance(form, AccountForm):
            account = installation.accept(token=token, now=now, **form.chosen())
        else:
            account = installation.open_account(token=token, now=now, password=form.cleaned_data["password"])
    except installation.LinkUnusableError as error:
        return render(request, "setup.html", {"unusable": str(error)}, status=404)
    login(request, account, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("overview")


def _setup_form(request: HttpRequest, link: SetupLink) -> AccountForm | PasswordForm:
    """What the link asks for: a whole account, or the password of one. The first account chooses the mode too."""
    if link.opens:
        return PasswordForm(request.POST or None, person=link.opens)
    # Whoever tries the demo is alone.
    initial = {"approval_mode": ApprovalMode.SOLO} if demo.is_all_there_is() else {}
    return AccountForm(request.POST or None, initial=initial, asks_approval_mode=installation.is_first(link))


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Who has an account, who is invited, how changes are approved. Administrators only."""
    return _people(request)


@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    """Make a one-time link. It is shown in this answer and nowhere else: only its hash is kept."""
    person, form = access.admin(request), InviteForm(request.POST)
    if not form.is_valid():
        return _people(request, invite_form=form)
    token = installation.invite(person=person, now=timezone.now(), **form.cleaned_data)
    link = request.build_absolute_uri(reverse("setup", args=[token]))
    return _people(request, new_link=link)


@require_POST
def approval_mode(request: HttpRequest) -> HttpResponse:
    """Choose how changes are approved from now on."""
    access.admin(request)
    form = ApprovalModeForm(request.POST)
    if not form.is_valid():
        return _people(request, mode_form=form)
    installation.set_approval_mode(mode=form.cleaned_data["approval_mode"])
    messages.info(request, "Changes are approved this way from now on.")
    return redirect("people")


@require_POST
def role(request: HttpRequest, pk: int) -> HttpResponse:
    """Give somebody another role. Not to the only administrator: somebody has to be one."""
    by, form = access.admin(request), RoleForm(request.POST)
    person = get_object_or_404(User, pk=pk)
    if not form.is_valid():
        return _people(request, refusal="Choose a role.")
    try:
        roles.give(person=person, role=form.cleaned_data["role"], by=by)
    except roles.LastAdministratorError as error:
        return _people(request, refusal=str(error), status=CONFLICT)
    messages.info(request, f"{person.get_full_name() or person.get_username()} has another role from now on.")
    return redirect("people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One account in the list, with the form for its role."""

    person: User
    role: Role
    form: RoleForm


def _members() -> list[Member]:
    """Everybody with an account, by user name."""
    rows = User.objects.select_related("account").order_by("username")
    found = [(person, Role(person.account.role) if hasattr(person, "account") else Role.MEMBER) for person in rows]
    return [
        Member(person=person, role=role, form=RoleForm(initial={"role": role}, auto_id=f"id_{person.pk}_%s"))
        for person, role in found
    ]


def _people(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    access.admin(request)
    invitations = SetupLink.objects.filter(used_at=None, expires_at__gt=timezone.now()).exclude(invited_by=None)
    mode = installation.approval_mode()
    page = {
        "members": _members(),
        "invitations": invitations.select_related("invited_by").order_by("-created_at"),
        "invite_form": InviteForm(),
        "mode_form": ApprovalModeForm(initial={"approval_mode": mode}),
    }
    return render(request, "people.html", {**page, **context}, status=status)
