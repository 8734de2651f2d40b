"""``manage.py watch``: follow every cluster's engine, until told to stop."""

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from overlayweb import checks, garbage
from overlayweb.models import full_disks
from overlayweb.services import clusters
from tasks.watch import Watcher

logger = logging.getLogger(__name__)

LOOK_FOR_CLUSTERS = 1.0
STOP_SECONDS = 3.0


class Command(BaseCommand):
    """Runs for ever, with a thread for each cluster. Several at once do no harm: a lease says who follows which."""

    help = "Follows the events of every cluster's engine, and keeps what was seen."
    requires_system_checks = checks.AT_START

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Watch until SIGTERM or SIGINT."""
        garbage.seldom()
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        watchers: dict[int, Watcher] = {}
        while not stop.is_set():
            try:
                _follow(watchers, clusters.watched())
            except DatabaseError as error:
                full_disks.warn(logger, "watch", error)
            close_old_connections()
            stop.wait(LOOK_FOR_CLUSTERS)
        _follow(watchers, set(), leave_after=STOP_SECONDS)


def _follow(watchers: dict[int, Watcher], wanted: set[int], *, leave_after: float = 0.0) -> None:
    """A watcher for each of these clusters, and for no other."""
    ended = [watchers.pop(pk) for pk in set(watchers) - wanted]
    for watcher in ended:
        watcher.stop()
    for watcher in ended:
        watcher.join(timeout=leave_after)
    for pk in wanted - set(watchers):
        watchers[pk] = Watcher(pk)
        watchers[pk].start()
