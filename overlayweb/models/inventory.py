"""The networks and services of the clusters as lists page, sort and filter them: a row for each, beside the snapshot.

The snapshot (``Cluster.observation``) is the truth; these rows are written in its transaction and say nothing more.
"""

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any, ClassVar, TypeVar

from django.db import models, transaction

from overlayweb.domain.inventory import LONGEST_LABEL, ListedNetwork, ListedService
from overlayweb.models.clusters import Cluster

_Row = TypeVar("_Row", "NetworkRow", "ServiceRow")

AT_ONCE = 400
"""Rows of one statement: SQLite takes so many parameters and no more."""


class NetworkRow(models.Model):
    """One network of a cluster. What the columns mean: ``domain.inventory.ListedNetwork``."""

    record: ClassVar = ListedNetwork
    key: ClassVar[str] = "network_id"

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="network_rows")
    network_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    scope = models.CharField(max_length=16)
    driver = models.CharField(max_length=255)
    state = models.CharField(max_length=16)
    subnets = models.TextField()
    first_address = models.BigIntegerField(null=True)
    mtu = models.PositiveIntegerField(null=True)
    ingress = models.BooleanField()
    attachable = models.BooleanField()
    internal = models.BooleanField()
    encrypted = models.BooleanField()
    job = models.PositiveBigIntegerField(null=True, help_text="number of the job that made it, as its label says")
    named_owner = models.CharField(max_length=LONGEST_LABEL, help_text="whose it is, by its label owner")
    stack = models.CharField(max_length=LONGEST_LABEL)
    services = models.PositiveIntegerField()
    containers = models.PositiveIntegerField()
    nodes = models.PositiveIntegerField()
    used = models.PositiveIntegerField()
    peak = models.PositiveIntegerField()
    usable = models.PositiveIntegerField()
    words = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["cluster", "network_id"], name="one_row_per_network"),)
        indexes = (models.Index(fields=["cluster", "name"], name="networks_by_name"),)

    def __str__(self) -> str:
        return self.name


class ServiceRow(models.Model):
    """One service of a cluster. What the columns mean: ``domain.inventory.ListedService``."""

    record: ClassVar = ListedService
    key: ClassVar[str] = "service_id"

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="service_rows")
    service_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    stack = models.CharField(max_length=LONGEST_LABEL)
    image = models.TextField()
    mode = models.CharField(max_length=16)
    state = models.CharField(max_length=16)
    wanted = models.PositiveIntegerField()
    running = models.PositiveIntegerField()
    networks = models.PositiveIntegerField()
    network_names = models.TextField()
    ports = models.TextField()
    published = models.BooleanField()
    words = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["cluster", "service_id"], name="one_row_per_service"),)
        indexes = (models.Index(fields=["cluster", "name"], name="services_by_name"),)

    def __str__(self) -> str:
        return self.name


def write_rows(
    *, cluster_id: int, networks: Iterable[ListedNetwork], services: Iterable[ListedService]
) -> tuple[int, int]:
    """Make the rows of a cluster say just this; of ten thousand only those that changed are written.

    Within the caller's transaction. Returns how many networks and services were written or removed.
    """
    return _write(NetworkRow, cluster_id, networks), _write(ServiceRow, cluster_id, services)


def forget_seen(cluster: Cluster, **changes: Any) -> None:
    """Forget all that was seen of a cluster, which is another Swarm now or none; ``changes``: columns to set with it.

    In the database and in the record that is given.
    """
    never = dict.fromkeys(("observed_at", "news_at", "error_at", "asked_at", "away_since", "was_away_since", "back_at"))
    forgotten = {"observation": "", "glance_text": "", "error": "", **never, **changes}
    with transaction.atomic():
        Cluster.objects.filter(pk=cluster.pk).update(revision=models.F("revision") + 1, **forgotten)
        cluster.network_rows.all().delete()
        cluster.service_rows.all().delete()
    cluster.refresh_from_db(fields=["revision", *forgotten])


def _write(model: type[_Row], cluster_id: int, listed: Iterable[ListedNetwork | ListedService]) -> int:
    manager: models.Manager[_Row] = model.objects
    wanted = {getattr(record, model.key): asdict(record) for record in listed}
    names = [field.name for field in fields(model.record)]
    known = {row[model.key]: row for row in manager.filter(cluster_id=cluster_id).values("pk", *names)}
    gone = [row["pk"] for key, row in known.items() if key not in wanted]
    new = [model(cluster_id=cluster_id, **values) for key, values in wanted.items() if key not in known]
    changed = [
        model(pk=known[key]["pk"], cluster_id=cluster_id, **values)
        for key, values in wanted.items()
        if key in known and {"pk": known[key]["pk"], **values} != known[key]
    ]
    for start in range(0, len(gone), AT_ONCE):
        manager.filter(pk__in=gone[start : start + AT_ONCE]).delete()
    manager.bulk_create(new, batch_size=AT_ONCE)
    manager.bulk_update(changed, [name for name in names if name != model.key], batch_size=AT_ONCE)
    return len(gone) + len(new) + len(changed)
