"""What went wrong with a call, in words for a person and as the kind of error that callers act on."""

import errno
import re
import ssl
from collections.abc import Iterator
from http import HTTPStatus

import requests
import urllib3

from overlayweb.engine.endpoints import Endpoint
from overlayweb.engine.errors import (
    AlreadyExists,
    EngineError,
    EngineFault,
    EngineUnreachable,
    NotAManager,
    NotFound,
    Refused,
    VersionConflict,
)

_SERVER_ERROR = HTTPStatus.INTERNAL_SERVER_ERROR
_RPC = re.compile(r"rpc error: code = (\w+) desc = ")
_NO_LEADER = ("does not have a leader", "too few managers", "lost quorum")
_ALONE = ("context deadline exceeded", "node lost leader status")
_MAJORITY = "Bring more than half of the managers online; `docker info` on one of them lists their addresses."
_STARTING = ("being prepared", "has trouble connecting")
_NOT_A_MANAGER = ("not a swarm manager", "not part of a swarm")
_LOCKED = ("needs to be unlocked",)
_EXISTS = ("already exists", "already present")
_REFUSING_CODES = frozenset({"FailedPrecondition", "InvalidArgument", "PermissionDenied", "Unimplemented"})


def unreachable(error: Exception, *, endpoint: Endpoint, doing: str, limit_seconds: float) -> EngineUnreachable:
    """The error for a call that got no whole answer. ``doing`` reads on after "could not"."""
    return EngineUnreachable(f"Could not {doing}. {_no_answer(error, endpoint=endpoint, limit_seconds=limit_seconds)}")


def not_understood(*, endpoint: Endpoint, doing: str) -> EngineUnreachable:
    """The error for an answer that is not what an engine answers."""
    return EngineUnreachable(
        f"Could not {doing}. What answers at {endpoint} broke its answer off or is not a Docker engine. Check the"
        " address and port, and whether a proxy stands in between."
    )


def answered(*, status: int, words: str, endpoint: Endpoint, doing: str) -> EngineError:
    """The error that an engine answered: HTTP ``status`` and its own ``words``. Facts: engine sources, lab."""
    if status < HTTPStatus.BAD_REQUEST:
        return not_understood(endpoint=endpoint, doing=doing)
    code, said = _split(words)
    about_swarm = (
        _about_swarm(code=code, said=said, endpoint=endpoint, doing=doing) if status >= _SERVER_ERROR else None
    )
    if about_swarm is not None:
        return about_swarm
    kind = _kind(status=status, code=code, said=said)
    return kind(_SENTENCES[kind].format(doing=doing, said=said, endpoint=endpoint))


_SENTENCES: dict[type[EngineError], str] = {
    VersionConflict: "Could not {doing}: it was changed since it was read. Read it again and compare.",
    AlreadyExists: "Could not {doing}: {said}.",
    NotFound: "Could not {doing}: it is gone. The engine says: {said}.",
    Refused: "The engine refuses to {doing}: {said}.",
    EngineFault: "The engine at {endpoint} failed to {doing}: {said}. It may have done it all the same; look before"
    " trying again.",
}


def _kind(*, status: int, code: str, said: str) -> type[EngineError]:
    # By the words as well as by the status: the engine answers 500 for errors that came without a gRPC code.
    if "update out of sequence" in said:
        return VersionConflict
    if status == HTTPStatus.CONFLICT or code == "AlreadyExists" or _has(said, _EXISTS):
        return AlreadyExists
    if status == HTTPStatus.NOT_FOUND or code == "NotFound":
        return NotFound
    if status < _SERVER_ERROR or code in _REFUSING_CODES:
        return Refused
    return EngineFault


def _about_swarm(*, code: str, said: str, endpoint: Endpoint, doing: str) -> EngineError | None:
    if _has(said, _NO_LEADER):
        return EngineFault(
            f"Could not {doing}: the Swarm has no leader, since too few of its managers answer. {_MAJORITY}"
        )
    if code and _has(said, _ALONE):
        # What a manager that has just lost its majority answers, up to 20 s later. [lab, engine 20.10.24]
        return EngineFault(
            f"Could not {doing}: the manager at {endpoint} did not hear enough of the other managers in time. Too few"
            f" are online, or they are overloaded. {_MAJORITY} It may be done all the same; look before trying again."
        )
    if _has(said, _STARTING):
        return EngineFault(f"Could not {doing}: the manager at {endpoint} is starting or can not reach the others.")
    if _has(said, _LOCKED):
        return NotAManager(f"The Swarm on {endpoint} is locked. Run `docker swarm unlock` on that node.")
    if _has(said, _NOT_A_MANAGER):
        return NotAManager(
            f"The engine at {endpoint} is not a manager of a Swarm. Give the address of a manager, or make this"
            " engine one: `docker swarm init` on it, or `docker node promote` on a manager of its Swarm."
        )
    return None


def _no_answer(error: Exception, *, endpoint: Endpoint, limit_seconds: float) -> str:
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return _tls(causes, endpoint)
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    for number, words in _BY_NUMBER.items():
        if number in numbers:
            return words.format(endpoint=endpoint, path=endpoint.socket_path)
    if any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in causes):
        return f"The name in {endpoint} has no address. Check its spelling and the DNS of this machine."
    # Last of these, since urllib3 calls every failure to connect a time-out too.
    if any(isinstance(cause, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError) for cause in causes):
        return (
            f"The engine at {endpoint} did not answer in time ({limit_seconds:g} s). Check that the machine is up"
            " and not overloaded, that no firewall drops the connection, and, if it is a manager, that more than half"
            " of the managers are online."
        )
    return f"The connection to the engine at {endpoint} broke. Check that the Docker daemon is running there."


_BY_NUMBER = {
    errno.ENOENT: "There is no socket at {path}. Check that the Docker daemon is running, and the path.",
    errno.EACCES: "This process may not use the socket {path}. Add its user to the group that owns the socket,"
    " usually docker, and start it again.",
    errno.ECONNREFUSED: "Nothing listens at {endpoint}. Check that the Docker daemon is running there.",
    errno.EAGAIN: "The engine at {endpoint} takes no more connections now. Check that it is not overloaded.",
    errno.EHOSTUNREACH: "There is no way to {endpoint}. Check the network between this machine and that one.",
    errno.ENETUNREACH: "There is no way to {endpoint}. Check the network of this machine.",
}


def _tls(causes: tuple[BaseException, ...], endpoint: Endpoint) -> str:
    rejected = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if rejected is not None:
        return (
            f"The certificate of the engine at {endpoint} is not accepted: {rejected.verify_message}. Check that the"
            " CA is the one that signed it, that it names this host, and that it has not expired."
        )
    return (
        f"There is no TLS connection to {endpoint}. Check that the port is the engine's TLS port, and that the engine"
        " accepts the client certificate given here."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything under it: libraries wrap by cause, by argument and by attribute."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _split(words: str) -> tuple[str, str]:
    """The gRPC code in the engine's words, or "", and the words without it."""
    found = _RPC.search(words)
    return (found[1] if found else ""), _RPC.sub("", words).strip().rstrip(".") or "it gives no reason"


def _has(said: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in said for phrase in phrases)
