"""Kombu's filesystem transport with whole messages: written aside and renamed, so a reader never sees half of one.

Kombu's own writes into the file that readers already list, and moves what it reads through the system's temporary
folder, where a worker can find an empty message and stop. Here every message is one file in one folder, and taking
it is one rename: of two readers exactly one gets it. A message that a dying worker had taken is lost; the sweep
rings again for it.
"""

import json
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem

WRITING = ".part"
TAKEN = ".taken"


class Channel(filesystem.Channel):
    """Messages as files `<time>_<id>.<queue>.msg`, the oldest first."""

    def _put(self, queue: str, message: Any, **_: Any) -> None:  # type: ignore[override]  # Kombu passes just these
        """Write the message under a name that no reader looks for, then give it its real one."""
        folder = Path(self.data_folder_out)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{time.time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        draft = path.with_name(path.name + WRITING)
        draft.write_text(json.dumps(message), encoding="utf-8")
        draft.rename(path)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:  # noqa: ARG002  # Kombu passes it
        """Take the oldest message of the queue, or raise Empty."""
        for path in self._waiting(queue):
            taken = path.with_name(path.name + TAKEN)
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue  # another reader was quicker
            message: dict[str, Any] = json.loads(taken.read_bytes())
            taken.unlink()
            return message
        raise Empty

    def _queue_bind(self, *_: Any) -> None:
        """Nothing to keep: Celery sends straight to a queue by its name, through no exchange."""

    def get_table(self, exchange: str) -> list[Any]:  # noqa: ARG002  # Kombu passes it
        """No exchange leads to any queue."""
        return []

    def _size(self, queue: str) -> int:
        return len(self._waiting(queue))

    def _purge(self, queue: str) -> int:
        waiting = self._waiting(queue)
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)

    def _waiting(self, queue: str) -> list[Path]:
        """The queue's messages, oldest first; none while the folder does not exist."""
        folder = Path(self.data_folder_in)
        if not folder.is_dir():
            return []
        ending = f".{queue}.msg"
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(ending)]


class Transport(filesystem.Transport):
    """The transport that `broker_transport` names."""

    Channel = Channel
