"""One change request: its plan, and what people say to it."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.planners import KINDS
from overlayweb.domain.plans import Effect, Plan
from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import ChangeRequest
from overlayweb.services import approvals, changes, installation, seeing
from overlayweb.services.changes import Recheck
from overlayweb.web import access, frame, listing
from overlayweb.web.change_forms import ApproveForm, RejectForm
from overlayweb.web.kinds import LOOKS
from overlayweb.web.listing import Listing

CONFLICT = 409
UNPROCESSABLE = 422


@require_safe
@vary_on_headers("HX-Request")
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything that a reviewer decides by, and the buttons; filtered and turned over, the list of services alone."""
    found = _get_change(request, pk)
    if not listing.is_fragment(request):
        return _page(request, found)
    plan = found.plan_record.plan()
    rows = {"change": found, "plan": plan, "listing": _services(request, plan)}
    return render(request, "parts/planned_rows.html", rows)


@require_safe
def change_commands(request: HttpRequest, pk: int) -> HttpResponse:
    """The commands that do the same by hand, as a text file."""
    lines = _get_change(request, pk).plan_record.plan().commands
    answer = HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="change-{pk}-commands.txt"'
    return answer


@require_POST
def change_approve(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve the plan whose hash the page showed; its job is queued."""
    person, found = access.decider(request), _get_change(request, pk)
    form = ApproveForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=UNPROCESSABLE)
    try:
        job = approvals.approve(change=found, person=person, now=timezone.now(), **form.cleaned_data)
    except (approvals.NotApprovableError, seeing.NotSeenError) as error:
        found.refresh_from_db()
        return _page(request, found, form=form, refusal=str(error), status=CONFLICT)
    return redirect("job", job.pk)


@require_POST
def change_reject(request: HttpRequest, pk: int) -> HttpResponse:
    """Reject the change, with the reason."""
    found = _get_change(request, pk)
    person = access.decider(request, for_admins=KINDS[found.kind].for_admins)
    form = RejectForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=UNPROCESSABLE)
    if not approvals.reject(change=found, person=person, reason=form.cleaned_data["reason"], now=timezone.now()):
        messages.warning(request, "The change was not pending any more, or it is yours to withdraw.")
    return redirect("change", found.pk)


@require_POST
def change_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one's own change back."""
    found = _get_change(request, pk)
    if found.author != access.asker(request):
        raise Http404
    if not changes.withdraw(change=found, now=timezone.now()):
        messages.warning(request, "The change was not pending any more.")
    return redirect("change", found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def change_again(request: HttpRequest, pk: int) -> HttpResponse:
    """The form, filled with what this change asked for; one's own pending change is replaced by the new one."""
    access.asker(request)
    old = _get_change(request, pk)
    if old.cluster.removed_at:
        raise Http404
    return LOOKS[old.kind].again(request, old)


def _get_change(request: HttpRequest, pk: int) -> ChangeRequest:
    """The change with its plan, or 404. Every account sees every change."""
    rows = ChangeRequest.objects.select_related("cluster", "author", "plan_record", "job")
    found = get_object_or_404(rows.defer("cluster__observation", "job__plan_document"), pk=pk)
    frame.remember(request, found.cluster)
    return found


def _page(
    request: HttpRequest, found: ChangeRequest, *, form: Any = None, refusal: str = "", status: int = 200
) -> HttpResponse:
    person = access.signed_in(request)
    plan = found.plan_record.plan()
    page = {
        "change": found,
        "plan": plan,
        "listing": _services(request, plan),
        "look": LOOKS[found.kind],
        "verdict": approvals.verdict(change=found, person=person),
        "recheck": _recheck(found),
        "solo": installation.approval_mode() is ApprovalMode.SOLO,
        "own": (own := found.author_id == person.pk),
        "pending": (pending := found.status == ChangeStatus.PENDING),
        "waits_for_nobody": pending and own and approvals.waits_for_nobody(change=found),
        "said": found.approvals.select_related("person"),
        "job": getattr(found, "job", None),
        "form": form or ApproveForm(),
        "refusal": refusal,
    }
    return render(request, "change.html", page, status=status)


def _services(request: HttpRequest, plan: Plan) -> Listing:
    """One page of what the plan does to services, of those that the text finds."""
    asked = listing.wanted(request, kinds=(), orders=())
    text = asked.text.lower()
    rows = [effect for effect in plan.longest_dark if text in _words(effect)] if text else plan.longest_dark
    return listing.listing(request, asked, rows, kinds=())


def _words(effect: Effect) -> str:
    return " ".join([effect.service_name, effect.stack, *map(str, effect.ports)]).lower()


def _recheck(found: ChangeRequest) -> Recheck | None:
    """The plan against the latest observation; None where it no longer matters or nothing was seen."""
    if found.status != ChangeStatus.PENDING:
        return None
    try:
        return changes.recheck(change=found)
    except seeing.NotSeenError:
        return None
