"""Setting up: one-time links, the first account, and how changes are approved here."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from overlayweb.domain import policy
from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.models import Account, Installation, SetupLink
from overlayweb.services import roles

LINK_LIFETIME = timedelta(days=2)


class LinkUnusableError(Exception):
    """This link was used, has expired, or never was one. Ask an administrator for a new one."""


def first_setup_link() -> str | None:
    """The path of a fresh one-time link for the first account, or None when there is an account.

    Each call replaces the links made before, so that only the newest opens. The people of the demo's story are
    nobody's accounts.
    """
    if User.objects.exclude(account__demo=True).exists():
        return None
    with transaction.atomic():
        SetupLink.objects.filter(invited_by=None, opens=None, used_at=None).delete()
        token = _new_link(role=Role.ADMIN, now=timezone.now())
    return _path(token)


def opening_link(*, person: User, now: datetime) -> str:
    """The path of a fresh one-time link by which a person without a password chooses one; replaces earlier ones."""
    with transaction.atomic():
        SetupLink.objects.filter(opens=person, used_at=None).delete()
        token = _new_link(opens=person, role=roles.of(person), now=now)
    return _path(token)


def invite(*, person: User, note: str, role: Role, now: datetime) -> str:
    """A one-time link for a colleague; returns its token, which is shown once and kept only as a hash.

    Raises NotAllowedError.
    """
    roles.require(person, policy.may_administer)
    return _new_link(invited_by=person, role=role, note=note, now=now)


def find_link(*, token: str, now: datetime) -> SetupLink:
    """The link with this token. Raises LinkUnusableError; a missing one and a used one look the same."""
    link = SetupLink.objects.filter(token_sha256=_hash(token), used_at=None, expires_at__gt=now).first()
    if link is None:
        raise LinkUnusableError("This link was used or has expired. Ask an administrator for a new one.")
    return link


def accept(
    *, token: str, username: str, password: str, full_name: str, approval_mode: ApprovalMode | None, now: datetime
) -> User:
    """Make the account of a link, once. The first account also chooses how changes are approved."""
    with transaction.atomic():
        link = _use(token, now)
        person = User.objects.create_user(username=username, password=password, first_name=full_name)
        Account.objects.create(person=person, role=link.role)
        if not Installation.objects.exists():
            Installation.objects.create(pk=1, approval_mode=approval_mode or ApprovalMode.TWO_PEOPLE, created_at=now)
    return person


def open_account(*, token: str, password: str, now: datetime) -> User:
    """Give the account that a link opens its password, once. Raises LinkUnusableError."""
    with transaction.atomic():
        person = _use(token, now).opens
        if person is None:
            raise LinkUnusableError("This link makes a new account.")
        person.set_password(password)
        person.save(update_fields=["password"])
    return person


def is_first(link: SetupLink) -> bool:
    """Whether this link makes the first account."""
    return link.invited_by_id is None and link.opens_id is None and not Installation.objects.exists()


def approval_mode() -> ApprovalMode:
    """How changes are approved here."""
    installation = Installation.objects.first()
    return ApprovalMode(installation.approval_mode) if installation else ApprovalMode.TWO_PEOPLE


def set_approval_mode(*, mode: ApprovalMode) -> None:
    """Choose anew how changes are approved; holds for approvals from now on."""
    Installation.objects.filter(pk=1).update(approval_mode=mode)


def _use(token: str, now: datetime) -> SetupLink:
    link = find_link(token=token, now=now)
    if not SetupLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now):
        raise LinkUnusableError("This link was used a moment ago.")
    return link


def _new_link(
    *, role: Role, now: datetime, invited_by: User | None = None, opens: User | None = None, note: str = ""
) -> str:
    token = secrets.token_urlsafe(24)
    SetupLink.objects.create(
        token_sha256=_hash(token),
        invited_by=invited_by,
        opens=opens,
        role=role,
        note=note,
        created_at=now,
        expires_at=now + LINK_LIFETIME,
    )
    return token


def _path(token: str) -> str:
    return f"/setup/{token}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
