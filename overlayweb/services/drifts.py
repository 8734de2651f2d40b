"""Drift: what was approved against what is, and adopting what was found."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, Max, QuerySet, Subquery

from overlayweb.domain import drift, policy
from overlayweb.domain import standings as domain_standings
from overlayweb.domain.drift import Approved, Drift, Report
from overlayweb.domain.lifecycle import HOLDS_CLUSTER, JobStatus
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.standings import Standing, Subject
from overlayweb.domain.swarm import Network
from overlayweb.models import Adoption, Cluster, Job, codec
from overlayweb.services import roles


class MovedError(Exception):
    """What somebody adopts is not what they read any more: it has to be read again."""


def report(*, cluster: Cluster) -> Report | None:
    """All drift of the cluster as it was seen last; None before the first look.

    While a job changes the cluster nothing is drift: what it does is approved, and it is not done.
    """
    if cluster.observed_at is None:
        return None
    held, *history = _history(cluster.pk)
    if held:
        return Report()
    return _report(cluster.pk, (cluster.observed_at, cluster.news_at), tuple(history))


def adopt(
    *, cluster: Cluster, subject: Subject, name: str, digest: str, person: User, reason: str, now: datetime
) -> Adoption:
    """Keep one drift as how it shall be from now on. ``digest``: of the standing that the person read.

    Raises NotAllowedError, MovedError.
    """
    roles.require(person, policy.may_decide)
    meant = _of(cluster, subject, name)
    if meant is None or meant.found.digest != digest:
        raise MovedError("It has changed since this page was read, or is as approved again. Read it anew.")
    return Adoption.objects.create(**_kept(meant.found, meant.approved), **_by(cluster, person, reason, now))


def adopt_unrecorded(*, cluster: Cluster, digest: str, person: User, reason: str, now: datetime) -> int:
    """Keep all networks that were there before as they are, so that changes of them show. Returns how many.

    ``digest``: the report's ``unrecorded_digest``. Raises NotAllowedError, MovedError.
    """
    roles.require(person, policy.may_decide)
    found = report(cluster=cluster)
    if found is None or found.unrecorded_digest != digest:
        raise MovedError("The networks have changed since this page was read. Read it anew.")
    with transaction.atomic():
        rows = [Adoption(**_kept(row, None), **_by(cluster, person, reason, now)) for row in found.unrecorded]
        Adoption.objects.bulk_create(rows, batch_size=200)
    return len(rows)


def of_ingress(*, cluster: Cluster) -> Drift | None:
    """The drift of the ingress, if it is not as it was approved."""
    return _of(cluster, Subject.INGRESS, "")


def of_network(*, cluster: Cluster, name: str) -> Drift | None:
    """The drift of the network of this name, if it is not as it was approved."""
    return _of(cluster, Subject.NETWORK, name)


def of_ports(*, cluster: Cluster, service_name: str) -> Drift | None:
    """The drift of the published ports of the service of this name, if they are not as they were approved."""
    return _of(cluster, Subject.PORTS, service_name)


def adoptions_of(*, cluster: Cluster, network: Network) -> QuerySet[Adoption]:
    """Each time that somebody adopted the network as it was found, the latest first."""
    key = {"subject": Subject.INGRESS} if network.ingress else {"subject": Subject.NETWORK, "name": network.name}
    return cluster.adoptions.filter(**key).select_related("person")


def network_as_approved(*, cluster: Cluster, name: str) -> NetworkSettings | None:
    """What forms begin with that ask for the change back: the approved settings of a network that drifted."""
    found = of_network(cluster=cluster, name=name)
    approved = found.approved.standing if found and found.approved else None
    return domain_standings.network_settings(approved) if approved and approved.there else None


def labels_as_approved(*, cluster: Cluster, name: str) -> tuple[tuple[str, str], ...]:
    """The labels that the network of this name was approved with; () unless it has drifted."""
    approved = network_as_approved(cluster=cluster, name=name)
    return approved.labels if approved else ()


def _of(cluster: Cluster, subject: Subject, name: str) -> Drift | None:
    found = report(cluster=cluster)
    rows = found.drifts if found else ()
    return next((row for row in rows if (row.subject, row.name) == (subject, name)), None)


@lru_cache(maxsize=16)
def _report(cluster_id: int, _seen: tuple[object, ...], _history: tuple[object, ...]) -> Report:
    # Named by everything that it depends on; it is asked for on every view of the overview.
    cluster = Cluster.objects.get(pk=cluster_id)
    swarm = cluster.swarm()
    return drift.find(swarm=swarm, approved=_approved(cluster_id), since=cluster.created_at) if swarm else Report()


def _history(cluster_id: int) -> tuple[object, ...]:
    """Whether a job holds the cluster, then what tells whether any word was added, in one question."""
    done = _succeeded(cluster_id).order_by()
    found: tuple[object, ...] = Cluster.objects.values_list(
        Exists(Job.objects.filter(cluster_id=cluster_id, status__in=HOLDS_CLUSTER)),
        Subquery(done.values("cluster").annotate(count=Count("pk")).values("count")),
        Subquery(done.values("cluster").annotate(last=Max("finished_at")).values("last")),
        Subquery(Adoption.objects.filter(cluster_id=cluster_id).order_by("-pk").values("pk")[:1]),
    ).get(pk=cluster_id)
    return found


def _approved(cluster_id: int) -> Iterator[Approved]:
    rows = _succeeded(cluster_id).values_list(
        "pk", "plan_sha256", "change_id", "finished_at", "change__author__first_name", "change__author__username"
    )
    for pk, sha256, change_id, finished_at, first_name, username in rows:
        if finished_at is not None:
            by = first_name or username
            for standing in _of_job(pk, sha256):
                yield Approved(standing=standing, at=finished_at, by=by, change_id=change_id)
    for adoption in Adoption.objects.filter(cluster_id=cluster_id).select_related("person"):
        by = adoption.person.get_full_name() or adoption.person.get_username()
        yield Approved(standing=adoption.standing(), at=adoption.at, by=by)


@lru_cache(maxsize=4096)
def _of_job(job_id: int, _sha256: str) -> tuple[Standing, ...]:
    # A plan never changes, and of a large one only this is needed.
    return domain_standings.of_plan(Job.objects.only("plan_document").get(pk=job_id).plan())


def _succeeded(cluster_id: int) -> QuerySet[Job]:
    return Job.objects.filter(cluster_id=cluster_id, status=JobStatus.SUCCEEDED, finished_at__isnull=False)


def _kept(found: Standing, approved: Approved | None) -> dict[str, Any]:
    was = approved.standing if approved else None
    return {"subject": found.subject, "name": found.name, "document": codec.dump(found), "was": str(was or "")}


def _by(cluster: Cluster, person: User, reason: str, now: datetime) -> dict[str, Any]:
    return {"cluster": cluster, "person": person, "reason": reason, "at": now}
