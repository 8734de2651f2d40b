"""Parents and children on Linux: nobody outlives whom they work for. Elsewhere these calls do nothing."""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
ON_LINUX = sys.platform == "linux"


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process the signal when its parent ends, however it ends. Kept through exec."""
    _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Make this process the parent of all its descendants whose own parents end."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children(pid: int) -> list[int]:
    """The process ids of the children of a process, those of all its threads."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        for thread in threads:
            words = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii").split()
            found += [int(word) for word in words]
    except (FileNotFoundError, ProcessLookupError):
        return found  # the process ended while it was read, or this is not Linux
    return found


def kill_children() -> int:
    """Kill every child of this process and, once orphans are adopted, every descendant. Returns how many."""
    killed = 0
    while pids := children(os.getpid()):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            killed += 1
    return killed


def _prctl(option: int, value: int) -> None:
    if ON_LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: every live page holds one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(arguments: list[str]) -> None:
    """Become the program of `SIGNAL PROGRAM ARGUMENT...`, which gets the signal when its parent ends."""
    number, *command = arguments
    die_with_parent(signal.Signals[number])
    _raise_file_limit()
    os.execvp(command[0], command)  # noqa: S606  # the purpose: the program takes this process's place


if __name__ == "__main__":
    main(sys.argv[1:])
