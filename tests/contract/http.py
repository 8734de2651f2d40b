"""Plain HTTP over a unix socket: what an engine says, status, headers and all."""

import contextlib
import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any

TIMEOUT = 30.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. ``content`` is the decoded JSON, or text where it is none, None where it is empty."""

    status: int
    headers: dict[str, str]
    content: Any

    @property
    def words(self) -> str:
        """The message of a refusal."""
        return str(self.content["message"] if isinstance(self.content, dict) else self.content)


class Connection(http.client.HTTPConnection):
    """A connection to an engine's socket, ``unix://…``."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        super().__init__("localhost", timeout=timeout)
        self._socket = url.removeprefix("unix://")

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket)


def ask(url: str, method: str, target: str, body: object = None) -> Answer:
    """Send one request and return the whole answer. A body goes as JSON, text as it is."""
    text = None if body is None else body if isinstance(body, str) else json.dumps(body)
    with contextlib.closing(Connection(url)) as connection:
        connection.request(method, target, body=text, headers={"Content-Type": "application/json"} if text else {})
        got = connection.getresponse()
        content = got.read().decode()
        headers = {name.title(): value for name, value in got.getheaders()}
        return Answer(status=got.status, headers=headers, content=_decoded(content))


def _decoded(content: str) -> Any:
    try:
        return json.loads(content) if content.strip() else None
    except ValueError:
        return content
