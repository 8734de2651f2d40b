"""The installation itself and the one-time links by which people come in."""

from django.conf import settings
from django.db import models

from overlayweb.domain.policy import ApprovalMode


class Installation(models.Model):
    """One row: what was chosen in set-up."""

    approval_mode = models.CharField(max_length=16, choices=[(mode, mode) for mode in ApprovalMode])
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="one_installation"),)

    def __str__(self) -> str:
        return f"installation with {self.approval_mode}"


class SetupLink(models.Model):
    """A link that makes one account, once. Only the hash of its token is kept."""

    token_sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE)
    grants_admin = models.BooleanField(default=False)
    note = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"set-up link of {self.created_at:%Y-%m-%d %H:%M}"
