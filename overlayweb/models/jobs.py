"""Jobs and their ledger: steps, per-service snapshots, events."""

from django.db import models

from overlayweb.domain import lifecycle
from overlayweb.domain.lifecycle import HOLDS_CLUSTER, DesiredState, JobStatus, Pass, StepStatus
from overlayweb.domain.planners import KINDS
from overlayweb.domain.plans import Plan
from overlayweb.domain.specs import Spec
from overlayweb.models import codec
from overlayweb.models.changes import ChangeRequest
from overlayweb.models.clusters import Cluster


class Job(models.Model):
    """An approved plan being carried out.

    ``owner``, ``epoch`` and ``lease_until`` are the claim: compare-and-swap bumps the epoch, and every write of an
    owner checks it. ``plan_document`` is the plan as approved, hash ``plan_sha256``.
    """

    change = models.OneToOneField(ChangeRequest, on_delete=models.PROTECT, related_name="job")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="jobs")
    kind = models.CharField(max_length=32)
    plan_document = models.TextField()
    plan_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=[(s, s) for s in JobStatus], default=JobStatus.PENDING)
    desired_state = models.CharField(max_length=16, choices=[(s, s) for s in DesiredState], default=DesiredState.RUN)
    current_pass = models.CharField(max_length=16, choices=[(p, p) for p in Pass], default=Pass.FORWARD)
    point_passed = models.BooleanField(default=False, help_text="the old ingress was removed, or may have been")
    owner = models.CharField(max_length=200, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    enqueued_at = models.DateTimeField(null=True)
    last_seq = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True, help_text="how it ended, in words")
    ending = models.CharField(max_length=16, blank=True, help_text="how it will end once everything is put back")
    attention = models.JSONField(default=list, help_text="what somebody has to do by hand, as sentences")

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["cluster"],
                condition=models.Q(status__in=sorted(HOLDS_CLUSTER)),
                name="one_job_per_cluster",
            ),
        )
        indexes = (models.Index(fields=["status", "lease_until"]),)

    def __str__(self) -> str:
        return f"job {self.pk}"

    def plan(self) -> Plan:
        """The plan as approved."""
        return codec.load_plan(self.plan_document)

    @property
    def ended(self) -> bool:
        """Whether the job is over."""
        return JobStatus(self.status) in lifecycle.ENDED

    @property
    def may_cancel(self) -> bool:
        """Whether a person may still have everything put back for free."""
        return self.desired_state == DesiredState.RUN and lifecycle.may_cancel(
            status=JobStatus(self.status), current_pass=Pass(self.current_pass), point_passed=self.point_passed
        )

    @property
    def may_restore(self) -> bool:
        """Whether a person may ask for the old ingress back."""
        kept = self.desired_state == DesiredState.RUN and KINDS[self.kind].restores
        return kept and lifecycle.may_restore(
            status=JobStatus(self.status), current_pass=Pass(self.current_pass), point_passed=self.point_passed
        )


class Step(models.Model):
    """One step of a job's ledger. ``intent`` is committed before the engine is asked for anything."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="steps")
    ordinal = models.PositiveSmallIntegerField()
    of_pass = models.CharField(max_length=16, choices=[(p, p) for p in Pass], default=Pass.FORWARD)
    name = models.CharField(max_length=32)
    title = models.CharField(max_length=120)
    status = models.CharField(max_length=16, choices=[(s, s) for s in StepStatus], default=StepStatus.PENDING)
    expected_seconds = models.FloatField(default=0)
    point_of_no_return = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    takeovers = models.PositiveSmallIntegerField(default=0)
    detail = models.TextField(blank=True, help_text="what is being waited for, or what was done")
    intent = models.JSONField(default=dict)

    class Meta:
        ordering = ("ordinal",)
        constraints = (models.UniqueConstraint(fields=["job", "ordinal"], name="one_step_per_ordinal"),)

    def __str__(self) -> str:
        return self.title


class JobService(models.Model):
    """One affected service: its snapshot, taken before the first change, and where it stands.

    Specs are canonical JSON texts. ``original`` never changes; ``target`` is what the service gets back (original
    with pinned ports, merged with what somebody else changed meanwhile); ``intent`` is what we are about to write,
    ``written`` what we know to have written.
    """

    class State(models.TextChoices):
        """Where the service stands."""

        WAITING = "waiting"
        RELEASING = "releasing"
        """Told to leave the ingress; its containers are stopping."""
        OFF = "off"
        """No container of it is on the ingress."""
        STARTING = "starting"
        RUNNING = "running"
        """Published again, at the strength it had before."""
        GONE = "gone"
        """Removed by somebody else meanwhile."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="services")
    service_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    stack = models.CharField(max_length=255, blank=True)
    ports = models.CharField(max_length=500, blank=True)
    strategy = models.CharField(max_length=16)
    release_after_seconds = models.FloatField(default=0)
    original = models.TextField()
    previous = models.TextField(blank=True)
    endpoint_ports = models.JSONField(default=list)
    target = models.TextField()
    intent = models.TextField(blank=True)
    written = models.TextField()
    edited = models.JSONField(default=list, help_text="paths that somebody else changed meanwhile")
    containers_before = models.PositiveIntegerField(default=0)
    containers_now = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    released_at = models.DateTimeField(null=True)
    off_at = models.DateTimeField(null=True)
    running_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=["job", "service_id"], name="one_snapshot_per_service"),)

    def __str__(self) -> str:
        return self.name

    @property
    def target_spec(self) -> Spec:
        """What the service gets back."""
        return Spec(self.target)

    @property
    def dark_seconds(self) -> float | None:
        """How long its ports did not answer, in seconds; None while that is not over or never began."""
        if self.released_at is None or self.running_at is None:
            return None
        return (self.running_at - self.released_at).total_seconds()


class Event(models.Model):
    """One line of a job's story, append-only, written in the transaction of the change that it tells."""

    class Level(models.TextChoices):
        """The weight of an event."""

        INFO = "info"
        WARNING = "warning"
        ERROR = "error"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    kind = models.CharField(max_length=32)
    step = models.PositiveSmallIntegerField(null=True, help_text="ordinal of the step it belongs to")
    subject = models.CharField(max_length=255, blank=True, help_text="service or node, by name")
    message = models.TextField()
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ("seq",)
        constraints = (models.UniqueConstraint(fields=["job", "seq"], name="one_event_per_seq"),)

    def __str__(self) -> str:
        return f"{self.seq} {self.message}"
