"""GET /events: the last 256 events that still are kept, then what happens, for as long as the client stays."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from overlayweb.simulator.calls import EngineCall, Filters
from overlayweb.simulator.errors import ApiError

LOOK_EVERY = 0.05
"""Seconds of the wall between two looks for new events."""

Event = dict[str, Any]


async def events(call: EngineCall) -> Response:
    """Events since ``since`` and until ``until`` (seconds since 1970), those that ``filters`` let through."""
    filters = call.filters()
    since, until = _moment(call, "since"), _moment(call, "until")
    last = call.world.events()[-1]["seq"] if call.world.events() else 0
    after = last if since is None else 0
    return StreamingResponse(
        _follow(call, after=after, since=since or 0.0, until=until, filters=filters), media_type="application/json"
    )


async def _follow(
    call: EngineCall, *, after: int, since: float, until: float | None, filters: Filters
) -> AsyncIterator[bytes]:
    simulation = call.simulation
    world = simulation.world
    while simulation.world is world:  # a reset ends the streams of the world before
        for event in simulation.present().events(after):
            after, at = event["seq"], event["timeNano"] / 1e9
            if since <= at and (until is None or at <= until) and _lets_through(filters, event):
                yield _line(event)
        if until is not None and world.started_at.timestamp() + simulation.clock.now() > until:
            return
        await asyncio.sleep(LOOK_EVERY)


def _moment(call: EngineCall, name: str) -> float | None:
    text = call.query_params.get(name, "")
    try:
        return float(text) if text else None
    except ValueError as error:
        raise ApiError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


def _line(event: Event) -> bytes:
    return json.dumps({name: value for name, value in event.items() if name != "seq"}).encode() + b"\n"


def _lets_through(filters: Filters, event: Event) -> bool:
    actor = event["Actor"]
    names = (actor["ID"], actor["Attributes"].get("name", ""))
    told = {"type": (event["Type"],), "event": (event["Action"],), "scope": (event["scope"],), event["Type"]: names}
    return all(set(wanted) & set(told.get(key, ())) for key, wanted in filters.items())
