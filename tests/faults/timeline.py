"""One time for all processes of a run, in memory that they share, and it passes only where somebody waits.

A rebuild's minutes of leases, waits and stop graces pass in as long as its calls and commits take, a loaded machine
changes nothing, and the same seed goes the same way. Each call of the engine takes a little of it too.
"""

import mmap
import struct
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from overlayweb.simulator.clock import Clock as SimulatorClock
from overlayweb.workflows.clock import Clock

_SECONDS, _GAP, _PASSED, _SLOW, _LABEL = 0, 8, 16, 24, 32
_LABEL_BYTES = 200
_LOOK_AGAIN = 0.005
_LONG_SECONDS = 90.0
_SELDOM_SECONDS = 4.0


class Shared:
    """What the processes of a run share: the time, how far the worker may go, and where it is.

    ``began``: the second at which the job could begin, set before anybody shares it. ``gap``: points that the worker
    passes before it stops itself; below 0: it never does. ``slow``: seconds that the engine takes for its next call.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.gap = -1
        self.began = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the beginning of the stage."""
        return float(struct.unpack_from("d", self._memory, _SECONDS)[0])

    @seconds.setter
    def seconds(self, value: float) -> None:
        struct.pack_into("d", self._memory, _SECONDS, value)

    def pass_(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.seconds += seconds

    @property
    def gap(self) -> int:
        """See the class."""
        return int(struct.unpack_from("q", self._memory, _GAP)[0])

    @gap.setter
    def gap(self, value: int) -> None:
        struct.pack_into("q", self._memory, _GAP, value)

    @property
    def passed(self) -> int:
        """Points that workers have passed so far."""
        return int(struct.unpack_from("q", self._memory, _PASSED)[0])

    @passed.setter
    def passed(self, value: int) -> None:
        struct.pack_into("q", self._memory, _PASSED, value)

    @property
    def slow(self) -> float:
        """See the class."""
        return float(struct.unpack_from("d", self._memory, _SLOW)[0])

    @slow.setter
    def slow(self, value: float) -> None:
        struct.pack_into("d", self._memory, _SLOW, value)

    @property
    def label(self) -> str:
        """The last point that was passed."""
        return self._memory[_LABEL : _LABEL + _LABEL_BYTES].rstrip(b"\0").decode(errors="replace")

    @label.setter
    def label(self, text: str) -> None:
        self._memory[_LABEL : _LABEL + _LABEL_BYTES] = text.encode()[:_LABEL_BYTES].ljust(_LABEL_BYTES, b"\0")


class EngineClock(SimulatorClock):
    """The clock of a simulated Swarm that goes by the shared time."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(speed=0)
        self._shared = shared

    def now(self) -> float:
        """Seconds of the Swarm that have passed."""
        return self._shared.seconds

    def skip(self, seconds: float) -> None:
        """Leap ahead, and everybody with it."""
        self._shared.pass_(seconds)


class _Heart:
    """The one thread of a worker that waits in the background, and gets its turn when its moment comes."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._thread: threading.Thread | None = None
        self.due: float | None = None

    def wait(self, event: threading.Event, due: float, shared: Shared) -> bool:
        """In the background: wait until the moment or the event."""
        with self._told:
            self._thread, self.due = threading.current_thread(), due
            self._told.notify_all()
            while not event.is_set() and shared.seconds < due:
                self._told.wait(_LOOK_AGAIN)
            self.due = None
        return event.is_set()

    def beat(self) -> None:
        """In the foreground: let the background do what is due, and return when it waits again or has ended."""
        with self._told:
            self._told.notify_all()
            self._told.wait_for(lambda: self.due is None, timeout=_LOOK_AGAIN)
            while self.due is None and self._thread is not None and self._thread.is_alive():
                self._told.wait(_LOOK_AGAIN)


@dataclass(frozen=True, kw_only=True)
class SharedClock(Clock):
    """The worker's clock on the shared time, which shows ``epoch`` at second 0.

    Whoever sleeps for less than ``stride`` seconds oversleeps to that, as on a loaded machine; for less than four,
    where the job has gone on for a minute and a half: mostly it waits for something that is away then.
    """

    shared: Shared
    epoch: datetime
    stride: float
    _heart: _Heart = field(default_factory=_Heart)

    def now(self) -> datetime:
        """The moment, with its zone."""
        return self.epoch + timedelta(seconds=self.shared.seconds)

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self.shared.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass; a heartbeat that is due meanwhile comes at its moment."""
        is_long = self.shared.seconds > self.shared.began + _LONG_SECONDS
        until = self.shared.seconds + max(seconds, self.stride, _SELDOM_SECONDS if is_long else 0.0)
        while (due := self._heart.due) is not None and due <= until:
            self.shared.seconds = max(due, self.shared.seconds)
            self._heart.beat()
        self.shared.seconds = max(until, self.shared.seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let time pass, or wait for others to let it where this is the background."""
        if threading.current_thread() is not threading.main_thread():
            return self._heart.wait(event, self.shared.seconds + seconds, self.shared)
        self.sleep(seconds)
        return event.is_set()
