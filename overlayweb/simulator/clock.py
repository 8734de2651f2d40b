"""The time of a simulated Swarm: wall time, N times faster, with leaps."""

import time
from collections.abc import Callable


class Clock:
    """Seconds of the Swarm since it was made, which pass ``speed`` times as fast as those of the wall.

    At speed 0 it stands, and ``skip`` alone moves it. ``wall`` tells seconds of a clock that never goes back.
    """

    def __init__(self, *, speed: float = 1.0, wall: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._speed = _checked(speed)
        self._since = wall()
        self._then = 0.0

    @property
    def speed(self) -> float:
        """Seconds of the Swarm to one of the wall."""
        return self._speed

    def now(self) -> float:
        """Seconds of the Swarm that have passed."""
        return self._then + (self._wall() - self._since) * self._speed

    def set_speed(self, speed: float) -> None:
        """Go on at another speed from this moment. Raises ValueError for one below 0."""
        checked = _checked(speed)
        self._then, self._since = self.now(), self._wall()
        self._speed = checked

    def skip(self, seconds: float) -> None:
        """Leap ahead. Raises ValueError for a leap back."""
        self._then += _checked(seconds)


def _checked(number: float) -> float:
    if number < 0:
        raise ValueError(f"{number} is below 0, and time does not go back")
    return number
