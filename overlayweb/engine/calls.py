"""The one place that talks HTTP to an engine: one limited call at a time, every failure an EngineError."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http import HTTPStatus
from statistics import median
from typing import Any, TypeVar
from urllib.parse import quote

import requests
import urllib3

from overlayweb.engine import failures
from overlayweb.engine.endpoints import Endpoint
from overlayweb.engine.errors import EngineUnreachable

T = TypeVar("T")

WHOLE_CALL = 6
"""A call that keeps sending bytes may take this many times the limit; no long list of tasks takes that."""
_CHUNK_BYTES = 1 << 18


class Calls:
    """Calls to one engine. Not for several threads at once.

    ``timeout_seconds`` limits connecting and each wait for bytes; the whole call ends after WHOLE_CALL times that.
    ``doing`` is for the words of an error and reads on after "could not".
    """

    def __init__(self, *, session: requests.Session, base_url: str, endpoint: Endpoint, timeout_seconds: float) -> None:
        self._session = session
        self._base_url = base_url
        self._endpoint = endpoint
        self._timeout = timeout_seconds
        self._latencies: list[float] = []

    @property
    def endpoint(self) -> Endpoint:
        """Where the calls go."""
        return self._endpoint

    @property
    def count(self) -> int:
        """How many calls were answered so far."""
        return len(self._latencies)

    def latency_since(self, count: int) -> float:
        """The median time, in seconds, that the answers took since ``count`` calls were answered."""
        return median(self._latencies[count:] or [0.0])

    def use_version(self, api_version: str) -> None:
        """Ask for this version of the API from now on."""
        self._base_url = f"{self._base_url}/v{api_version}"

    def get(self, *path: str, as_: Callable[[Any], T], doing: str, **query: str) -> T:
        """What ``as_`` makes of the answer. An answer that it cannot read is an EngineUnreachable."""
        answer = self._send("GET", path, doing=doing, query=query)
        try:
            return as_(answer)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise failures.not_understood(endpoint=self._endpoint, doing=doing) from error

    def rows(self, *path: str, as_: Callable[[Any], T], doing: str, **query: str) -> tuple[T, ...]:
        """What ``as_`` makes of each row of the list that is answered.

        Only a list will do: an answer cut short before its body must not read as "there are none".
        """
        return self.get(*path, as_=lambda answer: tuple(as_(row) for row in _list(answer)), doing=doing, **query)

    def post(self, *path: str, body: str, doing: str, **query: str) -> Any:
        """Send JSON text as it is; return the decoded answer, None when it is empty."""
        return self._send("POST", path, doing=doing, query=query, body=body)

    def delete(self, *path: str, doing: str) -> None:
        """Remove what is at the path."""
        self._send("DELETE", path, doing=doing, query={})

    def stream(self, *path: str, doing: str, silence_seconds: float, **query: str) -> "Stream":
        """The rows that are answered one after the other, for as long as both sides like.

        A row that does not come for ``silence_seconds`` ends it as an EngineUnreachable.
        """
        url = self._url(path)
        with self._failing(doing=doing, limit_seconds=self._timeout):
            response = self._session.request(
                "GET",
                url,
                params=query,
                timeout=(self._timeout, silence_seconds),
                allow_redirects=False,
                stream=True,
            )
            if response.status_code != HTTPStatus.OK:
                words = _words(self._content(response))
                raise failures.answered(status=response.status_code, words=words, endpoint=self._endpoint, doing=doing)
        failing = partial(self._failing, doing=doing, limit_seconds=silence_seconds)
        return Stream(response=response, failing=failing)

    def close(self) -> None:
        """End the connections."""
        self._session.close()

    def _send(
        self, method: str, path: tuple[str, ...], *, doing: str, query: dict[str, str], body: str | None = None
    ) -> Any:
        started = time.monotonic()
        status, content = self._exchange(method, path, doing=doing, query=query, body=body)
        self._latencies.append(time.monotonic() - started)
        if not 200 <= status < 300:  # noqa: PLR2004  # the class of HTTP answers that say yes
            raise failures.answered(status=status, words=_words(content), endpoint=self._endpoint, doing=doing)
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except ValueError as error:
            raise failures.not_understood(endpoint=self._endpoint, doing=doing) from error

    def _exchange(
        self, method: str, path: tuple[str, ...], *, doing: str, query: dict[str, str], body: str | None
    ) -> tuple[int, bytes]:
        with (
            self._failing(doing=doing, limit_seconds=self._timeout),
            self._session.request(
                method,
                self._url(path),
                params=query,
                data=None if body is None else body.encode(),
                headers={} if body is None else {"Content-Type": "application/json"},
                timeout=(self._timeout, self._timeout),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return response.status_code, self._content(response)

    def _url(self, path: tuple[str, ...]) -> str:
        return "/".join((self._base_url, *(quote(segment, safe="") for segment in path)))

    @contextmanager
    def _failing(self, *, doing: str, limit_seconds: float) -> Iterator[None]:
        """Whatever goes wrong on the way there or back is an EngineUnreachable."""
        try:
            yield
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' errors are OSErrors
            raise failures.unreachable(
                error, endpoint=self._endpoint, doing=doing, limit_seconds=limit_seconds
            ) from error

    def _content(self, response: requests.Response) -> bytes:
        # Piece by piece: the limit of the session is for each wait, so an answer that drips would never end.
        deadline = time.monotonic() + WHOLE_CALL * self._timeout
        pieces: list[bytes] = []
        while piece := response.raw.read1(_CHUNK_BYTES):
            pieces.append(piece)
            if time.monotonic() > deadline:
                raise TimeoutError(f"no end of the answer after {len(pieces)} pieces")
        return b"".join(pieces)


class Stream:
    """Rows of JSON as they come. ``close`` may be called by another thread, and ends the reading."""

    def __init__(self, *, response: requests.Response, failing: Callable[[], AbstractContextManager[None]]) -> None:
        self._response = response
        self._failing = failing
        self._closed = False

    def rows(self) -> Iterator[Any]:
        """Each row, until the engine ends the answer or it is closed here. Raises EngineUnreachable."""
        lines = self._response.iter_lines()
        while True:
            try:
                with self._failing():
                    line = next(lines, None)
            except EngineUnreachable:
                if self._closed:
                    return
                raise
            if line is None or self._closed:
                return
            if line:
                yield json.loads(line)

    def close(self) -> None:
        """End the connection, also under a thread that waits for the next row."""
        self._closed = True
        connection = getattr(self._response.raw, "connection", None)
        sock = getattr(connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):  # the other side was first
                sock.shutdown(socket.SHUT_RDWR)


def _words(content: bytes) -> str:
    """What the engine says of its error: the message of its JSON, or the text of whatever else answered."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:300].decode(errors="replace")


def _list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise TypeError(f"a list is expected, not {type(answer).__name__}")
    return answer
