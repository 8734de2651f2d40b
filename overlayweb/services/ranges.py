"""The registry of address ranges that no network may take."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from overlayweb.domain import range_files
from overlayweb.domain.range_files import FiledRange, Reading
from overlayweb.models import Cluster, RangeRecord, ReservedRange


class MovedOnError(Exception):
    """The registry has changed since the import was shown: look at it again."""


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
        _record(cluster, "", kept.words, person, now)
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
            _record(kept.cluster, before, kept.words, person, now)
    return kept


def release(*, kept: ReservedRange, person: User, now: datetime) -> None:
    """Give a range free again."""
    with transaction.atomic():
        _record(kept.cluster, kept.words, "", person, now)
        kept.delete()


def look_at_file(*, text: str) -> Reading:
    """What importing this CSV would do to the ranges that hold on all clusters. Changes nothing."""
    return range_files.read(text=text, existing=_filed())


def import_file(*, text: str, seal: str, person: User, now: datetime) -> Reading:
    """Do what was shown: all of it or nothing. ``seal``: of the reading that was confirmed. Raises MovedOnError.

    A file with errors changes nothing; they are in what is returned.
    """
    with transaction.atomic():
        reading = look_at_file(text=text)
        if reading.errors:
            return reading
        if reading.seal != seal:
            raise MovedOnError("The registry has changed since. This is what the import would do now.")
        for row in reading.added:
            reserve(cidr=row.cidr, name=row.name, reason=row.reason, owner=row.owner, person=person, now=now)
        for row in (changed.after for changed in reading.changed):
            found = ReservedRange.objects.get(cidr=row.cidr, cluster=None)
            values = {"cidr": row.cidr, "name": row.name, "reason": row.reason, "owner": row.owner}
            change(kept=found, person=person, now=now, **values)
    return reading


def export_file() -> str:
    """The ranges that hold on all clusters as CSV."""
    return range_files.write(_filed())


def _filed() -> list[FiledRange]:
    rows = ReservedRange.objects.filter(cluster=None)
    return [FiledRange(cidr=row.cidr, name=row.name, reason=row.reason, owner=row.owner) for row in rows]


def _record(cluster: Cluster | None, before: str, after: str, person: User, now: datetime) -> None:
    RangeRecord.objects.create(cluster=cluster, before=before, after=after, person=person, at=now)
