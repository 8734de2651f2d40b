"""Celery tasks that only tests know, for a worker started with `--include tests.tasks.probe`."""

import os
import time
from pathlib import Path

from tasks import doorbell


@doorbell.task(queue="jobs")
def note(path: str, word: str, seconds: float = 0) -> None:
    """Write the word to the file, and once more with a full stop after so many seconds."""
    _append(path, f"{word}\n")
    time.sleep(seconds)
    _append(path, f"{word}.\n")


@doorbell.task(queue="jobs")
def note_process(path: str, seconds: float) -> None:
    """Write which process runs this, and stay in it for so many seconds."""
    _append(path, f"{os.getpid()}\n")
    time.sleep(seconds)


@doorbell.task(queue="reads")
def read(path: str) -> None:
    _append(path, "read\n")


def _append(path: str, line: str) -> None:
    with Path(path).open("a", encoding="ascii") as file:
        file.write(line)
