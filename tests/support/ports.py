"""TCP ports for private servers."""

import socket
from contextlib import closing


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
