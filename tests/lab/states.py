"""The labs that are on this machine, as their state files tell, and the end of those left behind."""

import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab import keeper
from tests.lab.daemon import wait_until
from tests.lab.processes import Process
from tests.lab.swarm import FOLDER_PREFIX


@dataclass(frozen=True, kw_only=True)
class State:
    """One lab on this machine: its folder, its name, the process that keeps it, and its init."""

    folder: Path
    name: str
    by_hand: bool
    keeper: Process
    init: Process

    @property
    def kept(self) -> bool:
        """Whether the very process that made the lab still runs."""
        return self.keeper.alive

    @property
    def in_test(self) -> bool:
        """Whether a test that still runs uses it."""
        return self.kept and not self.by_hand


def states() -> Iterator[State]:
    """Yield the labs whose state file lies in the folder for temporary files."""
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*/{keeper.STATE_FILE}")):
        with contextlib.suppress(OSError, ValueError):
            yield _read(path)


def _read(path: Path) -> State:
    raw = json.loads(path.read_text())
    return State(
        folder=path.parent,
        name=raw["name"],
        by_hand=raw["by_hand"],
        keeper=Process(**raw["keeper"]),
        init=Process(**raw["init"]),
    )


def take_down(state: State, *, timeout: float = 30.0) -> None:
    """End one lab: tell its keeper to, or clean up after a keeper that was killed.

    Raises TimeoutError if the keeper is not done after `timeout` seconds.
    """
    if state.kept:
        os.kill(state.keeper.pid, signal.SIGTERM)
        wait_until(lambda: not state.kept, what=f"the keeper of {state.name} to end", timeout=timeout)
        return
    if state.init.alive:
        os.kill(state.init.pid, signal.SIGKILL)
    keeper.clean(state.folder, state.name)
