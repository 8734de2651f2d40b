"""A tiny HTTP server, real sockets and all, that answers a client of the Engine API as badly as a test wants."""

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Act = Callable[[socket.socket, threading.Event], None]
"""What to do with a connection on which a request has come. The event tells that the server ends."""

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}


@dataclass
class Server:
    """Answers GET /version as an engine would, and every other request by the next act of the script.

    The last act stays. ``requests`` are the raw requests that came, /version included.
    """

    url: str
    script: list[Act] = field(default_factory=list)
    version: object = field(default_factory=lambda: dict(VERSION))
    requests: list[str] = field(default_factory=list)

    def next_act(self) -> Act:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def answer(status: int, body: object) -> Act:
    """A whole answer with a JSON body."""
    return raw(_head(status, content := json.dumps(body).encode()) + content)


def engine_error(status: int, message: str) -> Act:
    """An error in the form of the Engine API."""
    return answer(status, {"message": message})


def raw(content: bytes) -> Act:
    """These bytes, then the end of the connection."""

    def act(connection: socket.socket, _ending: threading.Event) -> None:
        connection.sendall(content)

    return act


def silence(_connection: socket.socket, ending: threading.Event) -> None:
    """Never an answer."""
    ending.wait()


def reset(connection: socket.socket, _ending: threading.Event) -> None:
    """An abrupt end of the connection (on TCP an RST)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(connection: socket.socket, ending: threading.Event) -> None:
    """A body that goes on for ever, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n[")
    with contextlib.suppress(OSError):
        while not ending.wait(0.02):
            connection.sendall(b" ")


@contextlib.contextmanager
def on_socket(path: Path) -> Iterator[Server]:
    """A server on a unix socket."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    with _serving(listener, Server(url=f"unix://{path}")) as server:
        yield server


@contextlib.contextmanager
def on_loopback(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on a free port of 127.0.0.1, with TLS if a context is given."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    with _serving(listener, Server(url=f"tcp://127.0.0.1:{listener.getsockname()[1]}"), context) as server:
        yield server


@contextlib.contextmanager
def _serving(listener: socket.socket, server: Server, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    ending, threads = threading.Event(), []
    listener.listen(8)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                if ending.is_set():
                    connection.close()
                    return
                threads.append(thread := threading.Thread(target=_serve, args=(connection, server, context, ending)))
                thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        ending.set()
        with socket.socket(listener.family) as last:
            last.connect(listener.getsockname())
        acceptor.join()
        for thread in threads:
            thread.join()
        listener.close()


def _serve(connection: socket.socket, server: Server, context: ssl.SSLContext | None, ending: threading.Event) -> None:
    with contextlib.suppress(OSError), connection:
        stream = context.wrap_socket(connection, server_side=True) if context else connection
        with stream:
            request = _request(stream)
            if not request:
                return
            server.requests.append(request)
            act = answer(200, server.version) if request.startswith("GET /version ") else server.next_act()
            act(stream, ending)


def _request(connection: socket.socket) -> str:
    """One request, head and body."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            return ""
        got += piece
        if not got[:1].isalpha():  # not HTTP: Go's server, too, says so at once
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request")
            return ""
    head, _, body = got.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    missing = int(lengths[0]) - len(body) if lengths else 0
    while missing > 0:
        piece = connection.recv(65536)
        got, missing = got + piece, missing - len(piece)
    return got.decode()


def _head(status: int, content: bytes) -> bytes:
    return f"HTTP/1.1 {status} Words\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode()
