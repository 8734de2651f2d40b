"""How long each service will be dark, with the arithmetic that a person can check.

Two ways to take a service off the ingress are compared: *stop* (held: one stop, one start) and *unpublish* (two
stops, two starts, other networks work in between). Every number says where it comes from.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from overlayweb.domain.plans import Strategy, Term
from overlayweb.domain.swarm import Service, Swarm, SwarmTask
from overlayweb.domain.turns import SLOWER_SECONDS

QUICK_STOP_SECONDS = 1.7
"""A container that ends on SIGTERM, and what it loses to the others that stop at the same time (lab: 1.0 to 1.9)."""

BUSY_STOP_SECONDS = 3.2
"""The same while containers of other services start again meanwhile, as they do when they are unpublished (lab)."""

AHEAD_SECONDS = {Strategy.STOP: 0.8, Strategy.UNPUBLISH: 2.4}
"""So long before slow stoppers end the others are done, unpublished ones with their start: what ends or starts beside
them delays them and the removal (lab, in turns: 0.5 s of release and drain in three rounds, 1.3 to 1.8 s in five)."""

START_CAP_SECONDS = 120.0
"""Above this, a start seen once waited for an image or for room, which says nothing about the next one."""

KILLED = 137
"""Exit code 128 + SIGKILL: the container did not end within its stop grace."""

ENDED_BY_ITSELF = frozenset({0, 143})
"""Exit codes of a container that ended on SIGTERM: by its own handler, or by the signal."""

LAB = "default, from lab measurements"


@dataclass(frozen=True, slots=True)
class Measured:
    """A duration in seconds, and where it was measured."""

    seconds: float
    source: str = LAB


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """What one cluster takes for the parts of a rebuild. Defaults were measured on three-node lab Swarms.

    ``stop_overhead``: Swarm takes a task out of service and waits for gossip before it signals the container.
    ``latency``: one answer of the manager; None: the median of the observation that is planned on.
    """

    stop_overhead: Measured = Measured(3.8)
    remove: Measured = Measured(0.5)
    create: Measured = Measured(1.0)
    start: Measured = Measured(1.5)
    verify: Measured = Measured(2.0)
    latency: Measured | None = None

    def answer(self, swarm: Swarm) -> Measured:
        """How long one answer of this manager takes."""
        return self.latency or Measured(swarm.latency_seconds, "median of this manager's answers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHistory:
    """How long a service took from its release until all its tasks had left the ingress, in earlier jobs."""

    service_id: str
    drain_seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One service's own times. ``stop`` is one term or two; their sum is the time to let go of the ingress."""

    service: Service
    stop: tuple[Term, ...]
    start: Term

    @property
    def drain_seconds(self) -> float:
        """From its release until all its containers have left the ingress."""
        return total(self.stop)


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What one strategy costs one service. ``network_dark_seconds`` counts its other networks and host ports."""

    strategy: Strategy
    restarts: int
    terms: tuple[Term, ...]
    network_dark_seconds: float

    @cached_property
    def dark_seconds(self) -> float:
        """How long its ingress ports do not answer: the sum of ``terms``."""
        return total(self.terms)

    @cached_property
    def drain_seconds(self) -> float:
        """From its release until the ingress may go as far as this service is concerned."""
        return total(term for term in self.terms if term.step == "drain")

    def ahead(self, slowest: float) -> "Outage":
        """The same where another service takes ``slowest`` seconds to leave: beside a slow stopper, done before it."""
        if slowest - self.drain_seconds <= SLOWER_SECONDS:
            return self
        seconds = AHEAD_SECONDS[self.strategy]
        wait = Term(label="Done before slow stoppers end", seconds=seconds, source=LAB, step="drain")
        return self._longer(wait, at=sum(term.step == "drain" for term in self.terms))

    def later(self, wait: Term | None) -> "Outage":
        """The same with this wait before its containers start; None: without any."""
        return self._longer(wait, at=len(self.terms) - 1) if wait else self

    def _longer(self, wait: Term, *, at: int) -> "Outage":
        elsewhere = wait.seconds if self.network_dark_seconds and self.strategy is Strategy.STOP else 0.0
        terms = (*self.terms[:at], wait, *self.terms[at:])
        return replace(self, terms=terms, network_dark_seconds=round(self.network_dark_seconds + elsewhere, 2))


def total(terms: Iterable[Term]) -> float:
    """The sum in seconds, to the hundredth that terms are given in."""
    return round(sum((term.seconds for term in terms), 0.0), 2)


def paces(
    *, swarm: Swarm, services: Sequence[Service], timings: Timings, history: Iterable[ServiceHistory] = ()
) -> Mapping[str, Pace]:
    """Each service's own times by its id."""
    seen = {row.service_id: row for row in history if row.drain_seconds}
    return {
        service.id: Pace(
            service=service,
            stop=_stop_terms(swarm, service, timings, seen.get(service.id)),
            start=_start_term(swarm, service, timings),
        )
        for service in services
    }


