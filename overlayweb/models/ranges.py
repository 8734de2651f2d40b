"""Address ranges that no network may take, and who kept which of them free, or gave it free again."""

from django.conf import settings
from django.db import models

from overlayweb.domain.addresses import ReservedRange as Reserved
from overlayweb.models.clusters import Cluster


class ReservedRange(models.Model):
    """An address range that no network may take: VPC, VPN, office. ``cluster``: only there; None: anywhere."""

    cluster = models.ForeignKey(Cluster, null=True, on_delete=models.CASCADE, related_name="reserved")
    cidr = models.CharField(max_length=18)
    name = models.CharField(max_length=63)
    reason = models.CharField(max_length=255, blank=True)
    owner = models.CharField(max_length=63, blank=True, help_text="who answers for it, in words")

    class Meta:
        ordering = ("cidr",)
        constraints = (
            models.UniqueConstraint(fields=["cidr", "cluster"], name="one_range_per_cluster"),
            models.UniqueConstraint(fields=["cidr"], condition=models.Q(cluster=None), name="one_range_anywhere"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.cidr})"

    @property
    def words(self) -> str:
        """All that is kept of it, on one line."""
        return " · ".join(filter(None, (self.cidr, self.name, self.reason, self.owner)))


class RangeRecord(models.Model):
    """One entry of the registry's history. Never changed.

    ``before`` and ``after``: the range in words, "" where there was none or is none. ``person`` None: of a demo that
    was removed.
    """

    cluster = models.ForeignKey(Cluster, null=True, on_delete=models.CASCADE, related_name="range_records")
    before = models.CharField(max_length=450, blank=True)
    after = models.CharField(max_length=450, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"{self.before or 'none'} → {self.after or 'none'}"


def reserved_ranges(cluster: Cluster) -> list[Reserved]:
    """What the registry keeps free on this cluster, as planning reads it."""
    return [Reserved(name=row.name, cidr=row.cidr, reason=row.reason) for row in ranges_of(cluster)]


def ranges_of(cluster: Cluster) -> models.QuerySet[ReservedRange]:
    """The ranges that hold for this cluster: its own, and those for all."""
    return ReservedRange.objects.filter(models.Q(cluster=None) | models.Q(cluster=cluster))


def range_records_of(cluster: Cluster) -> models.QuerySet[RangeRecord]:
    """The history of those ranges, the latest first."""
    found = RangeRecord.objects.filter(models.Q(cluster=None) | models.Q(cluster=cluster))
    return found.select_related("person")
