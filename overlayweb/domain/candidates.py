"""An engine that is to become part of a Swarm, and what keeps it from that: what making and joining one share."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from overlayweb.domain import fingerprints
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.readiness import EngineView, Membership
from overlayweb.domain.swarm import Swarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A registered engine, and what it tells of itself.

    ``number``, ``name``, ``endpoint``: the cluster as which it is registered. ``busy``: "job 12", of another job that
    is about the same engine and has not ended; or "".
    """

    number: int
    name: str
    endpoint: str
    view: EngineView
    busy: str = ""

    @property
    def hostname(self) -> str:
        """Its machine, as people look for it."""
        return self.view.hostname or self.name


_PARTS = {
    Membership.MANAGER: (
        "is a manager of a Swarm already.",
        "An engine is in one Swarm at a time: `docker swarm leave --force` on {host} takes it out of that one.",
    ),
    Membership.WORKER: (
        "is a worker of a Swarm already.",
        "An engine is in one Swarm at a time: `docker swarm leave` on {host} takes it out of that one.",
    ),
    Membership.LOCKED: (
        "is a manager of a locked Swarm.",
        "Unlock it by `docker swarm unlock` on {host}, or leave that Swarm first.",
    ),
    Membership.BROKEN: (
        "is joining a Swarm, or kept from its own by an error.",
        "Wait, or let it leave by `docker swarm leave --force` on {host}.",
    ),
}


def alone(view: EngineView, at: datetime) -> Swarm:
    """What an engine without a Swarm has of its own, as if it were one. ``at``: when it told."""
    return Swarm(id="", observed_at=at, networks=view.networks)


def base(candidate: Candidate) -> Iterator[tuple[str, str]]:
    """What a plan depends on of it: that it is in no Swarm, which engine it is, wherever that is reached, and what."""
    view = candidate.view
    if view.membership is Membership.NONE:
        content = [candidate.number, view.engine_id, view.hostname, view.os, view.engine_version]
        yield f"engine {candidate.name}", fingerprints.digest(content)


def findings(candidate: Candidate) -> Iterator[Finding]:
    """What keeps it from becoming part of a Swarm."""
    view = candidate.view
    if view.membership in _PARTS:
        message, remedy = _PARTS[view.membership]
        told = f" It says: {view.swarm_error}" if view.swarm_error else ""
        yield of_engine(
            Level.BLOCKER,
            "engine-in-swarm",
            candidate,
            f"The engine of {candidate.name} {message}{told}",
            remedy.format(host=candidate.hostname),
        )
    if candidate.busy:
        yield of_engine(
            Level.BLOCKER,
            "engine-busy",
            candidate,
            f"{candidate.busy.capitalize()} is about the same engine and has not ended.",
            "Wait for its end.",
        )


def of_engine(level: Level, code: str, candidate: Candidate, message: str, remedy: str = "") -> Finding:
    """A finding about the engine."""
    return Finding(
        level=level,
        code=code,
        about="cluster",
        subject=str(candidate.number),
        subject_name=candidate.name,
        message=message,
        remedy=remedy,
    )
