"""A small disk of its own for a database, which can be full. Needs root."""

import contextlib
import subprocess
from pathlib import Path

SIZE = "8m"
_PIECE = b"\0" * 4096


class SmallDisk:
    """A file system in memory at ``path``, once it is mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mounted = False

    def mount(self) -> None:
        """Put it there."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", self._path], check=True)
        self._mounted = True

    def unmount(self) -> None:
        """Take it away with all that is on it, if it is there."""
        if self._mounted:
            subprocess.run(["umount", "--lazy", self._path], check=True)
            self._mounted = False

    def fill(self) -> None:
        """Leave no byte of room."""
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while file.write(_PIECE):
                pass

    def make_room(self) -> None:
        """Take away what filled it."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self._path / "ballast"
