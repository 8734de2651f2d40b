"""Control groups of one lab: made by its engines, emptied and removed at its end.

Engines put containers under the group they are told (`--cgroup-parent`) in every hierarchy of the
machine: one on cgroup v2, a dozen on v1, both on a hybrid. So each is looked through.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_MOUNTS = Path("/proc/mounts")
_TYPES = ("cgroup", "cgroup2")


def hierarchies() -> list[Path]:
    """Return the mount points of all control group hierarchies of this machine."""
    rows = [line.split() for line in _MOUNTS.read_text().splitlines()]
    return [Path(row[1]) for row in rows if row[2] in _TYPES]


def tracking_hierarchy() -> Path:
    """Return the hierarchy whose groups tell which node a process of an engine belongs to.

    cgroup2 takes any process without set-up; on a machine with v1 alone, `pids` does.
    """
    rows = [line.split() for line in _MOUNTS.read_text().splitlines()]
    unified = [Path(row[1]) for row in rows if row[2] == "cgroup2"]
    return unified[0] if unified else Path("/sys/fs/cgroup/pids")


def slow_down(name: str, *, processors: float) -> None:
    """Let the processes that are below `name` now take so much of the processors; new ones are as free as their parent.

    On cgroup v1; elsewhere nothing is done.
    """
    top = Path("/sys/fs/cgroup/cpu")
    if not (top / "cgroup.procs").exists():
        return
    found, group = pids(name), top / name
    group.mkdir(parents=True, exist_ok=True)
    period = int((group / "cpu.cfs_period_us").read_text())
    (group / "cpu.cfs_quota_us").write_text(str(int(period * processors)))
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))


def groups(name: str) -> Iterator[Path]:
    """Yield every group below `name` in every hierarchy, children before parents."""
    for top in hierarchies():
        for folder, _, _ in os.walk(top / name, topdown=False):
            yield Path(folder)


def pids(name: str) -> set[int]:
    """Return the ids of all processes in the groups below `name`."""
    found: set[int] = set()
    for group in groups(name):
        with contextlib.suppress(OSError):
            found.update(int(word) for word in (group / "cgroup.procs").read_text().split())
    return found


def kill(name: str, *, timeout: float = 10.0) -> None:
    """Kill all processes below `name` and wait until none is left.

    Raises TimeoutError, naming the processes, after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while left := pids(name) - {0}:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(left)} of {name} outlived SIGKILL")
        time.sleep(0.02)


def remove(name: str, *, timeout: float = 10.0) -> None:
    """Remove the emptied groups below `name`; the kernel may hold one busy for a moment.

    Raises TimeoutError, naming the groups, after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while left := list(groups(name)):
        for group in left:
            with contextlib.suppress(OSError):
                group.rmdir()
        if time.monotonic() > deadline:
            raise TimeoutError(f"groups {sorted(map(str, left))} can not be removed")
        time.sleep(0.02)
