"""The labs that are on this machine, as their state files tell, and the end of those left behind."""

import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab import keeper
from tests.lab.swarm import FOLDER_PREFIX


@dataclass(frozen=True, kw_only=True)
class State:
    """One lab on this machine: its folder, its name, and the process that keeps it."""

    folder: Path
    name: str
    pid: int
    start_time: str
    by_hand: bool

    @property
    def kept(self) -> bool:
        """Whether the very process that made the lab still runs."""
        return keeper.start_time(self.pid) == self.start_time

    @property
    def in_test(self) -> bool:
        """Whether a test that still runs uses it."""
        return self.kept and not self.by_hand


def states() -> Iterator[State]:
    """Yield the labs whose state file lies in the folder for temporary files."""
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/{keeper.STATE_FILE}")):
        with contextlib.suppress(OSError, ValueError):
            yield State(folder=path.parent, **json.loads(path.read_text()))


def take_down(state: State, *, timeout: float = 30.0) -> None:
    """End one lab: tell its keeper to, or clean up after a keeper that was killed.

    Raises TimeoutError if the keeper is not done after `timeout` seconds.
    """
    if not state.kept:
        keeper.clean(state.folder, state.name)
        return
    os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while state.kept and state.folder.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the keeper of {state.name} (process {state.pid}) does not end")
        time.sleep(0.05)
