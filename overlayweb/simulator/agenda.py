"""Virtual time: what happens when, in the order of its time and of its making."""

import heapq
from collections.abc import Callable
from typing import Any


class Agenda:
    """A heap of things to do at virtual seconds. Nothing happens but in ``advance``."""

    def __init__(self) -> None:
        self.now = 0.0
        self._entries: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def after(self, seconds: float, act: Callable[..., None], *args: Any) -> None:
        """Do ``act(*args)`` that many virtual seconds from now. There is no cancelling: acts look before they act."""
        self._count += 1
        heapq.heappush(self._entries, (self.now + seconds, self._count, act, args))

    def advance(self, to: float) -> None:
        """Carry out everything up to the moment ``to``, each at its own time. Going back does nothing."""
        entries = self._entries
        while entries and entries[0][0] <= to:
            at, _, act, args = heapq.heappop(entries)
            self.now = max(self.now, at)
            act(*args)
        self.now = max(self.now, to)

    @property
    def next_at(self) -> float | None:
        """When the next thing happens, in virtual seconds; None when nothing is to come."""
        return self._entries[0][0] if self._entries else None
