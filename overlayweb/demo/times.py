"""The time of a story: it passes as fast as the machine tells it, and things happen at their moment in it."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from overlayweb.workflows.clock import Clock

OVERSLEEPS_SECONDS = 0.5
"""Whoever sleeps for less oversleeps to this: twenty looks a second show no more, and a story takes long to tell."""


class StoryTime:
    """Seconds since the story began, and the moment that a clock in it shows."""

    def __init__(self, *, begins: datetime) -> None:
        self.seconds = 0.0
        self._zero = begins
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def now(self) -> datetime:
        """What a clock in the story shows."""
        return self._zero + timedelta(seconds=self.seconds)

    def leap(self, *, to: datetime) -> None:
        """Turn the clocks to a later day of the story. No second of it passes."""
        self._zero = to - timedelta(seconds=self.seconds)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something happen so many seconds from now."""
        heapq.heappush(self._due, (self.seconds + seconds, next(self._order), act))

    def pass_by(self, seconds: float) -> None:
        """Let time pass, and happen what is due in it."""
        end = self.seconds + seconds
        while self._due and self._due[0][0] <= end:
            at, _, act = heapq.heappop(self._due)
            self.seconds = max(self.seconds, at)
            act()
        self.seconds = max(self.seconds, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryClock(Clock):
    """The clock of a worker in the story: its waits are over at once."""

    time: StoryTime

    def now(self) -> datetime:
        """The moment in the story."""
        return self.time.now()

    def monotonic(self) -> float:
        """Seconds since the story began."""
        return self.time.seconds

    def sleep(self, seconds: float) -> None:
        """Let them pass in the story."""
        self.time.pass_by(max(seconds, OVERSLEEPS_SECONDS))

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for the event: threads beside the worker do not drive the story's time."""
        del seconds
        return event.wait()
