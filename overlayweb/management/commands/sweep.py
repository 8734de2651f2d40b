"""``manage.py sweep``: recover jobs and keep observations fresh, once a second, until told to stop."""

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from overlayweb import checks
from overlayweb.models import full_disks
from overlayweb.services import clusters, recovery

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Runs for ever. Several sweeps at once do no harm: claims decide."""

    help = "Re-enqueues jobs whose worker or message is gone, and asks for fresh observations."
    requires_system_checks = checks.AT_START

    def add_arguments(self, parser: CommandParser) -> None:
        """What `up` says."""
        parser.add_argument(
            "--registered", action="store_true", help="register no cluster: what is to be there is there already"
        )

    def handle(self, *_args: Any, registered: bool, **_options: Any) -> None:
        """Sweep every second until SIGTERM or SIGINT."""
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        while not stop.is_set():
            try:
                if not registered:
                    clusters.register_local(now=timezone.now())
                    registered = True
                recovery.sweep(now=timezone.now())
            except DatabaseError as error:
                full_disks.warn(logger, "sweep", error)
            close_old_connections()
            stop.wait(1.0)
