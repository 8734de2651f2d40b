"""Where an engine is reached: a socket of this machine, or TCP with or without TLS."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from overlayweb.engine.errors import EngineError

DEFAULT_URL = "unix:///var/run/docker.sock"
_TLS_PORT, _PLAIN_PORT = 2376, 2375
_LONGEST_SOCKET_PATH = 107  # bytes, the kernel's limit
_SOCKET_PATH = re.compile(r"/[\w.@+/-]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


class InvalidEndpoint(EngineError):
    """The address of the engine, or what secures the way to it, can not be used as given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of one engine: ``unix:///path`` or ``tcp://host[:port]``, nothing else.

    ``tls_ca``, ``tls_certificate`` and ``tls_key`` are PEM text or the path of a PEM file, or "". With a CA the
    way is TLS, always verified against that CA alone; certificate and key prove who asks and come together.
    The port is 2376 with TLS and 2375 without, if the address names none. Raises InvalidEndpoint.
    """

    url: str
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        _check_address(self.url)
        _check_tls(self)

    def __str__(self) -> str:
        return self.url

    @property
    def secure(self) -> bool:
        """Whether the way is TLS."""
        return bool(self.tls_ca)

    @property
    def socket_path(self) -> str:
        """The path of the socket, "" for TCP."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else ""

    @property
    def base_url(self) -> str:
        """The HTTP address of a TCP endpoint, without a slash at its end."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = parts.port or (_TLS_PORT if self.secure else _PLAIN_PORT)
        return f"{'https' if self.secure else 'http'}://{host}:{port}"


def local_endpoint(environment: Mapping[str, str] = os.environ) -> Endpoint:
    """The engine that the docker command would use: DOCKER_HOST, or the local socket.

    DOCKER_TLS_VERIFY or DOCKER_CERT_PATH, when not empty, mean TLS for tcp:// with ca.pem, cert.pem and key.pem of
    DOCKER_CERT_PATH (default ~/.docker). The engine's certificate is always verified. Raises InvalidEndpoint.
    """
    url = environment.get("DOCKER_HOST") or DEFAULT_URL
    folder = environment.get("DOCKER_CERT_PATH")
    if not url.startswith("tcp://") or not (folder or environment.get("DOCKER_TLS_VERIFY")):
        return Endpoint(url=url)
    certificates = Path(folder) if folder else Path.home() / ".docker"
    return Endpoint(
        url=url,
        tls_ca=str(certificates / "ca.pem"),
        tls_certificate=str(certificates / "cert.pem"),
        tls_key=str(certificates / "key.pem"),
    )


def _check_address(url: str) -> None:
    if url.startswith("unix://"):
        _check_socket(url.removeprefix("unix://"))
    elif url.startswith("tcp://"):
        _check_tcp(url)
    else:
        raise InvalidEndpoint(
            f"{url or 'An empty address'} is not the address of an engine that can be reached. Give"
            " unix:///path/to/docker.sock for an engine on this machine, or tcp://host:2376 with TLS for another."
        )


def _check_socket(path: str) -> None:
    if not _SOCKET_PATH.fullmatch(path) or "/../" in f"{path}/":
        raise InvalidEndpoint(f"unix://{path} does not name a socket. Write the whole path, as in {DEFAULT_URL}.")
    if len(path.encode()) > _LONGEST_SOCKET_PATH:
        raise InvalidEndpoint(f"The path of the socket is longer than {_LONGEST_SOCKET_PATH} bytes: {path}")


def _check_tcp(url: str) -> None:
    complaint = f"{url} is not of the form tcp://host:port. Write the name or address of a manager and its port."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidEndpoint(complaint) from error
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if extra or port == 0 or not _HOST.fullmatch(host):
        raise InvalidEndpoint(complaint)


def _check_tls(endpoint: Endpoint) -> None:
    if bool(endpoint.tls_certificate) != bool(endpoint.tls_key):
        raise InvalidEndpoint("A client certificate and its key belong together: give both or neither.")
    if endpoint.tls_certificate and not endpoint.tls_ca:
        raise InvalidEndpoint("A client certificate needs the CA that signed the engine's certificate beside it.")
    if endpoint.tls_ca and endpoint.socket_path:
        raise InvalidEndpoint("A unix socket has no TLS: take the certificates away, or give a tcp:// address.")
