"""What a cluster has, as lists ask for it: filtered, sorted, counted by the database. No engine, no whole snapshot."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any, TypeVar

from django.db.models import Case, Expression, F, IntegerField, OrderBy, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat, NullIf, Trim

from overlayweb.domain.capacity import TIGHT_PERCENT
from overlayweb.domain.inventory import NetworkState, ServiceState
from overlayweb.models import Cluster, Job, NetworkRow, ServiceRow

Row = TypeVar("Row", NetworkRow, ServiceRow)

_MOST_WORDS = 8

_OVERLAYS = Q(scope="swarm")
_FULLNESS = Case(
    When(usable=0, then=Value(None)),
    When(peak__gte=F("usable"), then=Value(100)),
    default=F("peak") * 100 / F("usable"),
    output_field=IntegerField(),
)
"""As ``Filling.percent`` says it; None where it is not known how many addresses there are."""

_AUTHOR = "change__author__"
_CALLED = Coalesce(
    NullIf(Trim(Concat(f"{_AUTHOR}first_name", Value(" "), f"{_AUTHOR}last_name")), Value("")), f"{_AUTHOR}username"
)
"""What the person is called whose change a job carries out."""
_PERSON = Subquery(Job.objects.filter(pk=OuterRef("job"), cluster=OuterRef("cluster")).values(called=_CALLED))
_OWNER = Coalesce(NullIf("named_owner", Value("")), "person", NullIf("stack", Value("")))

NETWORK_KINDS: Mapping[str, Q] = {
    "": _OVERLAYS,
    "attachable": _OVERLAYS & Q(attachable=True),
    "internal": _OVERLAYS & Q(internal=True),
    "encrypted": _OVERLAYS & Q(encrypted=True),
    "unallocated": _OVERLAYS & ~Q(state=NetworkState.READY),
    "tight": _OVERLAYS & Q(fullness__gte=TIGHT_PERCENT),
    "unused": _OVERLAYS & Q(services=0, containers=0, ingress=False),
    "local": ~_OVERLAYS,
}
"""What a list of networks may be narrowed to; "" is all that are the Swarm's, "local" the manager's own."""

SERVICE_KINDS: Mapping[str, Q] = {
    "": Q(),
    "short": Q(state__in=[ServiceState.SHORT, ServiceState.PAUSED]),
    "updating": Q(state=ServiceState.UPDATING),
    "published": Q(published=True),
    "attached": Q(networks__gt=0),
    "alone": Q(networks=0),
}
"""What a list of services may be narrowed to."""

_STATES = (
    NetworkState.REMOVED,
    NetworkState.UNALLOCATED,
    ServiceState.PAUSED,
    ServiceState.SHORT,
    ServiceState.UPDATING,
    ServiceState.RUNNING,
    ServiceState.EMPTY,
    ServiceState.DONE,
)
_URGENCY = Case(
    *(When(state=state, then=Value(place)) for place, state in enumerate(_STATES)),
    default=Value(len(_STATES)),
    output_field=IntegerField(),
)

NETWORK_ORDERS: Mapping[str, str] = {
    "name": "name",
    "subnet": "first_address",
    "used": "fullness",
    "services": "services",
    "nodes": "nodes",
    "mtu": "mtu",
    "owner": "owner",
    "state": "urgency",
}
SERVICE_ORDERS: Mapping[str, str] = {
    "name": "name",
    "stack": "stack",
    "containers": "running",
    "networks": "networks",
    "ports": "ports",
    "state": "urgency",
}


def networks(*, cluster: Cluster, text: str = "", kind: str = "", order: str = "name") -> QuerySet[NetworkRow]:
    """The networks of ``kind`` that have all the words of ``text`` somewhere, by ``order``; "-" in front turns it.

    An order or a kind that there is not is the usual one. ``fullness``: per cent of the addresses that are taken
    at the worst moment of an update. ``person``: whose change made it here, None for one made outside; ``owner``: who
    its label names, else that person, else its stack, else None. The name of the person is among the words.
    """
    rows = NetworkRow.objects.filter(cluster=cluster)
    found = rows.annotate(fullness=_FULLNESS, urgency=_URGENCY, person=_PERSON).annotate(owner=_OWNER)
    wanted = NETWORK_KINDS.get(kind, NETWORK_KINDS[""]) & _has_words(text, "person__icontains")
    return found.filter(wanted).order_by(*_ordered(NETWORK_ORDERS, order))


def services(*, cluster: Cluster, text: str = "", kind: str = "", order: str = "name") -> QuerySet[ServiceRow]:
    """The services of ``kind`` that have all the words of ``text`` somewhere, by ``order``; "-" in front turns it."""
    found = ServiceRow.objects.filter(cluster=cluster).annotate(urgency=_URGENCY)
    wanted = SERVICE_KINDS.get(kind, SERVICE_KINDS[""]) & _has_words(text)
    return found.filter(wanted).order_by(*_ordered(SERVICE_ORDERS, order))


def anywhere(rows: type[Row], text: str) -> "QuerySet[Row]":
    """The networks or services of all clusters that have all the words of ``text`` somewhere."""
    return rows.objects.filter(_has_words(text))


def _has_words(text: str, *also: str) -> Q:
    """All words of the text, each among those of the row or where one of the other lookups finds it."""
    words = text.lower().split()[:_MOST_WORDS]
    lookups = ("words__contains", *also)
    return reduce(and_, (reduce(or_, (Q((lookup, word)) for lookup in lookups)) for word in words), Q())


def _ordered(orders: Mapping[str, str], order: str) -> Sequence[OrderBy | Expression | Any]:
    """By the column, what has none of it last, and then by name and id so that pages do not overlap."""
    column = F(orders.get(order.removeprefix("-"), "name"))
    first = column.desc(nulls_last=True) if order.startswith("-") else column.asc(nulls_last=True)
    return (first, "name", "pk")
