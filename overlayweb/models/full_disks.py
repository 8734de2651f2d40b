"""A database whose disk is full, said in one sentence wherever a process of ours meets it."""

import logging
import shutil
import sqlite3
from pathlib import Path

from django.db import DatabaseError, connection

_PRIMARY = 0xFF
"""The part of SQLite's result codes that is the kind; the rest is where it happened."""
_LITTLE = 64 * 1024
"""Bytes. SQLite needs 32 KiB beside the file to open it, and calls it an I/O error where it does not get them."""


def sentence(error: DatabaseError) -> str:
    """Which file SQLite found no room for, and what to do; "" for any other error.

    Nothing of the transaction that failed is written.
    """
    code = getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_OK) & _PRIMARY
    file = connection.settings_dict["NAME"]
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _has_no_room(Path(file).parent)):
        return f"the disk of its database {file} is full. Free room there; it goes on by itself."
    return ""


def _has_no_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free < _LITTLE


def warn(logger: logging.Logger, what: str, error: DatabaseError) -> None:
    """Log what does not go on for now: with that sentence, or with the traceback of an error that is not foreseen."""
    if said := sentence(error):
        logger.error("%s: %s", what, said)
    else:
        logger.warning("%s: the database does not answer, trying again", what, exc_info=error)
