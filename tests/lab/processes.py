"""Telling processes apart: an id alone may be used again, an id with its start time is never."""

from dataclasses import dataclass
from pathlib import Path


def start_time(pid: int) -> str | None:
    """Return when process `pid` started, in clock ticks since boot; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def children(pid: int) -> list[int]:
    """Return the ids of the child processes of `pid`'s first thread."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def inner_id(pid: int) -> int | None:
    """Return the id that process `pid` has in its own process namespace; None if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[-1]) for line in lines if line.startswith("NSpid:"))


def stopped(pid: int) -> bool:
    """Return whether all threads of process `pid` are stopped: a signal takes a moment to do that."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process of the machine, and no later one with the same id."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether it has not ended; one that is stopped by a signal is alive."""
        return start_time(self.pid) == self.started


def find(pid: int) -> Process | None:
    """Return the process that has the id `pid` now, if there is one."""
    started = start_time(pid)
    return Process(pid=pid, started=started) if started else None
