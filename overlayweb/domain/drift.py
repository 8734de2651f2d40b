"""What was approved against what is: networks changed, removed or made outside, ports of services changed.

For each thing the latest word counts: of a plan that was carried out, or of a person who adopted what was there.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from overlayweb.domain import standings
from overlayweb.domain.ingress_settings import job_of
from overlayweb.domain.standings import Standing, Subject
from overlayweb.domain.swarm import Network, Swarm

Key = tuple[Subject, str]


class What(StrEnum):
    """What happened outside of the approved way."""

    CHANGED = "changed"
    REMOVED = "removed"
    MADE = "made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """How something shall be, since when, and by whose word. ``change_id`` None: it was adopted."""

    standing: Standing
    at: datetime
    by: str
    change_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One setting that is not as it was approved."""

    setting: str
    approved: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One thing that is not as it was approved. ``found``: how it is, with ``there`` False where it is gone.

    ``approved`` None: nobody ever approved it. ``subject_id``: the id of the network or service, "" for one that is
    gone. ``job``: number of the job whose label a network bears that is there and shall not be.
    """

    what: What
    found: Standing
    approved: Approved | None = None
    differences: tuple[Difference, ...] = ()
    subject_id: str = ""
    job: int | None = None

    @property
    def subject(self) -> Subject:
        """What sort of thing it is."""
        return self.found.subject

    @property
    def name(self) -> str:
        """What it is called; "" for the ingress."""
        return self.found.name


@dataclass(frozen=True, kw_only=True)
class Report:
    """All drift of one observation. ``unrecorded_networks``: those from before, for which nothing was ever approved:
    they are no drift, and no change of them shows until somebody adopts them.
    """

    drifts: tuple[Drift, ...] = ()
    unrecorded_networks: tuple[Network, ...] = ()

    @cached_property
    def unrecorded(self) -> tuple[Standing, ...]:
        """How those networks are."""
        return tuple(standings.of_network(network) for network in self.unrecorded_networks)

    @cached_property
    def unrecorded_digest(self) -> str:
        """One digest of all unrecorded networks: by it a person adopts what they have read."""
        return hashlib.sha256(" ".join(row.digest for row in self.unrecorded).encode()).hexdigest()

    def drifts_with(self, *, text: str = "", what: What | None = None) -> tuple[Drift, ...]:
        """The drifts that have all words of the text in a name or a value; ``what``: only those."""
        meant = (row for row in self.drifts if what in (None, row.what))
        return tuple(row for row in meant if _has_words(text, row.found, *_approved(row)))

    def unrecorded_with(self, *, text: str = "") -> tuple[Standing, ...]:
        """The unrecorded networks that have all words of the text in their name or a value, by name."""
        meant = (row for row in self.unrecorded if _has_words(text, row))
        return tuple(sorted(meant, key=lambda row: row.name))


def find(*, swarm: Swarm, approved: Iterable[Approved], since: datetime) -> Report:
    """Hold the latest approved standing of each thing against the observation; what was approved after it, is not.

    ``since``: from then on networks that appear unapproved are drift; older ones were there before.
    """
    latest = _latest(approved)
    judged = {key: word for key, word in latest.items() if word.at <= swarm.observed_at}
    seen = {standing.key: standing for standing in standings.seen(swarm, judged)}
    ids = _ids(swarm)
    drifts = [drift for key, word in judged.items() for drift in _of(word, seen.get(key), ids.get(key, ""), swarm)]
    unknown = [n for n in standings.overlays_of(swarm) if (Subject.NETWORK, n.name) not in latest]
    drifts += [
        Drift(what=What.MADE, found=standings.of_network(n), subject_id=n.id, job=job_of(n))
        for n in unknown
        if _is_new(n, since)
    ]
    return Report(
        drifts=tuple(sorted(drifts, key=_order)),
        unrecorded_networks=tuple(n for n in unknown if not _is_new(n, since)),
    )


def _approved(drift: Drift) -> tuple[Standing, ...]:
    return (drift.approved.standing,) if drift.approved else ()


def _has_words(text: str, *told: Standing) -> bool:
    if not text:
        return True
    said = " ".join(f"{row.subject} {row.name} {row}" for row in told).lower()
    return all(word in said for word in text.lower().split())


def _latest(approved: Iterable[Approved]) -> dict[Key, Approved]:
    return {word.standing.key: word for word in sorted(approved, key=lambda word: word.at)}


def _of(word: Approved, found: Standing | None, subject_id: str, swarm: Swarm) -> Iterator[Drift]:
    wanted = word.standing
    if found is None:
        # A service that is gone took its ports along; two ingress networks are a broken mesh, and told as such.
        told_elsewhere = wanted.subject is Subject.PORTS or (
            wanted.subject is Subject.INGRESS and len(swarm.ingress_networks) > 1
        )
        if wanted.there and not told_elsewhere:
            gone = Standing(subject=wanted.subject, name=wanted.name, there=False)
            yield Drift(what=What.REMOVED, found=gone, approved=word)
    elif not wanted.there:
        made = next((n for n in swarm.networks if n.id == subject_id), None)
        job = job_of(made) if made else None
        yield Drift(what=What.MADE, found=found, approved=word, subject_id=subject_id, job=job)
    elif differences := tuple(_differences(wanted, found)):
        yield Drift(what=What.CHANGED, found=found, approved=word, differences=differences, subject_id=subject_id)


def _differences(wanted: Standing, found: Standing) -> Iterator[Difference]:
    is_now = dict(found.values)
    for setting, approved in wanted.values:
        now = is_now.get(setting, standings.NONE)
        if now != approved:
            yield Difference(setting=setting, approved=approved, found=now)


def _is_new(network: Network, since: datetime) -> bool:
    return network.created_at is not None and network.created_at > since


def _ids(swarm: Swarm) -> dict[Key, str]:
    found: list[tuple[Key, str]] = [((Subject.INGRESS, ""), network.id) for network in swarm.ingress_networks]
    found += [((Subject.NETWORK, network.name), network.id) for network in standings.overlays_of(swarm)]
    return dict(found + [((Subject.PORTS, service.name), service.id) for service in swarm.services])


_RANK = {Subject.INGRESS: 0, Subject.NETWORK: 1, Subject.PORTS: 2}


def _order(drift: Drift) -> tuple[int, str]:
    return _RANK[drift.subject], drift.name
