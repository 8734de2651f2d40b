"""The installation itself, what its people may do, and the one-time links by which they come in."""

from django.conf import settings
from django.db import models

from overlayweb.domain.policy import ApprovalMode, Role

ROLES = [(role, role) for role in Role]


class Installation(models.Model):
    """One row: what was chosen in set-up."""

    approval_mode = models.CharField(max_length=16, choices=[(mode, mode) for mode in ApprovalMode])
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="one_installation"),)

    def __str__(self) -> str:
        return f"installation with {self.approval_mode}"


class Account(models.Model):
    """What a person may do here. Whoever has no row, such as somebody made in a shell, is a member.

    ``demo``: a person of the demo's story, who goes with it.
    """

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="account")
    role = models.CharField(max_length=16, choices=ROLES, default=Role.MEMBER)
    demo = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.person} ({self.role})"


class SetupLink(models.Model):
    """A link that makes one account, or opens one that nobody can sign in to yet, once.

    Only the hash of its token is kept. ``opens``: the account that gets its password; None: a new one is made.
    """

    token_sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE)
    opens = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="links")
    role = models.CharField(max_length=16, choices=ROLES, default=Role.MEMBER)
    note = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"set-up link of {self.created_at:%Y-%m-%d %H:%M}"
