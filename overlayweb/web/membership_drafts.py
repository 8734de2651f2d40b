"""A Swarm that is to be made, or an engine that is to join: what was typed, the command, the plan as it would be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.forms import BoundField

from overlayweb.domain import init_plans, join_plans, membership
from overlayweb.domain.init_plans import InitPlan
from overlayweb.domain.join_plans import EngineJoin, JoinPlan
from overlayweb.domain.membership import ROLES, InitRequest, JoinRequest
from overlayweb.domain.plans import Finding, Level, Plan, Request
from overlayweb.domain.readiness import Membership
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes, memberships, readiness, seeing
from overlayweb.services.readiness import Standing
from overlayweb.web.drafts import Row
from overlayweb.web.readiness_forms import InitForm, JoinForm, Sheet, typed


@dataclass(kw_only=True)
class Draft:
    """The form, and what follows from it.

    ``kind``, ``request``: the change that would be asked for; ``request`` None: it is only about a command by hand.
    ``plan`` None where nothing can be planned: ``problem`` says why. ``asked``: how, for the command. ``engines``:
    those that may join.
    """

    cluster: Cluster
    standing: Standing
    kind: str
    form: InitForm | JoinForm
    asked: InitRequest | JoinRequest
    request: Request | None
    findings: tuple[Finding, ...]
    engines: list[Cluster] = field(default_factory=list)
    plan: Plan | None = None
    problem: str = ""
    replaces: ChangeRequest | None = None

    @cached_property
    def rows(self) -> dict[str, Row[BoundField]]:
        """The fields by name."""
        return Sheet(self.form, self.findings).rows

    @property
    def blocked(self) -> bool:
        """Whether a field has to be mended before there is anything to show."""
        return any(row.refused for name, row in self.rows.items() if name != "reason")

    @property
    def problems(self) -> int:
        """How many things have to be mended before this can be asked for; the missing reason apart."""
        unread = sum(len(errors) for name, errors in self.form.errors.items() if name != "reason")
        blockers = sum(finding.level is Level.BLOCKER for finding in self.findings)
        return unread + blockers + (self.plan is None)

    @property
    def blockers(self) -> list[Finding]:
        """Blockers that stand beside no field."""
        return self._elsewhere(Level.BLOCKER)

    @property
    def warnings(self) -> list[Finding]:
        """Warnings that stand beside no field."""
        return self._elsewhere(Level.WARNING)

    @property
    def notices(self) -> list[Finding]:
        """What is good to know and stands beside no field."""
        return self._elsewhere(Level.NOTICE)

    @property
    def room(self) -> int:
        """How many networks the pools of a Swarm that is to be made have room for."""
        asked = self.asked if isinstance(self.asked, InitRequest) else InitRequest()
        return membership.networks_in(asked.pools or (membership.DEFAULT_POOL,), asked.size)

    def _elsewhere(self, level: Level) -> list[Finding]:
        return [finding for finding in self.findings if finding.about != "field" and finding.level is level]


def init(
    *, cluster: Cluster, standing: Standing, data: Mapping[str, str], replaces: ChangeRequest | None = None
) -> Draft:
    """A draft of a Swarm on the cluster's engine. The demo's, and one that is a manager, only gets the command."""
    form = InitForm(typed(data, _init_first(standing, replaces)))
    form.full_clean()
    asked = form.request()
    offered = not cluster.demo and standing.membership is not Membership.MANAGER
    plan, problem = _planned(cluster, init_plans.KIND, asked if offered else None)
    return Draft(
        cluster=cluster,
        standing=standing,
        kind=init_plans.KIND,
        form=form,
        asked=asked,
        request=asked if offered else None,
        findings=plan.findings if plan else readiness.check_init(cluster=cluster, check=standing.check, request=asked),
        plan=plan,
        problem=problem,
        replaces=replaces,
    )


def join(
    *, cluster: Cluster, standing: Standing, data: Mapping[str, str], replaces: ChangeRequest | None = None
) -> Draft:
    """A draft of an engine that joins the cluster: one that is registered, or any by hand."""
    engines = memberships.joinable(cluster=cluster)
    first = {"role": ROLES[0], "remote": next(iter(standing.managers), ""), **_join_first(replaces)}
    form = JoinForm(typed({**first, **data}, {}), engines=engines)
    form.full_clean()
    how = form.request()
    request = EngineJoin(joins=form.joining, how=how) if form.joining else None
    plan, problem = _planned(cluster, join_plans.KIND, request)
    return Draft(
        cluster=cluster,
        standing=standing,
        kind=join_plans.KIND,
        form=form,
        asked=how,
        request=request,
        findings=plan.findings if plan else readiness.check_join(managers=standing.managers, request=how),
        engines=engines,
        plan=plan,
        problem=problem,
        replaces=replaces,
    )


def _planned(cluster: Cluster, kind: str, request: Request | None) -> tuple[Plan | None, str]:
    """The plan, or why there is none."""
    if request is None:
        return None, ""
    try:
        return changes.preview(cluster=cluster, request=request, kind=kind), ""
    except seeing.NotSeenError as error:
        return None, str(error)


def _init_first(standing: Standing, replaces: ChangeRequest | None) -> dict[str, str]:
    """What the form begins with: what an older change asked for; else nothing, which leaves all to the engine."""
    if replaces is None:
        return {"advertise": standing.check.engine.address if standing.check else ""}
    asked = InitPlan.of(replaces.plan_record.plan()).request
    return {
        "advertise": asked.advertise,
        "data_path": asked.data_path,
        "data_path_port": _text(asked.data_path_port),
        "pools": "\n".join(asked.pools),
        "size": _text(asked.size),
        "reason": replaces.reason,
    }


def _join_first(replaces: ChangeRequest | None) -> dict[str, str]:
    if replaces is None:
        return {}
    asked = JoinPlan.of(replaces.plan_record.plan()).request
    how = asked.how
    return {
        "joins": str(asked.joins),
        "role": how.role,
        "remote": how.remote,
        "advertise": how.advertise,
        "data_path": how.data_path,
        "reason": replaces.reason,
    }


def _text(value: Any) -> str:
    return "" if value is None else str(value)
