"""Calls that go wrong on purpose: by rules, at the level of the connection, so that a client really sees it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TRANSPORT = "overlayweb.transport"
"""The name under which the server hands an application the transport of its connection."""


@dataclass(kw_only=True)
class Rule:
    """Which calls go wrong, and how.

    ``method`` "" is any; ``path`` is a regular expression searched for in the path without its version; ``node`` ""
    is any socket. Of the calls that match, the ``nth`` and those after it go wrong, ``times`` in all, 0 meaning no
    end. ``seconds`` is how long a slow call waits, in wall time; ``message`` is what an error says, "" for the usual.
    Raises ValueError for what can not be.
    """

    kind: str
    method: str = ""
    path: str = ""
    node: str = ""
    nth: int = 1
    times: int = 1
    seconds: float = 0.0
    message: str = ""
    matched: int = field(default=0, init=False)
    struck: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in _ACTS:
            raise ValueError(f"{self.kind} is no kind of fault; there are {', '.join(sorted(_ACTS))}")
        self._pattern = re.compile(self.path)

    def count(self, *, method: str, path: str, node: str) -> bool:
        """Count the call if it matches, and tell whether it is to go wrong by this rule."""
        if self.method not in ("", method) or self.node not in ("", node) or not self._pattern.search(path):
            return False
        self.matched += 1
        return self.matched >= self.nth and (self.times == 0 or self.struck < self.times)


class Faults:
    """The rules in force. The first that is due decides about a call; every rule counts what matches it."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def replace(self, rules: Iterable[Rule]) -> None:
        """Put these rules in force and no others."""
        self._rules = list(rules)

    def report(self) -> list[dict[str, Any]]:
        """Each rule with how many calls it ``matched`` and how many it ``struck``."""
        return [asdict(rule) for rule in self._rules]

    def due(self, *, method: str, path: str, node: str) -> Rule | None:
        """The rule by which this call goes wrong, None for none."""
        due = [rule for rule in self._rules if rule.count(method=method, path=path, node=node)]
        for rule in due[:1]:
            rule.struck += 1
        return due[0] if due else None


async def commit(rule: Rule, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the call go wrong as the rule says. ``app`` would answer it rightly."""
    await _ACTS[rule.kind](rule, app, scope, receive, send)


async def _slow(rule: Rule, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(rule.seconds)
    await app(scope, receive, send)


async def _reset(_rule: Rule, _app: ASGIApp, scope: Scope, receive: Receive, _send: Send) -> None:
    _transport(scope).abort()
    await _gone(receive)


async def _timeout(_rule: Rule, _app: ASGIApp, _scope: Scope, receive: Receive, _send: Send) -> None:
    await _gone(receive)


async def _lost(_rule: Rule, app: ASGIApp, scope: Scope, receive: Receive, _send: Send) -> None:
    await app(scope, receive, _swallow)
    _transport(scope).abort()
    await _gone(receive)


async def _lost_timeout(_rule: Rule, app: ASGIApp, scope: Scope, receive: Receive, _send: Send) -> None:
    await app(scope, receive, _swallow)
    await _gone(receive)


async def _cut(_rule: Rule, app: ASGIApp, scope: Scope, receive: Receive, _send: Send) -> None:
    answer = await _whole(app, scope, receive)
    head, body = answer[: answer.index(b"\r\n\r\n") + 4], answer[answer.index(b"\r\n\r\n") + 4 :]
    _transport(scope).write(head + body[: len(body) // 2] if body else head[: len(head) // 2])
    _transport(scope).close()
    await _gone(receive)


def _failing(status: HTTPStatus, words: str) -> Callable[..., Awaitable[None]]:
    async def act(rule: Rule, _app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"message": rule.message or words}, status_code=status)(scope, receive, send)

    return act


async def _gone(receive: Receive) -> None:
    """Wait until the connection is gone. An answer must not follow, and the server expects one until then."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _swallow(_message: Message) -> None:
    """Where an answer goes that nobody shall see."""


async def _whole(app: ASGIApp, scope: Scope, receive: Receive) -> bytes:
    """The answer as it would have gone over the wire."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    status = HTTPStatus(messages[0]["status"])
    fields = [b"%s: %s" % (name, value) for name, value in messages[0]["headers"]]
    head = b"\r\n".join([b"HTTP/1.1 %d %s" % (status, status.phrase.encode()), *fields, b"", b""])
    return head + b"".join(message.get("body", b"") for message in messages[1:])


def _transport(scope: Scope) -> asyncio.Transport:
    found: asyncio.Transport = scope["extensions"][TRANSPORT]
    return found


_ACTS: dict[str, Callable[[Rule, ASGIApp, Scope, Receive, Send], Awaitable[None]]] = {
    "slow": _slow,  # waits, then is carried out and answered
    "reset": _reset,  # not carried out, the connection ends without an answer
    "timeout": _timeout,  # not carried out, never an answer
    "cut": _cut,  # carried out, the answer ends in its middle
    "500": _failing(HTTPStatus.INTERNAL_SERVER_ERROR, "rpc error: code = Unknown desc = raft: proposal dropped"),
    "503": _failing(HTTPStatus.SERVICE_UNAVAILABLE, "the engine is overloaded"),
    "lost": _lost,  # carried out, the connection ends without an answer
    "lost_timeout": _lost_timeout,  # carried out, never an answer
}
