"""Coming in: sign-in, the one-time links that make accounts, and who has one."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from overlayweb.models import SetupLink
from overlayweb.services import installation
from overlayweb.web import access
from overlayweb.web.accounts import AccountForm, ApprovalModeForm, InviteForm, SignInForm

LOCKED = 429

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
    """Make the account of a one-time link, and sign it in. The first one chooses how changes are approved."""
    now = timezone.now()
    try:
        link = installation.find_link(token=token, now=now)
        form = AccountForm(request.POST or None, asks_approval_mode=installation.is_first(link))
        if not form.is_valid():
            return render(request, "setup.html", {"form": form, "link": link})
        account = installation.accept(token=token, now=now, **form.chosen())
    except installation.LinkUnusableError as error:
        return render(request, "setup.html", {"unusable": str(error)}, status=404)
    login(request, account, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("overview")


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Who has an account, who is invited, how changes are approved. Administrators only."""
    return _people(request)


@require_POST
def invite(request: HttpRequest) -> HttpResponse:
    """Make a one-time link. It is shown in this answer and nowhere else: only its hash is kept."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _people(request, invite_form=form)
    token = installation.invite(person=access.admin(request), now=timezone.now(), **form.cleaned_data)
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


def _people(request: HttpRequest, **context: Any) -> HttpResponse:
    access.admin(request)
    invitations = SetupLink.objects.filter(used_at=None, expires_at__gt=timezone.now()).exclude(invited_by=None)
    mode = installation.approval_mode()
    page = {
        "members": User.objects.order_by("username"),
        "invitations": invitations.select_related("invited_by").order_by("-created_at"),
        "invite_form": InviteForm(),
        "mode_form": ApprovalModeForm(initial={"approval_mode": mode}),
    }
    return render(request, "people.html", {**page, **context})
