"""A change on its way to being asked for: what was typed, and the plan as it would be."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.forms import BoundField

from overlayweb.domain import (
    address_troubles,
    capacity,
    glance,
    ingress_plans,
    ingress_settings,
    repair_plans,
    standings,
)
from overlayweb.domain.plans import Effect, Finding, IngressPlan, IngressRequest, IngressSettings, Level, Request
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster, reserved_ranges
from overlayweb.services import changes, drifts, repairs, seeing
from overlayweb.web import meshes
from overlayweb.web.ingress_forms import SETTINGS, STRATEGIES, IngressForm, StrategyField, carried, initial_of
from overlayweb.web.listing import ROWS_PER_PAGE
from overlayweb.web.meshes import Hanging, NodeRow

NO_CHANGE = "no-change"
MOST = 100
"""So many services are shown at once with their strategies; a filter finds the rest."""


F = TypeVar("F", BoundField, StrategyField)


@dataclass(frozen=True)
class Row(Generic[F]):
    """One field of the form with what the plan says beside it."""

    field: F
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether it has to be mended."""
        return bool(self.field.errors) or any(finding.level is Level.BLOCKER for finding in self.findings)


@dataclass(kw_only=True)
class Draft:
    """The form, the plan (None while the cluster was never seen: ``problem`` says why), and what belongs where.

    ``request``: what is asked for, of which a repair reads only what the form shows.
    """

    cluster: Cluster
    kind: str
    form: IngressForm
    swarm: Swarm | None
    request: IngressRequest
    plan: IngressPlan | None = None
    problem: str = ""
    replaces: ChangeRequest | None = None

    @cached_property
    def rows(self) -> dict[str, Row[BoundField]]:
        """The settings' fields by name."""
        return {name: Row(self.form[name], self._beside(name)) for name in (*SETTINGS, "reason")}

    @property
    def repairs(self) -> bool:
        """Whether the mesh is to be repaired, and not the ingress customised."""
        return self.kind == repair_plans.KIND

    @property
    def makes_ingress(self) -> bool:
        """Whether an ingress is made, so that its settings are asked for."""
        return not self.repairs or _makes_ingress(self.cluster)

    @property
    def headline(self) -> str:
        """What is wrong with the mesh, in a sentence; "" when it works."""
        found = self.cluster.mesh()
        return glance.headline(self.swarm, found) if self.swarm and found else ""

    @cached_property
    def nodes(self) -> list[NodeRow]:
        """The nodes in the mesh, for a repair."""
        found = self.cluster.mesh()
        return meshes.nodes(self.swarm, found) if self.swarm and found and self.repairs else []

    @cached_property
    def hanging(self) -> list[Hanging]:
        """The services that hang, for a repair."""
        found = self.cluster.mesh()
        return meshes.hanging(self.swarm, found) if self.swarm and found and self.repairs else []

    @cached_property
    def strategies(self) -> list[Row[StrategyField]]:
        """At most :data:`MOST` services with their strategies: refused ones first, then those chosen by hand, by name.

        Of those that the text finds, and all that cannot be read. A repair chooses by itself.
        """
        text = self.form.text.lower()
        found = [row for row in self.form.strategies if text in row.service.name.lower() or row.errors]
        blocked = {f.subject for f in self._findings if f.about == "service" and f.level is Level.BLOCKER}
        first = sorted(found, key=lambda row: (not row.errors and row.service.id not in blocked, not row.chosen))
        return self._with_findings(first[:MOST])

    @property
    def on_the_page(self) -> list[Row[StrategyField]]:
        """The services whose strategies the page that asks shows."""
        return self._with_findings(row for row in self.form.strategies if row.html_name in self.form.data)

    @cached_property
    def others(self) -> list[StrategyField]:
        """The services chosen by hand that are not among those shown; the form carries them along."""
        shown = {row.field.html_name for row in self.strategies}
        return [row for row in self.form.strategies if row.chosen and row.html_name not in shown]

    @property
    def carried(self) -> str:
        """Their choices in one field."""
        return carried(self.others)

    @property
    def ways(self) -> Sequence[tuple[str, str]]:
        """What can be chosen for a service: (value, word) pairs."""
        return STRATEGIES

    @property
    def effects(self) -> Sequence[Effect]:
        """What happens to the services that are dark for longest: as many as a page of the whole list has."""
        return self.plan.longest_dark[:ROWS_PER_PAGE] if self.plan else ()

    @property
    def blockers(self) -> list[Finding]:
        """Blockers that stand beside no field: of services, nodes, networks and the cluster."""
        return self._beside_no_field(Level.BLOCKER)

    @property
    def warnings(self) -> list[Finding]:
        """Warnings that stand beside no field."""
        return self._beside_no_field(Level.WARNING)

    @property
    def notices(self) -> list[Finding]:
        """What is good to know and stands beside no field. What a repair mends stands in its evidence."""
        found = self.cluster.mesh()
        mended = {finding.code for finding in found.findings} if found and self.repairs else set()
        return [finding for finding in self._beside_no_field(Level.NOTICE) if finding.code not in mended]

    @cached_property
    def room(self) -> capacity.Room | None:
        """The room in the wanted subnet."""
        return capacity.ingress_room(swarm=self.swarm, settings=self.plan.after) if self.swarm and self.plan else None

    @property
    def unchanged(self) -> bool:
        """Whether all settings are those of today: there is nothing to plan yet."""
        return any(finding.code == NO_CHANGE for finding in self._findings)

    @property
    def problems(self) -> int:
        """How many things have to be mended before this can be asked for; the missing reason apart."""
        unread = sum(len(errors) for name, errors in self.form.errors.items() if name != "reason")
        return unread + sum(finding.level is Level.BLOCKER for finding in self._findings)

    @property
    def open_advanced(self) -> bool:
        """Whether the folded settings have something to say."""
        rows = [self.rows[name] for name in ("ip_range", "labels")]
        return any(row.field.value() or row.field.errors or row.findings for row in rows)

    @property
    def open_services(self) -> bool:
        """Whether the folded strategies have something to say."""
        chosen = any(field.chosen for field in self.form.strategies)
        return bool(self.form.text) or chosen or any(row.refused for row in self.strategies)

    def forget_missing_reason(self) -> None:
        """While the form is typed, a reason that is not there yet is no mistake."""
        self.form.errors.pop("reason", None)

    @property
    def _findings(self) -> tuple[Finding, ...]:
        found = self.plan.findings if self.plan else ()
        # A field that cannot be read counts as empty: whether anything changes is not known then.
        return tuple(f for f in found if f.code != NO_CHANGE or not self.form.errors)

    def _beside_no_field(self, level: Level) -> list[Finding]:
        return [f for f in self._findings if f.level is level and f.about != "field" and f.code != NO_CHANGE]

    def _beside(self, field: str) -> tuple[Finding, ...]:
        found = self._about("field", field)
        return _weighty(found) if self.unchanged else found

    def _with_findings(self, fields: Iterable[StrategyField]) -> list[Row[StrategyField]]:
        return [Row(field, _weighty(self._about("service", field.service.id))) for field in fields]

    def _about(self, about: str, subject: str) -> tuple[Finding, ...]:
        return tuple(self._by_subject.get((about, subject), ()))

    @cached_property
    def _by_subject(self) -> Mapping[tuple[str, str], Sequence[Finding]]:
        found = defaultdict(list)
        for finding in self._findings:
            found[finding.about, finding.subject].append(finding)
        return found


