"""``manage.py migrate``: Django's own, one at a time, since several machines may start on a new database at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

_LOCK = 7_086_111
"""Any number that nobody else takes in this database. PostgreSQL gives the lock back when its session ends."""


class Command(migrate.Command):
    """Whoever comes second waits, and finds everything done."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate once nobody else does."""
        with _alone(options["database"]):
            super().handle(*args, **options)


@contextmanager
def _alone(alias: str) -> Iterator[None]:
    """Hold PostgreSQL's lock. SQLite needs none: its data folder belongs to one installation."""
    connection = connections[alias]
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
