"""One-time links: once, for a while, and only the newest of the first ones."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import SetupLink
from overlayweb.services import installation
from overlayweb.services.installation import LINK_LIFETIME, LinkUnusableError

pytestmark = pytest.mark.django_db


def accept(token: str, username: str = "ana") -> User:
    return installation.accept(
        token=token,
        username=username,
        password="a long pass phrase",
        full_name="Ana",
        approval_mode=ApprovalMode.SOLO,
        now=timezone.now(),
    )


def first_token() -> str:
    link = installation.first_setup_link()
    assert link
    return link.rpartition("/")[2]


def test_the_first_account_administers_and_chooses_the_mode() -> None:
    person = accept(first_token())
    assert person.is_staff
    assert installation.approval_mode() is ApprovalMode.SOLO
    assert installation.first_setup_link() is None


def test_a_link_opens_once() -> None:
    token = first_token()
    accept(token)
    with pytest.raises(LinkUnusableError):
        accept(token, "eve")
    assert User.objects.count() == 1


def test_only_the_newest_first_link_opens() -> None:
    old, new = first_token(), first_token()
    with pytest.raises(LinkUnusableError):
        accept(old)
    assert accept(new).is_staff


def test_a_link_expires() -> None:
    token = first_token()
    SetupLink.objects.update(expires_at=timezone.now() - LINK_LIFETIME)
    with pytest.raises(LinkUnusableError):
        accept(token)


def test_an_invitation_makes_a_plain_member_and_changes_no_mode() -> None:
    admin = accept(first_token())
    token = installation.invite(person=admin, note="Ben", grants_admin=False, now=timezone.now())
    member = installation.accept(
        token=token,
        username="ben",
        password="a long pass phrase",
        full_name="Ben",
        approval_mode=ApprovalMode.TWO_PEOPLE,
        now=timezone.now(),
    )
    assert not member.is_staff
    assert installation.approval_mode() is ApprovalMode.SOLO


def test_the_token_is_kept_nowhere() -> None:
    token = first_token()
    assert not SetupLink.objects.filter(token_sha256=token).exists()
    assert token not in str(list(SetupLink.objects.values()))