def outages(*, pace: Pace, count: int, swarm: Swarm, timings: Timings) -> tuple[Outage, Outage]:
    """(unpublish, stop) for one of ``count`` services that are rebuilt together.

    Services drain together, since slow ones are released first: each is dark for its own drain only, not for the
    slowest one's.
    """
    shared = swarm.lately(_shared_terms, count, timings)
    again = tuple(_term(f"{term.label} again", term.seconds, term.source, "publish") for term in pace.stop)
    once = pace.drain_seconds + pace.start.seconds
    elsewhere = _is_elsewhere(pace.service)
    terms = (*pace.stop, *shared, pace.start)
    stop = Outage(
        strategy=Strategy.STOP, restarts=1, terms=terms, network_dark_seconds=total(terms) if elsewhere else 0.0
    )
    unpublish = Outage(
        strategy=Strategy.UNPUBLISH,
        restarts=2,
        terms=(*_busy(pace.stop), *shared, *again, pace.start),
        network_dark_seconds=round(2 * once, 2) if elsewhere else 0.0,
    )
    return unpublish, stop


def _busy(stop: tuple[Term, ...]) -> tuple[Term, ...]:
    """A quick stop takes longer beside starting containers; one that waits out its grace does not."""
    return (replace(stop[0], seconds=max(stop[0].seconds, BUSY_STOP_SECONDS)), *stop[1:])


def choose(*, wanted: Strategy, unpublish: Outage, stop: Outage) -> tuple[Outage, str]:
    """The outage of the wanted strategy and why it was taken; automatic takes the shorter one, stop on a tie."""
    if wanted is Strategy.AUTOMATIC:
        return _shorter(unpublish, stop)
    taken, other = (unpublish, stop) if wanted is Strategy.UNPUBLISH else (stop, unpublish)
    return taken, f"Chosen by hand: {_dark(taken)}; {other.strategy}: {_dark(other)}."


def _dark(outage: Outage) -> str:
    elsewhere = outage.network_dark_seconds
    return f"ports dark for {_s(outage.dark_seconds)}" + (f", other networks {_s(elsewhere)}" if elsewhere else "")


def _shorter(unpublish: Outage, stop: Outage) -> tuple[Outage, str]:
    taken, other = (stop, unpublish) if stop.dark_seconds <= unpublish.dark_seconds else (unpublish, stop)
    return taken, (
        f"Shorter: ports dark for {_s(taken.dark_seconds)}, against {_s(other.dark_seconds)} with {other.strategy}."
    )


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"


def _is_elsewhere(service: Service) -> bool:
    return bool(service.network_ids or service.host_ports)


def _shared_terms(swarm: Swarm, count: int, timings: Timings) -> tuple[Term, ...]:
    # Releases go out one after the other, so the last one waits for count answers; then remove, create, publish.
    answer, removes = timings.answer(swarm), bool(swarm.ingress_networks)
    calls = count + 2 + removes
    remove = _term("Remove the old ingress", timings.remove.seconds, timings.remove.source, "remove")
    return (
        *([remove] if removes else []),
        _term("Create the new ingress", timings.create.seconds, timings.create.source, "create"),
        _term(f"{calls} answers of the manager", calls * answer.seconds, answer.source),
    )


def _stop_terms(swarm: Swarm, service: Service, timings: Timings, seen: ServiceHistory | None) -> tuple[Term, ...]:
    if seen is not None:
        jobs = len(seen.drain_seconds)
        source = "seen in an earlier job" if jobs == 1 else f"longest of {jobs} earlier jobs"
        return (_term("Containers stop", max(seen.drain_seconds), source, "drain"),)
    seconds, source = _stop(swarm.tasks_of(service.id), service)
    return (
        _term("Containers stop", seconds, source, "drain"),
        _term("Swarm lets go", timings.stop_overhead.seconds, timings.stop_overhead.source, "drain"),
    )


def _stop(swarm_tasks: Iterable[SwarmTask], service: Service) -> tuple[float, str]:
    codes = {t.exit_code for t in swarm_tasks if t.state == "shutdown" and t.container_id and t.exit_code is not None}
    grace = service.stop_grace_seconds
    if KILLED in codes:
        return grace, "stop grace: earlier containers ignored SIGTERM (exit code 137)"
    if codes & ENDED_BY_ITSELF:
        return min(QUICK_STOP_SECONDS, grace), "earlier containers ended by themselves (exit code 0 or 143)"
    if service.init:
        return min(QUICK_STOP_SECONDS, grace), "an init process passes SIGTERM on"
    return grace, "stop grace, assumed: no container of it has been seen to stop"


def _start_term(swarm: Swarm, service: Service, timings: Timings) -> Term:
    starts = [seconds for t in swarm.running_on(service.id) if (seconds := _start(t)) is not None]
    if not starts:
        return _term("Containers start", timings.start.seconds, timings.start.source, "publish")
    source = f"median of {len(starts)} running" if len(starts) > 1 else "its running container"
    median = statistics.median(starts)
    capped = f"{source}, cut at {START_CAP_SECONDS:.0f} s" if median > START_CAP_SECONDS else source
    return _term("Containers start", min(median, START_CAP_SECONDS), capped, "publish")


def _start(swarm_task: SwarmTask) -> float | None:
    if swarm_task.created_at is None or swarm_task.state_at is None:
        return None
    seconds = (swarm_task.state_at - swarm_task.created_at).total_seconds()
    return seconds if seconds >= 0 else None


def _term(label: str, seconds: float, source: str, step: str = "") -> Term:
    return Term(label=label, seconds=round(seconds, 2), source=source, step=step)
