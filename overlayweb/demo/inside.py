"""An engine inside this process: the product's own adapter, whose HTTP calls are answered by a simulated Swarm."""

import io
from collections.abc import Awaitable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from starlette.types import ASGIApp, Message

from overlayweb.demo.times import StoryTime
from overlayweb.engine.calls import Calls
from overlayweb.engine.endpoints import Endpoint
from overlayweb.engine.swarm import DockerEngine
from overlayweb.simulator.app import Api
from overlayweb.simulator.simulation import Simulation

_ADDRESS = "http://demo"
_ANSWER_SECONDS = 0.004
"""What a call takes in the story's time."""


def engine(*, simulation: Simulation, time: StoryTime) -> DockerEngine:
    """A manager of the simulated Swarm. Each call takes a moment of the story's time, and none of ours."""
    session = requests.Session()
    session.trust_env = False
    session.mount(_ADDRESS, _Inside(Api(simulation, view=lambda _: "", controlled=False, moved=_nothing), time))
    api, version = simulation.engine.api, simulation.engine.version
    endpoint = Endpoint(url="unix:///demo.sock")
    calls = Calls(session=session, base_url=f"{_ADDRESS}/v{api}", endpoint=endpoint, timeout_seconds=10)
    return DockerEngine(calls=calls, engine_version=version, api_version=api, now=time.now)


class _Inside(BaseAdapter):
    """Hands requests to an ASGI application. Nothing in it ever waits, so no event loop is needed."""

    def __init__(self, app: ASGIApp, time: StoryTime) -> None:
        super().__init__()
        self._app = app
        self._time = time

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The application's answer."""
        self._time.pass_by(_ANSWER_SECONDS)
        body, sent = request.body or b"", list[Message]()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            sent.append(message)

        _to_its_end(self._app(_scope(request), receive, keep))
        return _response(request, sent)

    def close(self) -> None:
        """There is nothing to close."""


def _scope(request: requests.PreparedRequest) -> dict[str, Any]:
    parts = urlsplit(str(request.url))
    headers: Mapping[str, Any] = request.headers
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("", None),
        "method": str(request.method),
        "path": unquote(parts.path),
        "query_string": parts.query.encode(),
        "headers": [(str(key).lower().encode(), str(value).encode()) for key, value in headers.items()],
    }


def _response(request: requests.PreparedRequest, sent: list[Message]) -> requests.Response:
    response = requests.Response()
    response.request = request
    response.status_code = sent[0]["status"]
    response.raw = io.BytesIO(b"".join(message.get("body", b"") for message in sent[1:]))
    return response


def _to_its_end(answering: Awaitable[None]) -> None:
    """Run what never waits. Raises RuntimeError for what does."""
    try:
        next(iter(answering.__await__()))
    except StopIteration:
        return
    raise RuntimeError("an answer of the simulated Swarm waits for something")


async def _nothing() -> None:
    """No sockets follow this Swarm."""
