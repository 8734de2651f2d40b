"""The real ASGI application on a real port, and a reader of event streams, for tests of what is live."""

import gc
import http.client
import re
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import uvicorn
from django.conf import settings
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.test import Client

from tests.support import ports

LIMIT = 15.0  # seconds until a test gives up on something that must come


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event. ``kind`` "" is a comment."""

    kind: str
    id: str
    data: str

    @property
    def lines(self) -> list[int]:
        """The numbers of the log lines that it brings."""
        return [int(number) for number in re.findall(r'data-seq="(\d+)"', self.data)]


class Server:
    """uvicorn in a thread; may be stopped and started again on the same port."""

    def __init__(self) -> None:
        self.port = ports.free_port()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it answers; AssertionError when it does not."""
        config = uvicorn.Config(
            get_asgi_application(),  # a new one, with the settings that the test has chosen
            port=self.port,
            lifespan="off",
            log_level="warning",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, name="uvicorn", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + LIMIT
        while not self._server.started:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout=LIMIT)
        assert not self._thread.is_alive(), "the server does not stop"
        self._server = self._thread = None
        # Django leaves the empty body of a request that is cut off to the garbage collector, which complains about
        # it in whatever test it comes by. It comes by here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@contextmanager
def serving() -> Iterator[Server]:
    """A running server; stopped at the end, whatever the test did."""
    server = Server()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Stream:
    """An open stream. Times are the limit in seconds for what must come."""

    response: http.client.HTTPResponse
    connection: http.client.HTTPConnection
    seen: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def lines(self) -> list[int]:
        """The numbers of all log lines so far, in the order in which they came."""
        return [number for message in self.seen for number in message.lines]

    def next(self) -> Message | None:
        """The next event or comment; None at the stream's end."""
        found: dict[str, list[str]] = {}
        while raw := self.response.readline():
            line = raw.decode().rstrip("\n")
            if not line:
                if found:
                    message = Message(
                        kind="".join(found.get("event", "")),
                        id="".join(found.get("id", "")),
                        data="\n".join(found.get("data", "")),
                    )
                    self.seen.append(message)
                    return message
                continue
            name, _, value = line.partition(": ")
            found.setdefault(name, []).append(value)
        return None

    def until(self, kind: str) -> Message:
        """Read on to the next event of a kind. AssertionError when the stream ends before."""
        while message := self.next():
            if message.kind == kind:
                return message
        raise AssertionError(f"the stream ended without {kind!r}: {[message.kind for message in self.seen]}")

    def until_line(self, seq: int) -> None:
        """Read on until the log line of this number came."""
        while seq not in self.lines:
            if self.next() is None:
                raise AssertionError(f"the stream ended at {self.lines}")

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def session_of(person: User) -> str:
    """A fresh session of the person: the value of its cookie."""
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def open_stream(
    server: Server,
    job_id: int,
    session: str,
    *,
    after: int | None = None,
    last: int | None = None,
    services: str | None = None,
) -> Stream:
    """Open a job's stream as a browser does. ``after`` and ``services`` stand in the address, ``last`` is
    ``Last-Event-ID``.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}", "Accept": "text/event-stream"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    query = urlencode(
        {key: value for key, value in {"after": after, "services": services}.items() if value is not None}
    )
    connection.request("GET", f"/jobs/{job_id}/stream?{query}", headers=headers)
    return Stream(connection.getresponse(), connection)
