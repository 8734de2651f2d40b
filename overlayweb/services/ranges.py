"""The registry of address ranges that no network may take."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from overlayweb.domain import range_files, subnets
from overlayweb.domain.range_files import FiledRange, Reading
from overlayweb.models import Cluster, RangeRecord, ReservedRange, ranges_of

RANGE_KINDS: Mapping[str, Callable[[ReservedRange], bool]] = {
    "": lambda _: True,
    "all": lambda row: row.cluster_id is None,
    "here": lambda row: row.cluster_id is not None,
}
"""What the list may be narrowed to; "" is all that hold for the cluster, "here" what holds there alone."""

RANGE_ORDERS: Mapping[str, Callable[[ReservedRange], Any]] = {
    "range": lambda row: subnets.parse(row.cidr),
    "name": lambda row: row.name.casefold(),
    "reason": lambda row: row.reason.casefold(),
    "owner": lambda row: row.owner.casefold(),
}


class MovedOnError(Exception):
    """The registry has changed since the import was shown: look at it again."""


def listed(*, cluster: Cluster, text: str = "", kind: str = "", order: str = "range") -> list[ReservedRange]:
    """The ranges of ``kind`` that hold for the cluster and have all the words of ``text`` somewhere, by ``order``.

    "-" in front turns it; what has none of it comes last; of equals the lower addresses first. Here and not in the
    database, to which 10.100.0.0/16 as text comes before 10.20.0.0/16: all planning reads all of them, too.
    """
    words = text.casefold().split()
    rows = [row for row in ranges_of(cluster) if RANGE_KINDS[kind](row)]
    found = [row for row in rows if all(word in row.words.casefold() for word in words)]
    found.sort(key=RANGE_ORDERS["range"])
    key = RANGE_ORDERS[order.removeprefix("-")]
    found.sort(key=key, reverse=order.startswith("-"))
    return sorted(found, key=lambda row: key(row) == "")


def reserve(
    *,
    cidr: str,
    name: str,
    reason: str,
    person: User,
    now: datetime,
    owner: str = "",
    cluster: Cluster | None = None,
) -> ReservedRange:
    """Keep a range free from now on, on this cluster or, with None, on all.

    ``cidr`` is IPv4 text without host bits, not yet in the registry.
    """
    with transaction.atomic():
        kept = ReservedRange.objects.create(cidr=cidr, name=name, reason=reason, owner=owner, cluster=cluster)
        _told(kept, "", kept.words, person, now).save()
    return kept


def change(
    *, kept: ReservedRange, cidr: str, name: str, reason: str, owner: str, person: User, now: datetime
) -> ReservedRange:
    """Let a range say something else from now on. What it said before stays in the history."""
    before = kept.words
    kept.cidr, kept.name, kept.reason, kept.owner = cidr, name, reason, owner
    if kept.words != before:
        with transaction.atomic():
            kept.save()
            _told(kept, before, kept.words, person, now).save()
    return kept


def release(*, kept: ReservedRange, person: User, now: datetime) -> None:
    """Give a range free again."""
    with transaction.atomic():
        _told(kept, kept.words, "", person, now).save()
        kept.delete()


def look_at_file(*, cluster: Cluster, text: str) -> Reading:
    """What importing this CSV would do to the ranges that hold for the cluster. Changes nothing."""
    return range_files.read(text=text, existing=map(_filed, _by_cidr(ranges_of(cluster)).values()))


def import_file(*, cluster: Cluster, text: str, seal: str, person: User, now: datetime) -> Reading:
    """Do what was shown: all of it or nothing. ``seal``: of the reading that was confirmed. Raises MovedOnError.

    New ranges hold for all clusters; one that holds for this cluster alone still does after it is changed. A file with
    errors changes nothing; they are in what is returned. Thousands of lines take a few statements.
    """
    with transaction.atomic():
        known = _by_cidr(ranges_of(cluster).select_for_update())
        reading = range_files.read(text=text, existing=map(_filed, known.values()))
        if reading.errors:
            return reading
        if reading.seal != seal:
            raise MovedOnError("The registry has changed since. This is what the import would do now.")
        added = [ReservedRange(**asdict(row)) for row in reading.added]
        changed = [(known[row.after.cidr], _with(known[row.after.cidr], row.after)) for row in reading.changed]
        ReservedRange.objects.bulk_create(added)
        ReservedRange.objects.bulk_create(  # bulk_update takes five times as long
            [after for _, after in changed],
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=["name", "reason", "owner"],
        )
        told = [(row, "") for row in added] + [(after, before.words) for before, after in changed]
        RangeRecord.objects.bulk_create(_told(row, before, row.words, person, now) for row, before in told)
    return reading


def export_file(*, cluster: Cluster) -> str:
    """The ranges that hold for the cluster as CSV, the lower addresses first."""
    rows = _by_cidr(ranges_of(cluster))
    return range_files.write(_filed(rows[cidr]) for cidr in sorted(rows, key=subnets.parse))


def _by_cidr(rows: Iterable[ReservedRange]) -> dict[str, ReservedRange]:
    """Where the cluster has the same range as all have, its own."""
    return {row.cidr: row for row in sorted(rows, key=lambda row: row.cluster_id is not None)}


def _filed(row: ReservedRange) -> FiledRange:
    return FiledRange(cidr=row.cidr, name=row.name, reason=row.reason, owner=row.owner)


def _with(row: ReservedRange, filed: FiledRange) -> ReservedRange:
    return ReservedRange(pk=row.pk, cluster_id=row.cluster_id, **asdict(filed))


def _told(row: ReservedRange, before: str, after: str, person: User, now: datetime) -> RangeRecord:
    return RangeRecord(cluster_id=row.cluster_id, before=before, after=after, person=person, at=now)
