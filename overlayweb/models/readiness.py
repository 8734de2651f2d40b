"""What was measured of a cluster when somebody asked, and what administrators did with its tokens."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models

from overlayweb.domain import join_plans
from overlayweb.domain.candidates import Candidate
from overlayweb.domain.lifecycle import ENDED
from overlayweb.domain.readiness import Check, EngineView
from overlayweb.models import codec
from overlayweb.models.clusters import Cluster
from overlayweb.models.jobs import Job
from overlayweb.models.secrets import unseal

UNTAKEN = timedelta(seconds=60)
"""No worker begins an action that was asked for longer ago than this: who asked has gone on by then."""


class ReadinessCheck(models.Model):
    """The last check of a cluster. ``result`` is the JSON of a domain ``Check``, "" before the first has ended."""

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="readiness")
    asked_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)
    result = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"check of {self.cluster}"

    def check_of(self) -> Check | None:
        """What was found, None before the first check has ended."""
        return codec.load(self.result, Check) if self.result else None

    def waits(self, now: datetime) -> bool:
        """Whether a check is under way that may still come to an end."""
        return not self.ended and now - self.asked_at < UNTAKEN

    @property
    def ended(self) -> bool:
        """Whether the check that was asked for last has come to an end."""
        return self.checked_at is not None and self.checked_at >= self.asked_at


class ActionKind(models.TextChoices):
    """What an administrator does to the tokens by which engines join a Swarm."""

    SHOW = "show", "Showed the token"
    ROTATE = "rotate", "Rotated the token"
    EARLIER = "earlier", "Earlier"
    """Made a Swarm or let an engine join, before that was a change with a plan; ``told`` says which."""


class MembershipAction(models.Model):
    """One such action: asked for by a person, carried out by a worker, kept as its trace.

    ``role``: "worker" or "manager", whose token it is about. ``told``: what an earlier one was, in words.
    ``sealed``: the token, encrypted, until ``shown_until``. ``error``: why it failed, or "".
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="membership_actions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="membership_actions")
    kind = models.CharField(max_length=16, choices=ActionKind)
    role = models.CharField(max_length=8, blank=True)
    told = models.CharField(max_length=255, blank=True, help_text="what an earlier one was, in words")
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    sealed = models.TextField(blank=True, help_text="encrypted at rest")
    shown_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.role} by {self.person}"

    def waits(self, now: datetime) -> bool:
        """Whether it may still come to an end by itself."""
        return self.ended_at is None and now - self.asked_at < UNTAKEN

    def secret(self, now: datetime) -> str:
        """The token, "" once its time is over. Raises UnreadableSecretError."""
        return unseal(self.sealed) if self.shown_until and now < self.shown_until else ""


def candidate_of(cluster: Cluster, view: EngineView, *, without: Job | None = None) -> Candidate:
    """The engine as which the cluster is registered, and what it told. ``without``: the job that asks."""
    about = models.Q(cluster=cluster) | models.Q(kind=join_plans.KIND)
    rows = Job.objects.filter(about).exclude(status__in=ENDED)
    busy = (row for row in rows if row.cluster_id == cluster.pk or cluster.pk in row.plan().other_clusters)
    other = next((row for row in busy if row != without), None)
    return Candidate(
        number=cluster.pk, name=cluster.name, endpoint=cluster.endpoint, view=view, busy=str(other) if other else ""
    )
