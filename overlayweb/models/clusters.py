"""Clusters and what was last seen of them."""

from datetime import datetime
from typing import TypeAlias

from django.db import models

from overlayweb.domain import glance, mesh
from overlayweb.domain.glance import Glance
from overlayweb.domain.mesh import Mesh
from overlayweb.domain.swarm import Swarm
from overlayweb.models import codec
from overlayweb.models.secrets import unseal


class Reached(models.Model):
    """Where an engine is reached: a socket or TCP, and for TCP the three parts of TLS as PEM text.

    ``away_since``: since when it does not answer, None while it does; ``back_at`` and ``was_away_since``: when it
    answered again the last time, and since when it had not.
    """

    endpoint = models.CharField(max_length=255)
    tls_ca = models.TextField(blank=True)
    tls_certificate = models.TextField(blank=True)
    tls_key_sealed = models.TextField(blank=True, db_column="tls_key", help_text="encrypted at rest")
    away_since = models.DateTimeField(null=True)
    was_away_since = models.DateTimeField(null=True)
    back_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def tls_key(self) -> str:
        """The client's key as PEM text. Decrypted only when asked for. Raises UnreadableSecretError."""
        return unseal(self.tls_key_sealed)


_Which: TypeAlias = tuple[int, datetime | None, datetime | None]
"""Which observation it is: the revision, and when it was read. A database that was brought back counts anew, but not in
the same moments."""


class _WithoutObservations(models.Manager["Cluster"]):
    """Clusters without the text of what was seen, which may be 18 MB: ``swarm()`` fetches it, where it has to."""

    def get_queryset(self) -> "models.QuerySet[Cluster]":
        return super().get_queryset().defer("observation")


class Cluster(Reached):
    """A Swarm, reached through one manager, with its latest observation.

    ``observation`` is the JSON of a domain ``Swarm``; pages read it by ``swarm()`` and never ask an engine.
    ``observed_at`` is when everything was read; ``news_at`` when a part of it was read again since. ``revision``
    counts what was written. ``glance_text`` is the JSON of the ``Glance`` at it. ``error`` is why the last look failed,
    in words for a person, or "".
    """

    name = models.SlugField(max_length=63, unique=True)
    automatic = models.BooleanField(default=False, help_text="registered by itself from DOCKER_HOST or the socket")
    demo = models.BooleanField(default=False, help_text="simulated: nothing real changes")
    created_at = models.DateTimeField()
    observation = models.TextField(blank=True)
    observed_at = models.DateTimeField(null=True)
    news_at = models.DateTimeField(null=True, help_text="when an event last brought something newer")
    revision = models.PositiveBigIntegerField(default=0)
    glance_text = models.TextField(blank=True)
    error = models.TextField(blank=True)
    error_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True, help_text="when an observation was last asked for")
    watcher = models.CharField(max_length=80, blank=True, help_text="the process that follows its events")
    watched_until = models.DateTimeField(null=True, help_text="the watcher's lease")
    removed_at = models.DateTimeField(null=True, help_text="since when only its history is shown")

    objects = _WithoutObservations()

    _read: "tuple[_Which, Swarm | None] | None" = None

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def swarm(self) -> Swarm | None:
        """The latest observation, or None before the first; of this record the same one until it is loaded again.

        Where the database has a newer one by now it is read, and the record's revision and times become those of it.
        """
        if self.observed_at is None:
            return None
        if self._read is None or self._read[0] != self._which:
            kept = _latest.get(self.pk)
            self._read = kept if kept and kept[0] == self._which else _fetch(self.pk)
            self.revision, self.observed_at, self.news_at = self._read[0]
        return self._read[1]

    def mesh(self) -> Mesh | None:
        """The verdict on its routing mesh, or None before the first observation."""
        swarm = self.swarm()
        return mesh.recognise(swarm) if swarm else None

    def glance(self) -> Glance | None:
        """What every page says of it, without reading the observation; None before the first."""
        if self.glance_text:
            return codec.load(self.glance_text, Glance)
        swarm = self.swarm()
        return glance.take(swarm, mesh.recognise(swarm)) if swarm else None

    @property
    def _which(self) -> _Which:
        return self.revision, self.observed_at, self.news_at


_latest: dict[int, tuple[_Which, Swarm]] = {}
"""The latest observation of each cluster that this process has read. Every page reads it, it changes only every few
seconds, and a frozen record may be shared; older ones of a large cluster would only fill the memory."""


def _fetch(pk: int) -> tuple[_Which, Swarm | None]:
    """Read what the database has now, and keep it for the whole process; None where it has been forgotten."""
    rows = Cluster.objects.filter(pk=pk).values_list("revision", "observed_at", "news_at", "observation")
    revision, observed_at, news_at, text = rows.get()
    which = (revision, observed_at, news_at)
    if not text:
        return which, None
    _latest[pk] = read = (which, codec.load(text, Swarm))
    return read


class NodeEndpoint(Reached):
    """Where the engine of one node is reached, so that what it holds itself is seen beside what a manager shows."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="node_endpoints")
    hostname = models.CharField(max_length=255)

    class Meta:
        ordering = ("hostname",)
        constraints = (models.UniqueConstraint(fields=["cluster", "hostname"], name="one_endpoint_per_node"),)

    def __str__(self) -> str:
        return f"{self.hostname} ({self.endpoint})"
