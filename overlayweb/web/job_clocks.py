"""What the records of a job's page are made of: marks and clocks."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A state as pages show it: ``name`` gives it its icon and colour, ``word`` says it."""

    name: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A duration in seconds. While it runs on, ``since`` is set and ``seconds`` is 0."""

    seconds: float = 0.0
    since: datetime | None = None
    expected: float | None = None

    @property
    def now(self) -> float:
        """What it shows at this moment, in seconds."""
        return (timezone.now() - self.since).total_seconds() if self.since else self.seconds


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from ``start`` to ``end``; None when either is not known."""
    return (end - start).total_seconds() if start and end else None
