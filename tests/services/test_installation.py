"""One-time links: once, for a while, and only the newest of the first ones."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.models import SetupLink
from overlayweb.services import installation, roles
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
    assert roles.of(person) is Role.ADMIN
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
    assert roles.of(accept(new)) is Role.ADMIN


def test_a_link_expires() -> None:
    token = first_token()
    SetupLink.objects.update(expires_at=timezone.now() - LINK_LIFETIME)
    with pytest.raises(LinkUnusableError):
        accept(token)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.READER, Role.ADMIN])
def test_an_invitation_gives_its_role_and_changes_no_mode(role: Role) -> None:
    admin = accept(first_token())
    token = installation.invite(person=admin, note="Ben", role=role, now=timezone.now())
    member = installation.accept(
        token=token,
        username="ben",
        password="a long pass phrase",
        full_name="Ben",
        approval_mode=ApprovalMode.TWO_PEOPLE,
        now=timezone.now(),
    )
    assert roles.of(member) is role
    assert installation.approval_mode() is ApprovalMode.SOLO


def test_only_administrators_invite() -> None:
    accept(first_token())
    member = User.objects.create_user("ben")
    with pytest.raises(roles.NotAllowedError):
        installation.invite(person=member, note="Eve", role=Role.ADMIN, now=timezone.now())


def test_an_opening_link_gives_an_account_its_password_and_makes_none() -> None:
    accept(first_token())
    waiting = User.objects.create_user("ben")
    old, new = (installation.opening_link(person=waiting, now=timezone.now()).rpartition("/")[2] for _ in range(2))
    with pytest.raises(LinkUnusableError):
        installation.open_account(token=old, password="another pass phrase", now=timezone.now())
    opened = installation.open_account(token=new, password="another pass phrase", now=timezone.now())
    assert opened == waiting
    assert opened.check_password("another pass phrase")
    assert User.objects.count() == 2
    with pytest.raises(LinkUnusableError):
        installation.open_account(token=new, password="a third pass phrase", now=timezone.now())


def test_an_invitation_opens_nobody_elses_account() -> None:
    admin = accept(first_token())
    token = installation.invite(person=admin, note="Ben", role=Role.MEMBER, now=timezone.now())
    with pytest.raises(LinkUnusableError):
        installation.open_account(token=token, password="another pass phrase", now=timezone.now())
    assert admin.check_password("a long pass phrase")


def test_the_token_is_kept_nowhere() -> None:
    token = first_token()
    assert not SetupLink.objects.filter(token_sha256=token).exists()
    assert token not in str(list(SetupLink.objects.values()))
