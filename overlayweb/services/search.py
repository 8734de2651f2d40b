"""One search across all that has a page of its own: networks, services and changes of every cluster."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from overlayweb.models import ChangeRequest, Cluster, JobService, NetworkRow, ServiceRow
from overlayweb.services import inventory

MOST = 15
"""Of each kind; lists and the history show the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found, at most :data:`MOST` of each kind. ``more``: kinds of which there are more."""

    networks: tuple[NetworkRow, ...]
    services: tuple[ServiceRow, ...]
    changes: tuple[ChangeRequest, ...]
    more: frozenset[str]

    @property
    def everything(self) -> tuple[NetworkRow | ServiceRow | ChangeRequest, ...]:
        """All of it, in the order of the page."""
        return (*self.networks, *self.services, *self.changes)

    def only(self, text: str) -> NetworkRow | ServiceRow | ChangeRequest | None:
        """The one that somebody who typed ``text`` must mean: the only one, or the only one of that name."""
        named = [row for row in self.everything if getattr(row, "name", "").casefold() == text.casefold()]
        fitting = named or ([] if self.more else list(self.everything))
        return fitting[0] if len(fitting) == 1 else None


def everywhere(text: str, *, first: Cluster | None = None) -> Found:
    """What has all words of ``text``; those of the cluster ``first`` first, the newest changes first. Six questions."""
    changes = ChangeRequest.objects.filter(mentions(text)).select_related("cluster", "job", "author")
    found = {
        "networks": _listed(inventory.anywhere(NetworkRow, text).filter(scope="swarm"), text, first),
        "services": _listed(inventory.anywhere(ServiceRow, text), text, first),
        "changes": list(changes.defer("job__plan_document", "cluster__observation").order_by("-pk")[: MOST + 1]),
    }
    shown: dict[str, Any] = {name: tuple(rows[:MOST]) for name, rows in found.items()}
    return Found(**shown, more=frozenset(name for name, rows in found.items() if len(rows) > MOST))


def mentions(text: str) -> Q:
    """Changes by what a person may remember: the title with its subnet, a reason, how it ended, a service."""
    service = JobService.objects.filter(job__change=OuterRef("pk"), name__icontains=text)
    words = ("title", "reason", "status_reason", "job__outcome")
    return reduce(or_, (Q((f"{field}__icontains", text)) for field in words), Q(Exists(service)))


def _listed(rows: "QuerySet[Any]", text: str, first: Cluster | None) -> list[Any]:
    """Rows of that very name first, then of that cluster, by name."""
    place = Case(*_places(text, first), default=Value(2), output_field=IntegerField())
    found = rows.select_related("cluster").defer("cluster__observation", "words")
    return list(found.order_by(place, "name", "cluster__name")[: MOST + 1])


def _places(text: str, first: Cluster | None) -> Iterator[When]:
    yield When(name__iexact=text, then=Value(0))
    if first is not None:
        yield When(cluster=first, then=Value(1))
