"""One call of the Engine API: what it asks for, and the answers that an engine gives."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.simulation import Simulation
from overlayweb.simulator.versions import Engine, at_least
from overlayweb.simulator.world import World

Filters = dict[str, list[str]]
_YES = ("1", "true", "True", "yes", "on")


class EngineCall(Request):
    """A request with what an engine knows of it. ``state`` is set by the app: simulation, api version, node."""

    @property
    def simulation(self) -> Simulation:
        """What is served."""
        found: Simulation = self.scope["simulation"]
        return found

    @property
    def world(self) -> World:
        """The simulated Swarm, carried on to the present before the call."""
        return self.simulation.world

    @property
    def engine(self) -> Engine:
        """The engine that is imitated."""
        return self.simulation.engine

    @property
    def view(self) -> str:
        """The node whose socket was asked, "" for the first manager's."""
        return str(self.scope["view"])

    def asks_for(self, version: str) -> bool:
        """Whether the client speaks this version of the API, or a later one."""
        return at_least(self.scope["api_version"], version)

    def flag(self, name: str) -> bool:
        """Whether a parameter of the query is set to yes."""
        return self.query_params.get(name, "") in _YES

    def filters(self) -> Filters:
        """The filters of the query: values by name. Both JSON forms are taken, lists and maps to true."""
        text = self.query_params.get("filters", "")
        if not text:
            return {}
        try:
            return {name: _values(values) for name, values in json.loads(text).items()}
        except (ValueError, AttributeError) as error:
            raise _unreadable(text, self.engine) from error

    def number(self, name: str) -> int:
        """A parameter that has to be there and a number. Raises the engine's refusal."""
        text = self.query_params.get(name, "")
        if not (text.isascii() and text.isdigit()):
            nouns = (("/nodes/", "node"), ("/swarm/", "swarm"))
            noun = next((noun for part, noun in nouns if part in self.url.path), "service")
            raise ApiError(
                400, f"invalid {noun} version '{text}': strconv.ParseUint: parsing \"{text}\": invalid syntax"
            )
        return int(text)

    async def document(self) -> dict[str, Any]:
        """The JSON object of the body. Raises the engine's refusal of anything else."""
        text = await self.body()
        if not text:
            raise ApiError(400, "invalid JSON: EOF")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ApiError(400, f"invalid JSON: {error}") from error
        if not isinstance(found, dict):
            raise ApiError(400, "invalid JSON: cannot unmarshal into Go value")
        return found


def answer(document: object, status: int = 200) -> Response:
    """A JSON answer."""
    return JSONResponse(document, status_code=status)


def done(status: int = 200) -> Response:
    """An empty answer."""
    return Response(status_code=status)


def _values(values: object) -> list[str]:
    if isinstance(values, dict):
        return [name for name, wanted in values.items() if wanted]
    if isinstance(values, list):
        return [str(value) for value in values]
    raise ValueError("neither a list nor a map")


def _unreadable(text: str, engine: Engine) -> ApiError:
    if at_least(engine.api, "1.42"):
        return ApiError(400, "invalid filter")
    return ApiError(500, f"invalid character '{text[0]}' looking for beginning of value")
