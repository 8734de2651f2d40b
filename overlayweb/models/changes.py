"""Change requests, their frozen plans, and what people said to them."""

from django.conf import settings
from django.db import models

from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.plans import Plan
from overlayweb.models import codec
from overlayweb.models.clusters import Cluster


class ChangeRequest(models.Model):
    """What a person asks for, and why. One plan belongs to it; planning again makes a new change request."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=32)
    title = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="changes")
    status = models.CharField(
        max_length=16, choices=[(status, status) for status in ChangeStatus], default=ChangeStatus.PENDING
    )
    status_reason = models.TextField(blank=True)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    replaces = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="replaced_by")

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["cluster", "status"]),)

    def __str__(self) -> str:
        return self.title


class PlanRecord(models.Model):
    """A plan as it was shown: the JSON of a domain ``Plan`` and its hash. Never changed."""

    change = models.OneToOneField(ChangeRequest, on_delete=models.CASCADE, related_name="plan_record")
    document = models.TextField()
    sha256 = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    observed_at = models.DateTimeField()
    created_at = models.DateTimeField()

    _plan: Plan | None = None

    def __str__(self) -> str:
        return f"plan {self.sha256[:7]}"

    def plan(self) -> Plan:
        """The plan, exactly as it was shown; of this record read once, as it may be megabytes."""
        if self._plan is None:
            self._plan = codec.load_plan(self.document)
        return self._plan


class Approval(models.Model):
    """What one person said of one plan, by the plan's hash."""

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="approvals")
    plan_sha256 = models.CharField(max_length=64)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="approvals")
    approved = models.BooleanField()
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at",)
        constraints = (models.UniqueConstraint(fields=["change", "person"], name="one_word_per_person"),)

    def __str__(self) -> str:
        return f"{'approved' if self.approved else 'rejected'} by {self.person}"
