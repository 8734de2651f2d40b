"""Plans: what a change would do, written down before anybody approves it, and frozen.

A plan is computed from one observation of the Swarm and one request. Its ``sha256`` covers every word of it;
approvals name that hash. Its ``fingerprint`` covers only what the plan depends on (specs, ports, the ingress,
nodes), so that it can be recomputed later: the same fingerprint means that nothing relevant has moved.
"""

import hashlib
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

from overlayweb.domain.ports import PublishedPort
from overlayweb.domain.specs import canonical


class Strategy(StrEnum):
    """How a service is taken off the ingress."""

    AUTOMATIC = "automatic"
    """Whichever of the other two is dark for less, by the arithmetic."""
    UNPUBLISH = "unpublish"
    """Ingress ports off and on again: containers restart twice, other networks work in between."""
    STOP = "stop"
    """Held: containers stop once and start once; dark on every network meanwhile."""


class Level(StrEnum):
    """The weight of a finding."""

    BLOCKER = "blocker"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressSettings:
    """Everything that can be chosen of an ingress network. Addresses are text as typed; ``mtu`` None: unset."""

    name: str = "ingress"
    subnet: str = ""
    gateway: str = ""
    mtu: int | None = None
    ip_range: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asks for; each kind of change has a class of its own."""


@dataclass(frozen=True, kw_only=True)
class IngressRequest(Request):
    """Settings of the ingress. ``strategies``: (service id, strategy) pairs; services not named: automatic."""

    settings: IngressSettings
    strategies: tuple[tuple[str, Strategy], ...] = ()

    def strategy_for(self, service_id: str) -> Strategy:
        """The strategy asked for, automatic when none is."""
        return dict(self.strategies).get(service_id, Strategy.AUTOMATIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem, beside what it is about.

    ``about``: "field", "service", "node", "network", "range" or "cluster"; ``subject``: the field's name, the object's
    id, or the subnet of a reserved range; ``subject_name``: what a person calls it. ``suggestion``: a value that would
    mend the field, or "".
    """

    level: Level
    code: str
    about: str
    subject: str
    message: str
    remedy: str = ""
    subject_name: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One summand of an estimate, in seconds, with where the number comes from.

    ``step``: the name of the step in which the time passes, "" when it is spread over several.
    """

    label: str
    seconds: float
    source: str
    step: str = ""


class Meanwhile(StrEnum):
    """What runs of a service at the worst moment of its update."""

    UNTOLD = ""
    """The plan does not update it by its own update config."""
    ANSWERS = "answers"
    """Each new container is healthy before an old one stops."""
    UNPROVEN = "unproven"
    """Each new container runs before an old one stops; whether it answers, nothing checks."""
    SOME = "some"
    """Some of its containers, not all."""
    DARK = "dark"
    """None of its containers."""
    NOTHING = "nothing"
    """It has no containers at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What the plan does to one service.

    ``release_after_seconds``: how long after the first service this one is taken off, so that all drain together.
    ``dark_seconds``: the estimated time its ingress ports do not answer, the sum of ``terms``.
    ``network_dark_seconds``: the same for its other networks.
    """

    service_id: str
    service_name: str
    stack: str
    ports: tuple[PublishedPort, ...]
    host_ports: tuple[PublishedPort, ...]
    strategy: Strategy
    why: str
    restarts: int
    containers: int
    release_after_seconds: float
    dark_seconds: float
    network_dark_seconds: float
    terms: tuple[Term, ...]
    networks: tuple[str, ...]
    spec_digest: str
    meanwhile: Meanwhile = Meanwhile.UNTOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step of the job. ``name`` is the workflow's key, ``title`` is for people."""

    name: str
    title: str
    expected_seconds: float
    point_of_no_return: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRestart:
    """A node whose engine somebody has to restart, since nothing else makes it let go of a removed ingress.

    ``why``: what shows it, in a sentence. ``command``: what to run on that node. A plan names the leader last.
    """

    node_id: str
    hostname: str
    address: str
    leader: bool
    why: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole plan, as it is shown, approved and carried out: what every kind of change has.

    Each kind has a class of its own, with what was asked for in ``request``. ``effects``: what happens to which
    service. ``base``: what the plan depends on, as (readable subject, digest) pairs in order; ``fingerprint`` is
    their hash.
    """

    kind: str
    cluster_id: str
    request: Request
    steps: tuple[PlannedStep, ...]
    effects: tuple[Effect, ...]
    keeps_working: tuple[str, ...]
    findings: tuple[Finding, ...]
    commands: tuple[str, ...]
    expected_seconds: float
    fingerprint: str
    base: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, plan: "Plan") -> Self:
        """The plan as one of this class. Raises TypeError for one of another kind."""
        if not isinstance(plan, cls):
            raise TypeError(f"{plan.kind} has no {cls.__name__}")
        return plan

    @property
    def sha256(self) -> str:
        """The hash that approvals name: over every word of the plan."""
        return hashlib.sha256(canonical(asdict(self)).encode()).hexdigest()

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """Findings that keep the plan from being approved."""
        return self._at(Level.BLOCKER)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that the approver decides on."""
        return self._at(Level.WARNING)

    @property
    def notices(self) -> tuple[Finding, ...]:
        """Findings that are good to know."""
        return self._at(Level.NOTICE)

    @property
    def unproven(self) -> bool:
        """Whether the outage is not known: containers start first, and no health check tells when they answer."""
        return any(effect.meanwhile is Meanwhile.UNPROVEN for effect in self.effects)

    @property
    def outage_seconds(self) -> float:
        """The longest estimated time that any port is dark, in seconds."""
        return max((effect.dark_seconds for effect in self.effects), default=0.0)

    @property
    def longest_dark(self) -> tuple[Effect, ...]:
        """The effects, the longest dark first: those are what the outage is made of, and what a person decides by."""
        return tuple(sorted(self.effects, key=lambda effect: -effect.dark_seconds))

    @property
    def networks(self) -> tuple[str, ...]:
        """The overlays that the plan makes, changes or takes away, by name; the ingress is none of them."""
        return ()

    @property
    def other_clusters(self) -> tuple[int, ...]:
        """The numbers of clusters beside its own that look different when it is carried out."""
        return ()

    def _at(self, level: Level) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level is level)


@dataclass(frozen=True, kw_only=True)
class IngressPlan(Plan):
    """The plan of a change of the ingress network.

    ``ingress_id``: the one that has the settings ``before``, "" where there is none. ``other_ingress_ids``: those that
    are removed besides. ``restarts``: engines that a person restarts while the job waits, in this order.
    """

    request: IngressRequest
    before: IngressSettings
    after: IngressSettings
    ingress_id: str
    other_ingress_ids: tuple[str, ...] = ()
    restarts: tuple[NodeRestart, ...] = ()

    @property
    def released(self) -> tuple[Effect, ...]:
        """Services that the job takes off the ingress; of a repair the others are left alone or mended."""
        return tuple(effect for effect in self.effects if effect.strategy is not Strategy.AUTOMATIC)

    @property
    def ingress_ids(self) -> tuple[str, ...]:
        """All of them, in the order in which they are removed."""
        return (*self.other_ingress_ids, self.ingress_id) if self.ingress_id else ()
