"""Simulated Swarms as processes of their own, for tests that talk to an engine."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

STOP_LIMIT = 10.0


class ControlError(Exception):
    """The simulated Swarm does not do what it was told by its control surface; the text says why."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(kw_only=True)
class Simulated:
    """A running simulated Swarm. ``process`` may be stopped, frozen or killed by a test."""

    path: Path
    process: "subprocess.Popen[str]"

    @property
    def socket(self) -> str:
        """The engine's address as DOCKER_HOST takes it, ``unix://…``: the first manager's."""
        return f"unix://{self.path}"

    @property
    def node_sockets(self) -> dict[str, str]:
        """The address of each node's own engine, by the node's name. A node that is down has none."""
        folder = self.path.with_name(f"{self.path.name}.d")
        return {entry.stem: f"unix://{entry}" for entry in sorted(folder.iterdir())}

    def control(self, verb: str, **arguments: Any) -> Any:
        """Order something by the control surface and return the result. Raises ControlError with its words."""
        answer = _post(self.path.with_name(f"{self.path.name}.control"), f"/_control/{verb}", arguments)
        if "result" not in answer:
            raise ControlError(answer["message"])
        return answer["result"]


@contextmanager
def simulated(
    path: Path,
    *,
    nodes: int = 3,
    speed: float = 1.0,
    engine: str = "28.5",
    seed: int = 0,
    content: str = "empty",
    control: bool = True,
) -> Iterator[Simulated]:
    """Serve a simulated Swarm on the socket ``path`` while the block runs; nothing of it is left afterwards.

    Its process ends when this one does, however that ends. Raises AssertionError if it does not start.
    """
    command = [sys.executable, "-m", "overlayweb.simulator", "--socket", str(path), "--end-with-stdin"]
    command += ["--nodes", str(nodes), "--speed", str(speed), "--engine", engine, "--seed", str(seed)]
    command += ["--content", content, *(["--control"] if control else [])]
    process = subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == f"ready unix://{path}\n", f"{line}{process.stderr.read() if process.stderr else ''}"
        yield Simulated(path=path, process=process)
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[str]") -> None:
    """End it in good order; kill it where it does not end, as one that a test has frozen."""
    process.terminate()
    if process.stdin is not None and process.stdin.closed:
        process.stdin = None  # closed by a test; communicate would write to it
    try:
        process.communicate(timeout=STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _post(path: Path, target: str, document: object) -> dict[str, Any]:
    with contextlib.closing(_Connection(path)) as connection:
        connection.request("POST", target, body=json.dumps(document), headers={"Content-Type": "application/json"})
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
