"""The Engine API of a simulated Swarm as an ASGI application: versions, faults, routes, headers, refusals."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from overlayweb.simulator import control, endpoints, faults, versions
from overlayweb.simulator.calls import EngineCall, answer
from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.simulation import Call, Simulation

_CONTROL = "/_control/"


class Api:
    """The application behind all sockets. ``view`` tells whose node's a socket is, "" for the main one.

    ``controlled`` opens the paths below /_control/, which are no part of an engine; ``moved`` is called after each
    such call, since engines may have stopped or started.
    """

    def __init__(
        self,
        simulation: Simulation,
        *,
        view: Callable[[str], str],
        controlled: bool,
        moved: Callable[[], Awaitable[None]],
    ) -> None:
        self._simulation = simulation
        self._moved = moved
        self._view = view
        self._open_to_control = controlled
        self._engine = _router(endpoints.ROUTES, _answered)
        self._controls = _router({("POST", f"{_CONTROL}{{verb}}"): control.act}, self._controlled)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["simulation"] = self._simulation
        scope["view"] = self._view(scope["server"][0])
        if self._open_to_control and scope["path"].startswith(_CONTROL):
            await self._controls(scope, receive, send)
            return
        try:
            scope["api_version"], scope["path"] = versions.split(scope["path"], self._simulation.engine)
        except ApiError as error:
            await _refusal(error, self._simulation)(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        simulation = self._simulation
        method, path, node = scope["method"], scope["path"], scope["view"]
        rule = simulation.faults.due(method=method, path=path, node=node)
        kind = rule.kind if rule else ""
        simulation.calls.append(Call(method=method, path=path, node=node, fault=kind, at=simulation.clock.now()))
        if rule is None:
            await self._engine(scope, receive, send)
        else:
            await faults.commit(rule, self._engine, scope, receive, send)

    async def _controlled(self, act: endpoints.Endpoint, call: EngineCall) -> Response:
        """What the control surface answers: 400 with the reason where a verb can not do what it is asked for."""
        call.simulation.present()
        try:
            response = await act(call)
        except ApiError as error:
            return answer({"message": error.message}, error.status)
        except (TypeError, ValueError, KeyError, StopIteration) as error:
            return answer({"message": f"{type(error).__name__}: {error}"}, 400)
        await self._moved()
        return response


Answering = Callable[[endpoints.Endpoint, EngineCall], Awaitable[Response]]


def _router(routes: Mapping[tuple[str, str], endpoints.Endpoint], answering: Answering) -> Router:
    """One route for each path, since an engine knows no page where the method is another."""
    by_path: dict[str, dict[str, endpoints.Endpoint]] = {}
    for (method, path), act in routes.items():
        by_path.setdefault(path, {})[method] = act
    router = Router([Route(path, _route(by_method, answering)) for path, by_method in by_path.items()])
    router.default = _no_page
    return router


def _route(
    by_method: Mapping[str, endpoints.Endpoint], answering: Answering
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    # An application and not a function of a request: those are limited to GET unless all methods are named.
    class Page:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            act = by_method.get(scope["method"])
            if act is None:
                await _no_page(scope, receive, send)
                return
            response = await answering(act, EngineCall(scope, receive))
            await response(scope, receive, send)

    return Page()


async def _answered(act: endpoints.Endpoint, call: EngineCall) -> Response:
    """What an engine answers, with its headers."""
    call.simulation.present()
    try:
        response = await act(call)
    except ApiError as error:
        return _refusal(error, call.simulation)
    response.headers.update(_headers(call.simulation))
    return response


def _refusal(error: ApiError, simulation: Simulation) -> Response:
    response = answer({"message": error.message}, error.status)
    response.headers.update(_headers(simulation))
    return response


def _headers(simulation: Simulation) -> dict[str, str]:
    engine = simulation.engine
    return {
        "Api-Version": engine.api,
        "Docker-Experimental": "false",
        "Ostype": engine.os,
        "Server": f"Docker/{engine.version} ({engine.os})",
    }


async def _no_page(scope: Scope, receive: Receive, send: Send) -> None:
    await answer({"message": "page not found"}, 404)(scope, receive, send)
