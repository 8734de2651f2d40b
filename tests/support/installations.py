"""Whole installations, started as people start them: `manage.py up` in a data folder of their own."""

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from tests.support.patience import patient

OWN = re.compile(r"^(OVERLAYWEB_|DATABASE_URL|REDIS_URL|DOCKER_HOST|DJANGO_SETTINGS_MODULE)")


def environment(data: Path, **more: str) -> dict[str, str]:
    """The machine's environment without anybody's configuration, and with this one."""
    inherited = {name: value for name, value in os.environ.items() if not OWN.match(name)}
    return {**inherited, "OVERLAYWEB_DATA": str(data), "DJANGO_SETTINGS_MODULE": "overlayweb.settings", **more}


def data_folder() -> Iterator[Path]:
    """A data folder with a path short enough for a socket, for a fixture to yield from."""
    path = Path(tempfile.mkdtemp(prefix="ow-data-"))
    yield path
    shutil.rmtree(path)


def processes_of(data: Path) -> dict[int, str]:
    """Every living process that was started for the data folder, by the environment that all of them inherit.

    Redis writes its title over its environment; the title names its socket in the folder.
    """
    mark = f"OVERLAYWEB_DATA={data}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        command = _read(entry / "cmdline") if entry.name.isdigit() else b""
        if os.fsencode(data) in command or (command and mark in _read(entry / "environ").split(b"\0")):
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # ended meanwhile, or somebody else's


@dataclass
class Installation:
    """A started `manage.py up` and the lines that it has printed."""

    data: Path
    port: int
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    _queue: "queue.Queue[str | None]" = field(default_factory=queue.Queue)

    @property
    def address(self) -> str:
        """Where it runs."""
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, word: str, *, limit: float = 30) -> str:
        """The first line with the word, already printed or to come. AssertionError if it ends or takes too long."""
        deadline = time.monotonic() + patient(limit)
        while not (found := [line for line in self.lines if word in line]):
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"No line with {word!r} in {self.lines}\n{self.logs()}")
            self.lines.append(line)
        return found[0]

    def logs(self) -> str:
        """The end of every log, for a failed test's message."""
        return "\n".join(
            f"{path.name}: …{path.read_text(errors='replace')[-1500:]}" for path in self.data.glob("logs/*")
        )

    def process_id(self, words: str) -> int:
        """The id of the one process with these words in its command line that is nobody else's child in the tree."""
        return min(pid for pid, command in processes_of(self.data).items() if words in command)

    def stop(self, number: int = signal.SIGINT, *, limit: float = 30) -> int:
        """Send the signal and answer the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=limit)

    def follow(self) -> None:
        """Collect what it prints; None in the queue is the end."""
        if self.process.stdout is not None:
            with self.process.stdout as output:
                for line in output:
                    self._queue.put(line.rstrip("\n"))
        self._queue.put(None)


def command(*arguments: str) -> list[str]:
    """The command line of a management command."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def run(*arguments: str, data: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a management command to its end."""
    return subprocess.run(
        command(*arguments), env=environment(data, **more), capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def up(data: Path, port: int, **more: str) -> Iterator[Installation]:
    """Start an installation; at the end nothing of it is left, whatever the test did."""
    process = subprocess.Popen(
        command("up"),
        env=environment(data, OVERLAYWEB_PORT=str(port), **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    installation = Installation(data, port, process)
    follower = threading.Thread(target=installation.follow)
    follower.start()
    try:
        yield installation
    finally:
        if process.poll() is None:
            installation.stop(signal.SIGTERM)
        for pid in processes_of(data):
            with contextlib.suppress(ProcessLookupError):  # the last ones end by themselves meanwhile
                os.kill(pid, signal.SIGKILL)
        follower.join()


def kill(installed: Installation, words: str) -> None:
    """Kill, without a goodbye, every process of the installation with these words in its command line."""
    for pid, line in processes_of(installed.data).items():
        if words in line:
            os.kill(pid, signal.SIGKILL)
