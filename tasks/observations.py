"""Keeping what was seen of a cluster: the snapshot, the rows of the lists and the glance, in one transaction.

Two may look at the same time: the watcher, and a worker that was asked to. What is written names the revision that it
began with, where it builds on one; a look at everything builds on nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from overlayweb.domain import glance, inventory, mesh
from overlayweb.domain.swarm import NodeView, Swarm
from overlayweb.models import Cluster, NodeEndpoint, codec, write_rows


def keep(*, cluster: Cluster, swarm: Swarm) -> bool:
    """Everything was read: keep it, unless something newer is kept already or the cluster is reached elsewhere now."""
    older = Q(observed_at=None) | Q(observed_at__lte=swarm.observed_at)
    seen = {"observed_at": swarm.observed_at, "news_at": None, "error": "", "error_at": None}
    return _write(cluster, _same(cluster).filter(older), swarm, seen)


def keep_part(*, cluster: Cluster, swarm: Swarm, revision: int, now: datetime) -> bool:
    """Part of it was read again: keep it, unless what it was put into has changed since that revision."""
    return _write(cluster, _same(cluster).filter(revision=revision), swarm, {"news_at": now})


def keep_failure(*, cluster: Cluster, error: str, now: datetime) -> None:
    """The engine could not be asked: say why, and since when; what was seen before stays."""
    with transaction.atomic():
        _same(cluster).update(error=error, error_at=now)
        _gone(_same(cluster), now)


def keep_answers(*, cluster: Cluster, views: Sequence[NodeView], now: datetime) -> None:
    """Remember which of the nodes' own engines do not answer, since when, and which have come back."""
    for engines, change in (
        (_named(cluster, views, failed=True), _gone),
        (_named(cluster, views, failed=False), _back),
    ):
        change(engines, now)


def _write(cluster: Cluster, where: QuerySet[Cluster], swarm: Swarm, seen: dict[str, Any]) -> bool:
    # What takes long at ten thousand services is worked out before the transaction, which keeps others waiting.
    text = codec.dump(swarm)
    glanced = codec.dump(glance.take(swarm, mesh.recognise(swarm)))
    networks, services = inventory.networks(swarm), inventory.services(swarm)
    with transaction.atomic():
        if not where.update(observation=text, glance_text=glanced, revision=F("revision") + 1, **seen):
            return False
        write_rows(cluster_id=cluster.pk, networks=networks, services=services)
        _back(_same(cluster), seen.get("observed_at") or seen["news_at"])
    return True


def _same(cluster: Cluster) -> QuerySet[Cluster]:
    """The cluster, while it is reached where it was asked and is not removed."""
    return Cluster.objects.filter(pk=cluster.pk, endpoint=cluster.endpoint, removed_at=None)


def _named(cluster: Cluster, views: Sequence[NodeView], *, failed: bool) -> QuerySet[NodeEndpoint]:
    names = [view.hostname for view in views if bool(view.error) is failed]
    return NodeEndpoint.objects.filter(cluster_id=cluster.pk, hostname__in=names)


def _gone(engines: QuerySet[Any], now: datetime) -> None:
    engines.filter(away_since=None).update(away_since=now)


def _back(engines: "QuerySet[Any]", now: datetime) -> None:
    engines.exclude(away_since=None).update(was_away_since=F("away_since"), away_since=None, back_at=now)
