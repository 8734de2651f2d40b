"""The task class: ringing after the commit must not turn a change that is safe in the database into an error page."""

import functools
import logging
from collections.abc import Callable
from typing import Any, cast

from celery.contrib.django.task import DjangoTask
from django.db import DatabaseError, transaction
from kombu.exceptions import OperationalError

from overlayweb.models import full_disks
from tasks.app import app

logger = logging.getLogger(__name__)


class DoorbellTask(DjangoTask[..., None]):
    """A Celery task whose `delay_on_commit` forgives a broker that is away: the sweep rings again."""

    abstract = True

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # typed as what is queued
        """Send the message once the transaction is committed; a lost message is logged, not raised."""
        transaction.on_commit(functools.partial(self.ring, *args, **kwargs))

    def ring(self, *args: Any, **kwargs: Any) -> bool:
        """Send the message now. False if the broker cannot be reached, after at most one attempt to connect."""
        try:
            self.delay(*args, **kwargs)
        except OperationalError as error:
            logger.warning("%s%r waits for the sweep: the broker cannot be reached (%s)", self.name, args, error)
            return False
        return True


def task(**options: Any) -> Callable[[Callable[..., None]], DoorbellTask]:
    """`app.task` with Celery's options, typed as what it makes.

    A full disk under the database ends the task with a sentence that says so; the sweep rings again.
    """

    def decorate(function: Callable[..., None]) -> DoorbellTask:
        @functools.wraps(function)
        def forgiving(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except DatabaseError as error:
                if not full_disks.sentence(error):
                    raise
                full_disks.warn(logger, f"{function.__name__}{args} stopped", error)

        return cast("DoorbellTask", app.task(**options)(forgiving))

    return decorate
