"""Clusters: registering them, asking a worker to look at them, and what was seen last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from overlayweb.domain import address_troubles, diagnosis
from overlayweb.domain.glance import Glance
from overlayweb.domain.lifecycle import ENDED, HOLDS_CLUSTER, ChangeStatus
from overlayweb.domain.mesh import Mesh
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster, Job, forget_seen, reserved_ranges
from overlayweb.models.secrets import seal
from tasks import jobs as celery_tasks

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

LOOK_EVERY = timedelta(seconds=60)
FAILED_EVERY = timedelta(seconds=10)
ASK_AGAIN = timedelta(seconds=15)
FRESH = timedelta(seconds=90)
"""An observation older than this is shown as old and approves nothing: everything is listed once a minute, and a long
list takes its time."""
BACK_FOR = timedelta(minutes=10)
"""So long pages say that an engine was away."""


class Shown(TypedDict):
    """What :func:`shown` adds."""

    pending: int
    running: bool


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What is known of a cluster now. ``error``: why the last look failed; ``back``: its engine was away lately.

    ``glance`` is what most pages need; ``swarm`` and ``mesh`` read the whole observation. All None: never seen.
    """

    cluster: Cluster
    error: str
    fresh: bool
    back: bool

    @property
    def swarm(self) -> Swarm | None:
        """The latest observation."""
        return self.cluster.swarm()

    @property
    def mesh(self) -> Mesh | None:
        """The verdict on its routing mesh."""
        return self.cluster.mesh()

    @cached_property
    def job(self) -> Job | None:
        """The job that holds the cluster."""
        return self.cluster.jobs.filter(status__in=HOLDS_CLUSTER).defer("plan_document").first()

    @cached_property
    def glance(self) -> Glance | None:
        """The latest observation in a few words."""
        return self.cluster.glance()


def register_local(*, now: datetime) -> None:
    """Register the manager of DOCKER_HOST, or of the local socket, as cluster ``local``; follows DOCKER_HOST.

    Whatever it is called since; one that was removed does not come back.
    """
    endpoint = settings.OVERLAYWEB_DOCKER_HOST
    known = Cluster.objects.filter(Q(automatic=True) | Q(name="local")).order_by("-automatic").first()
    cluster = known or Cluster.objects.create(name="local", endpoint=endpoint, automatic=True, created_at=now)
    if cluster.automatic and not cluster.removed_at and cluster.endpoint != endpoint:
        forget_seen(cluster, endpoint=endpoint)


def add(*, name: str, endpoint: str, tls_ca: str, tls_certificate: str, tls_key: str, now: datetime) -> Cluster:
    """Register a Swarm by one of its managers, and ask a worker to look at it."""
    with transaction.atomic():
        cluster = Cluster.objects.create(
            name=name,
            endpoint=endpoint,
            tls_ca=tls_ca,
            tls_certificate=tls_certificate,
            tls_key_sealed=seal(tls_key),
            created_at=now,
        )
        look(cluster=cluster, now=now)
    return cluster


def look(*, cluster: Cluster, now: datetime) -> None:
    """Ask a worker for a fresh observation."""
    Cluster.objects.filter(pk=cluster.pk).update(asked_at=now)
    celery_tasks.observe_cluster.delay_on_commit(cluster.pk)


def last_look(cluster: Cluster) -> datetime | None:
    """When the last look at the cluster ended, well or not; None before the first."""
    return max(filter(None, (cluster.observed_at, cluster.error_at)), default=None)


def look_at_due(*, now: datetime) -> int:
    """Ask for observations of all clusters that no watcher follows now and whose last look is getting old.

    Returns how many were asked for. A watcher that is away must not make pages lie for longer than a minute.
    """
    unwatched = Q(watched_until=None) | Q(watched_until__lt=now)
    old = Q(observed_at=None) | Q(observed_at__lt=now - LOOK_EVERY)
    failed_recently = Q(error_at__gt=now - FAILED_EVERY)
    due = Cluster.objects.filter(unwatched, old, removed_at=None).exclude(failed_recently & ~Q(error=""))
    asked = 0
    for cluster in due.filter(Q(asked_at=None) | Q(asked_at__lt=now - ASK_AGAIN)).only("pk"):
        look(cluster=cluster, now=now)
        asked += 1
    return asked


def shown() -> "list[WithAnnotations[Cluster, Shown]]":
    """All clusters by name, with what every page says of them, in one question.

    ``pending``: how many of its changes wait for approval; ``running``: whether a job of it is queued or running.
    """
    waiting = ChangeRequest.objects.filter(cluster=OuterRef("pk"), status=ChangeStatus.PENDING).order_by()
    count = waiting.values("cluster").annotate(count=Count("pk")).values("count")
    running = Job.objects.filter(cluster=OuterRef("pk")).exclude(status__in=ENDED)
    known = Cluster.objects.filter(removed_at=None)
    return list(known.annotate(pending=Coalesce(Subquery(count), 0), running=Exists(running)))


def watched() -> set[int]:
    """The clusters that a watcher follows: all that are registered."""
    return set(Cluster.objects.filter(removed_at=None).values_list("pk", flat=True))


def sight(*, cluster: Cluster, now: datetime) -> Sight:
    """What pages show of a cluster, from the database alone."""
    return Sight(
        cluster=cluster,
        error=cluster.error,
        back=cluster.back_at is not None and not cluster.away_since and now - cluster.back_at < BACK_FOR,
        fresh=cluster.observed_at is not None and not cluster.error and now - cluster.observed_at < FRESH,
    )


def problems(*, cluster: Cluster) -> tuple[Finding, ...]:
    """What is wrong with the cluster as it was seen last, what does not work first; () before the first look."""
    swarm = cluster.swarm()
    if swarm is None:
        return ()
    addresses = address_troubles.find(swarm=swarm, reserved=reserved_ranges(cluster))
    found = (*diagnosis.diagnose(swarm), *addresses)
    return tuple(sorted(found, key=lambda finding: finding.level is not Level.BLOCKER))
