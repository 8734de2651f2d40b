"""Whether a TCP port of a node can be reached from this machine. UDP can not be told: no answer may mean anything."""

import errno
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from overlayweb.domain.readiness import Answer, PortAnswer
from overlayweb.domain.swarm import Node

TRY_SECONDS = 2.0
AT_ONCE = 64
ALL_SECONDS = 40.0
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})


def try_ports(
    targets: Sequence[tuple[Node, int]], *, until: float, seconds: float = TRY_SECONDS
) -> tuple[PortAnswer, ...]:
    """Open and close a connection to each port, many at once, each for ``seconds`` at most.

    What has not begun by ``until``, a moment of ``time.monotonic``, stays unchecked.
    """
    if not targets:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(targets), AT_ONCE), thread_name_prefix="port") as pool:
        return tuple(pool.map(lambda target: _try(target[0], target[1], seconds, until), targets))


def _try(node: Node, port: int, seconds: float, until: float) -> PortAnswer:
    began = time.monotonic()
    answer = _answer(node.address, port, seconds) if began < until else Answer.UNCHECKED
    took = time.monotonic() - began
    return PortAnswer(node_id=node.id, address=node.address, port=port, answer=answer, seconds=round(took, 4))


def _answer(address: str, port: int, seconds: float) -> Answer:
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return Answer.OPEN
    except ConnectionRefusedError:
        return Answer.REFUSED
    except OSError as error:  # time-outs and resets too
        return Answer.NO_WAY if error.errno in _NO_WAY else Answer.SILENT
