"""Coming in: the first account, invitations, sign-in and its throttle, the approval mode."""

import re
from typing import ClassVar

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import timezone

from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.models import Account, Installation, SetupLink
from overlayweb.services import installation as installations
from overlayweb.services import roles
from tests.web.conftest import PASSWORD
from tests.web.pages import text

ACCOUNT = {"username": "ana", "full_name": "Ana", "password": PASSWORD, "password_again": PASSWORD}


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password was really compared."""

    algorithm = "counting"
    compared: ClassVar[list[str]] = []

    def verify(self, password: str, encoded: str) -> bool:
        self.compared.append(password)
        return super().verify(password, encoded)


def focused(page: bytes) -> list[str]:
    """Names of the inputs that ask for the focus."""
    return re.findall(r'name="(\w+)"[^>]* autofocus', page.decode())


@pytest.fixture
def first_link(db: None) -> str:
    link = installations.first_setup_link()
    assert link is not None
    return link


def test_the_first_account_administers_and_chooses_the_mode(first_link: str, client: Client) -> None:
    page = client.get(first_link)
    assert b"Make the first account" in page.content
    assert b"Two people" in page.content
    answer = client.post(first_link, {**ACCOUNT, "approval_mode": "solo"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    account = User.objects.get(username="ana")
    assert roles.of(account) is Role.ADMIN
    assert account.first_name == "Ana"
    assert account.check_password(PASSWORD)
    assert Installation.objects.get().approval_mode == ApprovalMode.SOLO
    assert client.session["_auth_user_id"] == str(account.pk)


def test_the_focus_is_where_typing_goes_on(first_link: str, client: Client) -> None:
    assert focused(client.get(first_link).content) == ["username"]
    typed = {"username": "ana", "full_name": "Ana Author", "password": "Ana Author", "password_again": "other"}
    refused = client.post(first_link, {**typed, "approval_mode": "solo"})
    assert "The password is too similar to the name." in text(refused)
    assert focused(refused.content) == ["password"]
    assert focused(client.post(first_link, {**typed, "username": "a b"}).content) == ["username"]


def test_a_link_opens_once(first_link: str, client: Client) -> None:
    client.post(first_link, {**ACCOUNT, "approval_mode": "solo"})
    for path in (first_link, "/setup/never-was-one"):  # a used one and a missing one look the same
        answer = Client().get(path)
        assert answer.status_code == 404
        assert b"This link was used or has expired" in answer.content
    assert Client().post(first_link, ACCOUNT).status_code == 404
    assert User.objects.count() == 1


def test_all_mistakes_of_an_account_at_once(first_link: str, client: Client) -> None:
    typed = {"username": "a b", "full_name": "", "password": "short", "password_again": "other", "approval_mode": "x"}
    page = client.post(first_link, typed).content.decode()
    for field in ("username", "full_name", "password", "password_again", "approval_mode"):
        assert f'id="id_{field}_error"' in page
    assert 'value="a b"' in page
    assert not User.objects.exists()


def test_an_invited_colleague_is_no_administrator_and_chooses_no_mode(as_administrator: Client, client: Client) -> None:
    page = as_administrator.post("/people/invite", {"note": "Dora", "role": "member"}).content.decode()
    link = re.search(r"/setup/[\w-]+", page)
    assert link is not None
    assert "Clara Admin invited you" in client.get(link[0]).content.decode()
    assert client.post(link[0], {**ACCOUNT, "username": "dora", "approval_mode": "solo"}).status_code == 302
    assert roles.of(User.objects.get(username="dora")) is Role.MEMBER
    assert Installation.objects.get().approval_mode == ApprovalMode.TWO_PEOPLE


def test_the_token_of_an_invitation_is_shown_once_and_not_kept(as_administrator: Client) -> None:
    page = as_administrator.post("/people/invite", {"note": "Dora", "role": "reader"}).content.decode()
    found = re.search(r"/setup/([\w-]+)", page)
    assert found is not None
    assert SetupLink.objects.get().role == Role.READER
    assert found[1] not in str(SetupLink.objects.values())
    later = as_administrator.get("/people").content.decode()
    assert found[1] not in later
    assert "Dora" in later


def test_taken_names_are_told_apart_from_nothing_but_their_case(
    author: User, administrator: User, client: Client
) -> None:
    token = installations.invite(person=administrator, note="", role=Role.MEMBER, now=timezone.now())
    page = client.post(f"/setup/{token}", {**ACCOUNT, "username": "ANA"}).content.decode()
    assert "This user name is taken" in page


def test_roles_are_shown_and_given(as_administrator: Client, author: User) -> None:
    page = as_administrator.get("/people").content.decode()
    assert "Role of Ana Author" in page
    as_administrator.post(f"/people/{author.pk}/role", {"role": "reader"})
    assert roles.of(author) is Role.READER
    answer = as_administrator.post(f"/people/{author.pk}/role", {"role": "emperor"})
    assert "Choose a role" in answer.content.decode()
    assert roles.of(author) is Role.READER


def test_the_last_administrator_stays_one(as_administrator: Client, administrator: User, author: User) -> None:
    path = f"/people/{administrator.pk}/role"
    answer = as_administrator.post(path, {"role": "member"})
    assert answer.status_code == 409
    assert "Clara Admin is the only administrator" in answer.content.decode()
    assert roles.of(administrator) is Role.ADMIN
    as_administrator.post(f"/people/{author.pk}/role", {"role": "admin"})
    assert as_administrator.post(path, {"role": "member"}).status_code == 302
    assert roles.of(administrator) is Role.MEMBER
    assert as_administrator.get("/people").status_code == 404, "from the next request on"


def test_a_closed_account_is_no_administrator_to_count_on(as_administrator: Client, administrator: User) -> None:
    closed = User.objects.create_user("zoe", is_active=False)
    Account.objects.create(person=closed, role=Role.ADMIN)
    assert as_administrator.post(f"/people/{administrator.pk}/role", {"role": "reader"}).status_code == 409


def test_a_link_opens_an_account_that_waits_for_its_password(reader: User, client: Client) -> None:
    link = installations.opening_link(person=reader, now=timezone.now())
    page = client.get(link).content.decode()
    assert "You are Rui Reader" in page
    assert "a reader of this installation" in page
    assert 'name="username"' not in page
    mistaken = client.post(link, {"password": "rui reader", "password_again": "rui reader"}).content.decode()
    assert 'id="id_password_error"' in mistaken
    phrase = "three words suffice"
    assert client.post(link, {"password": phrase, "password_again": phrase}).status_code == 302
    assert client.session["_auth_user_id"] == str(reader.pk)
    assert client.get(link).status_code == 404


def test_the_approval_mode_can_be_changed(as_administrator: Client) -> None:
    as_administrator.post("/people/approval", {"approval_mode": "solo"})
    assert installations.approval_mode() is ApprovalMode.SOLO


def test_signing_in_and_out(author: User, client: Client) -> None:
    answer = client.post("/sign-in", {"username": "ana", "password": PASSWORD, "next": "/history/"})
    assert answer.headers["Location"] == "/history/"
    client.post("/sign-out")
    assert client.get("/history/").status_code == 302


def test_a_wrong_password_says_so_and_keeps_the_name(author: User, client: Client) -> None:
    page = client.post("/sign-in", {"username": "ana", "password": "wrong"}).content.decode()
    assert "User name or password is not right" in page
    assert 'value="ana"' in page


@pytest.mark.slow
@override_settings(PASSWORD_HASHERS=[f"{__name__}.CountingHasher"])
def test_of_a_hundred_bad_tries_at_most_ten_reach_the_hasher(installation: Installation, client: Client) -> None:
    User.objects.create_user("ana", password=PASSWORD)
    CountingHasher.compared.clear()
    answers = [client.post("/sign-in", {"username": "ana", "password": f"wrong {n}"}) for n in range(100)]
    assert 1 <= len(CountingHasher.compared) <= 10
    assert answers[-1].status_code == 429
    assert b"Wait five minutes" in answers[-1].content
    assert client.post("/sign-in", {"username": "ana", "password": PASSWORD}).status_code == 429
