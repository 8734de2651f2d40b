"""A text field whose value is encrypted at rest, with a key that is not in the database."""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class UnreadableSecretError(Exception):
    """A stored secret was encrypted with a key that is not there any more; enter it again."""


if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField  # generic for the type checker only


class EncryptedTextField(_TextField):
    """Plain text in Python, Fernet tokens in the database.

    Keys come from ``settings.OVERLAYWEB_SECRET_KEYS`` (Fernet keys, newest first): the first encrypts, all decrypt.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way in."""
        if not value:
            return ""
        return _cipher().encrypt(str(value).encode()).decode()

    def from_db_value(self, value: str, *_: object) -> str:
        """Decrypt on the way out. Raises UnreadableSecretError."""
        if not value:
            return ""
        try:
            return _cipher().decrypt(value.encode()).decode()
        except InvalidToken as exc:
            raise UnreadableSecretError("A stored key cannot be decrypted: enter it again.") from exc


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.OVERLAYWEB_SECRET_KEYS])
