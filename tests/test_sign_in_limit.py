"""Guessing passwords: of a hundred wrong ones in a row hardly any is even compared."""

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

PASSWORD = "correct horse battery"


class CountingHasher(MD5PasswordHasher):
    """A password hasher that counts comparisons."""

    algorithm = "counting"
    compared = 0

    def verify(self, password: str, encoded: str) -> bool:
        CountingHasher.compared += 1
        return super().verify(password, encoded)


@pytest.fixture(autouse=True)
def _counting(settings: Settings, db: None) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    CountingHasher.compared = 0
    for name in ("ada", "grace"):
        User.objects.create_user(name, password=PASSWORD)


def try_to_sign_in(name: str, password: str, *, address: str = "192.0.2.7") -> int:
    """The answer's status to one try from an address."""
    fields = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(reverse("sign-in"), fields).status_code


@pytest.mark.slow
def test_a_hundred_wrong_passwords_reach_the_hasher_ten_times_at_most() -> None:
    answers = [try_to_sign_in("ada", f"guess {number}") for number in range(100)]

    assert 0 < CountingHasher.compared <= 10
    assert answers[-1] == 429


def test_the_right_password_does_not_open_a_lock() -> None:
    for number in range(10):
        try_to_sign_in("ada", f"guess {number}")

    assert try_to_sign_in("ada", PASSWORD) == 429


def test_a_lock_holds_neither_colleagues_nor_the_owner_elsewhere() -> None:
    for number in range(10):
        try_to_sign_in("ada", f"guess {number}")

    assert try_to_sign_in("grace", PASSWORD) == 302
    assert try_to_sign_in("ada", PASSWORD, address="198.51.100.4") == 302
