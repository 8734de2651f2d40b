"""The time of a worker: what the clock shows, and how waiting passes."""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The wall's clock, unless it is told otherwise; seconds are this clock's everywhere.

    A simulated Swarm that runs ``speed`` times faster wants a worker whose leases, waits and patience do so too.
    ``shows`` is what the clock shows at ``at``, a moment of the wall's; every process that is given the same three
    agrees on the time.
    """

    speed: float = 1.0
    at: datetime | None = None
    shows: datetime | None = None

    def now(self) -> datetime:
        """The moment, with its zone."""
        wall = datetime.now(UTC)
        if self.at is None:
            return wall
        return (self.shows or self.at) + self.speed * (wall - self.at)

    def monotonic(self) -> float:
        """Seconds from an unknown beginning, which no change of the wall's clock moves; for one process only."""
        return time.monotonic() * self.speed

    def sleep(self, seconds: float) -> None:
        """Let this many seconds pass."""
        time.sleep(seconds / self.speed)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let this many seconds pass, or fewer if the event is set; returns whether it is."""
        return event.wait(seconds / self.speed)

    @classmethod
    def fast(cls, speed: float, *, shows: datetime | None = None) -> "Clock":
        """A clock that runs ``speed`` times faster from this moment on, at which it shows ``shows``, or the wall's."""
        return cls(speed=speed, at=datetime.now(UTC), shows=shows)


WALL = Clock()
"""What everything but tests and the demo's past runs by."""