def _weighty(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.level is not Level.NOTICE)


def start(
    *,
    cluster: Cluster,
    kind: str = ingress_plans.KIND,
    request: Request | None = None,
    replaces: ChangeRequest | None = None,
    reason: str = "",
) -> Draft:
    """A draft of this request; without one, of the ingress as it is, or of a fresh one where there is none."""
    asked = request if isinstance(request, IngressRequest) else IngressRequest(settings=_first(cluster, kind))
    data = initial_of(asked) | {"reason": reason}
    draft = read(cluster=cluster, kind=kind, data=data, replaces=replaces)
    draft.forget_missing_reason()
    return draft


def mending(*, cluster: Cluster) -> Draft:
    """A draft that moves the ingress to where it collides with nothing; where all is well, of the ingress as it is."""
    swarm = cluster.swarm()
    trouble = address_troubles.of_ingress(swarm=swarm, reserved=reserved_ranges(cluster)) if swarm else None
    if trouble is None:
        return start(cluster=cluster)
    settings = replace(_first(cluster, ingress_plans.KIND), subnet=trouble.suggestion, gateway="", ip_range="")
    return start(cluster=cluster, request=IngressRequest(settings=settings), reason=trouble.message)


def back(*, cluster: Cluster) -> Draft:
    """A draft of the ingress as it was approved last; where it is so, of the ingress as it is."""
    found = drifts.of_ingress(cluster=cluster)
    approved = found.approved.standing if found and found.approved else None
    if approved is None or not approved.there:
        return start(cluster=cluster)
    settings = _following(standings.ingress_settings(approved))
    return start(cluster=cluster, request=IngressRequest(settings=settings), reason="Back to what was approved.")


def read(
    *,
    cluster: Cluster,
    data: Mapping[str, Any],
    kind: str = ingress_plans.KIND,
    replaces: ChangeRequest | None = None,
) -> Draft:
    """A draft of what was typed."""
    swarm = cluster.swarm()
    form = IngressForm(data, services=swarm.published_services if swarm and kind == ingress_plans.KIND else ())
    form.full_clean()
    request = form.request()
    if kind == repair_plans.KIND and swarm and not _makes_ingress(cluster):
        request = IngressRequest(settings=repairs.wanted(cluster=cluster))
    draft = Draft(cluster=cluster, kind=kind, form=form, swarm=swarm, request=request, replaces=replaces)
    try:
        draft.plan = IngressPlan.of(changes.preview(cluster=cluster, request=request, kind=kind))
    except seeing.NotSeenError as error:
        draft.problem = str(error)
    return draft


def _makes_ingress(cluster: Cluster) -> bool:
    found = cluster.mesh()
    return found is None or bool(found.replaced) or found.ingress is None


def _first(cluster: Cluster, kind: str) -> IngressSettings:
    """What the form shows first: the settings of today, or those that a repair goes back to."""
    swarm = cluster.swarm()
    if kind == repair_plans.KIND and swarm:
        return _following(repairs.wanted(cluster=cluster))
    networks = swarm.ingress_networks if swarm else ()
    return _following(ingress_settings.settings_of(networks[0])) if networks else IngressSettings()


def _following(settings: IngressSettings) -> IngressSettings:
    usual = settings.gateway == ingress_settings.default_gateway(settings.subnet)
    # A gateway that nobody chose follows the subnet, instead of lying outside as soon as another one is typed.
    return replace(settings, gateway="") if usual else settings
