"""Secrets at rest: encrypted with a key that is not in the database."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnreadableSecretError(Exception):
    """A stored secret was encrypted with a key that is not there any more; enter it again."""


def seal(text: str) -> str:
    """A Fernet token of the text, "" for "". Keys: ``settings.OVERLAYWEB_SECRET_KEYS``, the first one encrypts."""
    return _cipher().encrypt(text.encode()).decode() if text else ""


def unseal(token: str) -> str:
    """The text of a token; any of the keys will do. Raises UnreadableSecretError."""
    if not token:
        return ""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken as exc:
        raise UnreadableSecretError("The stored TLS key cannot be decrypted: its encryption key is gone.") from exc


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.OVERLAYWEB_SECRET_KEYS])
