"""The form in which an overlay is replaced by one with other settings: prefilled with those it has."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from overlayweb.domain import network_settings, replace_plans
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Finding
from overlayweb.domain.replace_plans import ReplacePlan, ReplaceRequest
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes, drifts
from overlayweb.web import asking, network_pick
from overlayweb.web.access import asker
from overlayweb.web.clusters import get_cluster
from overlayweb.web.drift import BACK
from overlayweb.web.missing import MissingError
from overlayweb.web.network_drafts import NetworkDraft
from overlayweb.web.network_forms import FIELDS, USE, NetworkForm, Row, beside, initial_of, with_suggestion
from overlayweb.web.network_pick import PICK

PAGE = "network_replace.html"
CHECK = "check"
UNPROCESSABLE = 422


class ReplaceForm(NetworkForm):
    """Settings of the overlay that takes the place of another, and why."""

    keep_name = forms.BooleanField(required=False)


@dataclass(kw_only=True)
class Draft(NetworkDraft):
    """``network_id``: the overlay that is replaced."""

    network_id: str
    form: ReplaceForm
    request: ReplaceRequest
    plan: ReplacePlan

    @cached_property
    def rows(self) -> dict[str, Row]:
        """The typed fields by name."""
        return {name: Row(self.form[name], self._beside(name)) for name in FIELDS}

    @property
    def unchanged(self) -> bool:
        """Whether nothing but the name differs from what is there."""
        return self.plan.before == self.plan.after

    @property
    def blockers(self) -> list[Finding]:
        """That nothing changes is told elsewhere."""
        return [finding for finding in super().blockers if finding.code != "no-change"]

    def _beside(self, name: str) -> tuple[Finding, ...]:
        """Nothing while all is as it is today: nobody has made a mistake yet."""
        untouched = self.unchanged and self.request.settings.name == self.plan.before.name
        return () if untouched else beside(self.plan, name)


@require_http_methods(["GET", "HEAD", "POST"])
def network_replace(request: HttpRequest, name: str, network_id: str) -> HttpResponse:
    """The form with the plan beside it; posted, it becomes a change request, unless something has to be mended."""
    asker(request)
    cluster = get_cluster(request, name)
    if request.method == "POST":
        return _ask(request, cluster, network_id)
    settings = _now(cluster, network_id)
    approved = drifts.network_as_approved(cluster=cluster, name=settings.name) if BACK in request.GET else None
    wanted = ReplaceRequest(network_id=network_id, settings=approved or settings, keep_name=approved is not None)
    return render(request, PAGE, {"draft": _start(cluster, wanted)})


@require_POST
def network_replace_preview(request: HttpRequest, name: str, network_id: str) -> HttpResponse:
    """What the form would do, while it is typed."""
    asker(request)
    draft = _read(get_cluster(request, name), network_id, request.POST)
    draft.forget_missing_reason()
    return render(request, f"{PAGE}#answer", {"draft": draft})


def again(request: HttpRequest, old: ChangeRequest) -> HttpResponse:
    """The form, filled with what ``old`` asked for; posted, what replaces it."""
    plan = ReplacePlan.of(old.plan_record.plan())
    if request.method == "POST":
        return _ask(request, old.cluster, plan.network_id, replaces=old)
    return render(request, PAGE, {"draft": _start(old.cluster, plan.request, replaces=old)})


def _ask(
    request: HttpRequest, cluster: Cluster, network_id: str, *, replaces: ChangeRequest | None = None
) -> HttpResponse:
    draft = _read(cluster, network_id, with_suggestion(request.POST), replaces=replaces)
    if {CHECK, PICK, USE} & set(request.POST):
        draft.forget_missing_reason()
        return render(request, PAGE, {"draft": draft})
    if draft.form.errors or draft.problems:
        return render(request, PAGE, {"draft": draft, "refused": True}, status=UNPROCESSABLE)
    answer = asking.submit(
        request,
        cluster,
        kind=replace_plans.KIND,
        asked=draft.request,
        reason=draft.form.cleaned_data["reason"],
        replaces=replaces,
    )
    if answer is not None:
        return answer
    draft = _read(cluster, network_id, request.POST, replaces=replaces)
    return render(request, PAGE, {"draft": draft, "refused": True}, status=UNPROCESSABLE)


def _now(cluster: Cluster, network_id: str) -> NetworkSettings:
    """The settings that the network has. Raises MissingError when it is not there, or was never seen."""
    swarm = cluster.swarm()
    found = next((n for n in swarm.networks if n.id == network_id and n.scope == "swarm"), None) if swarm else None
    if found is None or found.ingress:
        raise MissingError(cluster)
    return network_settings.of_network(found)


def _start(cluster: Cluster, request: ReplaceRequest, *, replaces: ChangeRequest | None = None) -> Draft:
    need = network_pick.need_of_today(cluster, request.network_id)
    data = initial_of(request.settings) | {"keep_name": request.keep_name} | need
    draft = _read(cluster, request.network_id, data, replaces=replaces)
    draft.forget_missing_reason()
    return draft


def _read(cluster: Cluster, network_id: str, typed: Any, *, replaces: ChangeRequest | None = None) -> Draft:
    old = _now(cluster, network_id)
    data, pick = network_pick.take(cluster=cluster, typed=typed)
    form = ReplaceForm(data)
    form.full_clean()
    settings = form.settings()
    asked = ReplaceRequest(
        network_id=network_id,
        settings=settings,
        keep_name=bool(form.cleaned_data.get("keep_name")),
        approved_labels=drifts.labels_as_approved(cluster=cluster, name=old.name) if settings.labels else (),
    )
    plan = ReplacePlan.of(changes.preview(cluster=cluster, request=asked, kind=replace_plans.KIND))
    return Draft(
        cluster=cluster, network_id=network_id, form=form, request=asked, plan=plan, pick=pick, replaces=replaces
    )
