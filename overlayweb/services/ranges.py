"""The registry of address ranges that no network may take."""

from django.db import transaction

from overlayweb.domain import range_files
from overlayweb.domain.range_files import FiledRange, Reading
from overlayweb.models import Cluster, ReservedRange


class MovedOnError(Exception):
    """The registry has changed since the import was shown: look at it again."""


def reserve(*, cidr: str, name: str, reason: str, owner: str = "", cluster: Cluster | None = None) -> ReservedRange:
    """Keep a range free from now on, on this cluster or, with None, on all.

    ``cidr`` is IPv4 text without host bits, not yet in the registry.
    """
    return ReservedRange.objects.create(cidr=cidr, name=name, reason=reason, owner=owner, cluster=cluster)


def release(*, pk: int) -> bool:
    """Give a range free again; False when it is not there."""
    deleted, _ = ReservedRange.objects.filter(pk=pk).delete()
    return bool(deleted)


def look_at_file(*, text: str) -> Reading:
    """What importing this CSV would do to the ranges that hold on all clusters. Changes nothing."""
    return range_files.read(text=text, existing=_filed())


def import_file(*, text: str, seal: str) -> Reading:
    """Do what was shown: all of it or nothing. ``seal``: of the reading that was confirmed. Raises MovedOnError.

    A file with errors changes nothing; they are in what is returned.
    """
    with transaction.atomic():
        reading = look_at_file(text=text)
        if reading.errors:
            return reading
        if reading.seal != seal:
            raise MovedOnError("The registry has changed since. This is what the import would do now.")
        ReservedRange.objects.bulk_create(
            ReservedRange(cidr=row.cidr, name=row.name, reason=row.reason, owner=row.owner) for row in reading.added
        )
        for change in reading.changed:
            after = change.after
            found = ReservedRange.objects.filter(cidr=after.cidr, cluster=None)
            found.update(name=after.name, reason=after.reason, owner=after.owner)
    return reading


def export_file() -> str:
    """The ranges that hold on all clusters as CSV."""
    return range_files.write(_filed())


def _filed() -> list[FiledRange]:
    rows = ReservedRange.objects.filter(cluster=None)
    return [FiledRange(cidr=row.cidr, name=row.name, reason=row.reason, owner=row.owner) for row in rows]
