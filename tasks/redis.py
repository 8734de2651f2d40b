"""Kombu's Redis transport for a Redis that comes and goes, and a connection that is back soon after it.

With Kombu's own, a worker that loses Redis in the middle of a slice ends by `'NoneType' object has no attribute ...`:
it hands messages back, and acknowledges the slice once that is done, through the connection that is gone. And its
waits between attempts grow to half a minute, which a job in progress would spend without its worker.
"""

from typing import Any

import kombu
from celery.app.amqp import AMQP
from kombu.transport import TRANSPORT_ALIASES, redis


class QoS(redis.QoS):
    """The messages that are not acknowledged yet.

    Once their connection is gone nothing can be said about them: Redis delivers them again when the visibility
    timeout ends, and the lease in the database decides what that leads to.
    """

    def restore_unacked(self, client: Any = None) -> Any:
        """Hand them back at the end of a connection."""
        return None if self._gone() else super().restore_unacked(client)

    def ack(self, delivery_tag: str) -> None:
        """Tell Redis that a message is done with."""
        if not self._gone():
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002  # as Kombu calls it
        """Tell Redis that a message is done with, or is for somebody else."""
        if not self._gone():
            super().reject(delivery_tag, requeue)

    def _gone(self) -> bool:
        """Whether the channel has lost its transport, or that its connection."""
        return getattr(self.channel.connection, "client", None) is None


class Channel(redis.Channel):
    """A channel that keeps its account like this."""

    QoS = QoS


class Transport(redis.Transport):
    """The transport of every `redis` URL."""

    Channel = Channel


class Connection(kombu.Connection):
    """Tries again after one, two, then every three seconds, for as long as its user wants."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> kombu.Connection:  # type: ignore[override]  # passed on
        """Connect; whoever asks for other waits gets them."""
        steps = {"interval_start": 1, "interval_step": 1, "interval_max": 3}
        return super().ensure_connection(*args, **{**steps, **kwargs})


class Amqp(AMQP):
    """What Celery makes its connections from."""

    Connection = Connection


# A socket's URL (`redis+socket://`) names its transport itself, so that it is told here and not in the settings.
TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "tasks.redis:Transport"
