"""Where clusters and the engines of their nodes are reached: giving them another address, and forgetting them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from overlayweb.domain.lifecycle import ENDED, ChangeEvent, ChangeStatus
from overlayweb.models import Cluster, NodeEndpoint, Reached, forget_seen
from overlayweb.models.secrets import seal
from overlayweb.services import changes, clusters


class InUseError(Exception):
    """A job of the cluster is queued or running: its address stays until that is over."""


def change(
    *, cluster: Cluster, name: str, endpoint: str, tls_ca: str, tls_certificate: str, tls_key: str, now: datetime
) -> None:
    """Give a cluster another name or address; "" for the key keeps the one that is stored. Raises InUseError."""
    with _unused(cluster):
        moved = (endpoint, tls_ca, tls_certificate) != (cluster.endpoint, cluster.tls_ca, cluster.tls_certificate)
        cluster.name, cluster.endpoint = name, endpoint
        cluster.tls_ca, cluster.tls_certificate = tls_ca, tls_certificate
        cluster.tls_key_sealed = _resealed(cluster, tls_key)
        if moved:
            cluster.automatic = False
            forget_seen(cluster)
        cluster.save()
        clusters.look(cluster=cluster, now=now)


def remove(*, cluster: Cluster, now: datetime) -> None:
    """Forget a cluster and its secrets; what was decided and done on it stays in the history. Raises InUseError.

    The name is set free by adding the day and the number, so that another cluster may be called the same.
    """
    with _unused(cluster):
        for waiting in cluster.changes.filter(status=ChangeStatus.PENDING):
            changes.move(waiting, ChangeEvent.WITHDRAW, reason="The cluster was removed.", now=now)
        cluster.node_endpoints.all().delete()
        cluster.name = f"{cluster.name[:40]}-removed-{now:%Y-%m-%d}-{cluster.pk}"
        cluster.removed_at = now
        forget_seen(cluster)
        cluster.tls_ca = cluster.tls_certificate = cluster.tls_key_sealed = ""
        cluster.save()


def keep_node(
    *, cluster: Cluster, hostname: str, endpoint: str, tls_ca: str, tls_certificate: str, tls_key: str, now: datetime
) -> None:
    """Register where a node's own engine is reached, or another place; "" for the key keeps the stored one."""
    row = cluster.node_endpoints.filter(hostname=hostname).first() or NodeEndpoint(cluster=cluster, hostname=hostname)
    row.endpoint, row.tls_ca, row.tls_certificate = endpoint, tls_ca, tls_certificate
    row.tls_key_sealed = _resealed(row, tls_key)
    row.save()
    clusters.look(cluster=cluster, now=now)


def forget_node(*, cluster: Cluster, pk: int, now: datetime) -> bool:
    """Do not ask this node itself any more; False when it was not asked."""
    deleted, _ = cluster.node_endpoints.filter(pk=pk).delete()
    clusters.look(cluster=cluster, now=now)
    return bool(deleted)


def _resealed(reached: Reached, tls_key: str) -> str:
    if not reached.tls_ca:
        return ""
    return seal(tls_key) if tls_key else reached.tls_key_sealed


@contextmanager
def _unused(cluster: Cluster) -> Iterator[None]:
    """In one transaction, while no job of the cluster is open: a job goes on where it began."""
    with transaction.atomic():
        Cluster.objects.select_for_update().get(pk=cluster.pk)
        if cluster.jobs.exclude(status__in=ENDED).exists():
            raise InUseError("A job of this cluster is queued or running. Wait for its end, or cancel it.")
        yield
