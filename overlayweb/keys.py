"""Keys that live in files of the data folder, made there on first use and readable by their owner only."""

import base64
import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

SECRET_KEY_LENGTH = 50  # what Django's own deploy check (security.W009) asks for
ENCRYPTION_KEY_BYTES = 32  # Fernet: 16 to sign, 16 to encrypt


def kept(*, path: Path, make: Callable[[], str]) -> str:
    """Read the file, or make it first; of two processes that start at once both end with the same content.

    Raises OSError where the folder cannot be used.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{make()}\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text(encoding="ascii")


def new_secret_key() -> str:
    """A key for Django's signatures: sessions, tokens, links."""
    return secrets.token_urlsafe(SECRET_KEY_LENGTH)


def new_encryption_key() -> str:
    """A Fernet key: 32 random bytes in url-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(ENCRYPTION_KEY_BYTES)).decode("ascii")


def is_encryption_key(text: str) -> bool:
    """Whether the text is a Fernet key."""
    try:
        return len(base64.b64decode(text, altchars="-_", validate=True)) == ENCRYPTION_KEY_BYTES
    except ValueError:
        return False
