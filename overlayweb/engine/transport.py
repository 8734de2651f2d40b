"""The way to an engine: the Docker SDK's transport under a plain HTTP session.

The SDK's own client is left out on purpose: it reads the configuration of whoever runs the process (registry
credentials, extra headers, proxies) and rewrites the specs that it sends.
"""

import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any

import requests
from docker.transport import unixconn
from requests.adapters import HTTPAdapter

from overlayweb.engine.endpoints import Endpoint, InvalidEndpoint

_SOCKET_BASE_URL = "http+docker://localhost"  # the SDK's adapter takes the socket, whatever the host
_PEM_MARK = "-----BEGIN"


def open_session(endpoint: Endpoint) -> tuple[requests.Session, str]:
    """A session that reaches the endpoint and nothing else, and the address that its requests begin with.

    It ignores proxies and .netrc of the environment. Nothing is sent yet. Raises InvalidEndpoint for TLS material
    that can not be read.
    """
    session = requests.Session()
    session.trust_env = False
    session.headers["Accept-Encoding"] = "identity"
    session.adapters.clear()
    if endpoint.socket_path:
        session.mount("http+docker://", _SocketAdapter(endpoint.socket_path))
        return session, _SOCKET_BASE_URL
    session.mount(endpoint.base_url, _TlsAdapter(_context(endpoint)) if endpoint.secure else HTTPAdapter())
    return session, endpoint.base_url


class _SocketConnection(unixconn.UnixHTTPConnection):
    """The SDK's connection, but closed where connecting fails: else an absent engine costs a socket each time."""

    def connect(self) -> None:
        """Connect to the socket within the time limit. Raises OSError."""
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connecting.settimeout(self.timeout)
            connecting.connect(self.unix_socket)
        except BaseException:
            connecting.close()
            raise
        self.sock = connecting


class _SocketPool(unixconn.UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:  # the SDK's class is of narrower types than urllib3 says of connections
        return _SocketConnection(self.base_url, self.socket_path)  # each request sets its own time limit


class _SocketAdapter(unixconn.UnixHTTPAdapter):
    """The SDK's adapter, with one pool, since there is one socket."""

    def get_connection(self, url: bytes | str, proxies: Any = None) -> _SocketPool:
        """The pool of the socket, whatever the address."""
        del proxies  # there are none on the way to a socket
        pool = self.pools.get(self.socket_path)
        if pool is None:
            pool = self.pools[self.socket_path] = _SocketPool(str(url), self.socket_path)
        return pool


class _TlsAdapter(HTTPAdapter):
    """Verifies with one context alone; requests by itself would trust every public CA beside it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, "ssl_context": self._context})

    def cert_verify(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing to add: the context knows the CA and the client certificate."""


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=_pem(endpoint.tls_ca))
        if endpoint.tls_certificate:
            _load_client(context, certificate=_pem(endpoint.tls_certificate), key=_pem(endpoint.tls_key))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InvalidEndpoint(
            f"The TLS material for {endpoint} can not be used: {error}. Give PEM text or the path of a PEM file that"
            " this process may read; certificate and key have to match."
        ) from error
    return context


def _load_client(context: ssl.SSLContext, *, certificate: str, key: str) -> None:
    # The ssl module takes these from files only. The folder is private and gone when this returns.
    with tempfile.TemporaryDirectory(prefix="overlayweb-tls-") as folder:
        both = Path(folder, "client.pem")
        both.write_text(f"{key}\n{certificate}\n")
        context.load_cert_chain(both, password=_no_password)


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal of the process.
    raise ValueError("the key is protected by a passphrase; remove it with `openssl pkey`")


def _pem(value: str) -> str:
    return value if _PEM_MARK in value else Path(value).read_text(encoding="ascii")
