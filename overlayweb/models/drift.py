"""What people adopted: how a thing was found, kept as how it shall be from then on."""

from django.conf import settings
from django.db import models

from overlayweb.domain.standings import Standing, Subject
from overlayweb.models import codec
from overlayweb.models.clusters import Cluster


class Adoption(models.Model):
    """One person's word that one thing shall be as it was found. Never changed, never deleted.

    ``document``: the JSON of a domain ``Standing``; ``was``: what had been approved before, in words, "" for nothing.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="adoptions")
    subject = models.CharField(max_length=16, choices=[(subject, subject) for subject in Subject])
    name = models.CharField(max_length=255, blank=True)
    document = models.TextField()
    was = models.TextField(blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="adoptions")
    reason = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (models.Index(fields=["cluster", "at"], name="adoptions_by_time"),)

    def __str__(self) -> str:
        return f"{self.subject} {self.name} adopted"

    def standing(self) -> Standing:
        """How it shall be."""
        return codec.load(self.document, Standing)
