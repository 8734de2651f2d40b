"""Clusters and what was last seen of them."""

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


class Cluster(Reached):
    """A Swarm, reached through one manager, with its latest observation.

    ``observation`` is the JSON of a domain ``Swarm``; pages read it and never ask an engine. ``observed_at`` is when
    everything was read; ``news_at`` when a part of it was read again since. ``revision`` counts what was written.
    ``glance_text`` is the JSON of the ``Glance`` at it. ``error`` is why the last look failed, in words for a person,
    or "".
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

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def swarm(self) -> Swarm | None:
        """The latest observation, or None before the first."""
        return _read(self) if self.observation else None

    def mesh(self) -> Mesh | None:
        """The verdict on its routing mesh, or None before the first observation."""
        return mesh.recognise(_read(self)) if self.observation else None

    def glance(self) -> Glance | None:
        """What every page says of it, without reading the observation; None before the first."""
        if self.glance_text:
            return codec.load(self.glance_text, Glance)
        return glance.take(_read(self), mesh.recognise(_read(self))) if self.observation else None


_latest: dict[int, tuple[str, Swarm]] = {}
"""The latest observation of each cluster that this process has read, with its text. Every page reads it, it changes
only every few seconds, and a frozen record may be shared; older ones of a large cluster would only fill the memory."""


def _read(cluster: Cluster) -> Swarm:
    text, swarm = _latest.get(cluster.pk, ("", None))
    if swarm is None or text != cluster.observation:
        swarm = codec.load(cluster.observation, Swarm)
    _latest[cluster.pk] = (cluster.observation, swarm)  # this very text: a page that asks again compares no 18 MB
    return swarm


class NodeEndpoint(Reached):
    """Where the engine of one node is reached, so that what it holds itself is seen beside what a manager shows."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="node_endpoints")
    hostname = models.CharField(max_length=255)

    class Meta:
        ordering = ("hostname",)
        constraints = (models.UniqueConstraint(fields=["cluster", "hostname"], name="one_endpoint_per_node"),)

    def __str__(self) -> str:
        return f"{self.hostname} ({self.endpoint})"
