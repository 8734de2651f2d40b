"""Following a Swarm between two looks at everything: its events, and reading again only what they name."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from overlayweb.domain.news import NETWORK, NODE, SERVICE, Happening
from overlayweb.domain.swarm import ORPHANED, Network, Node, Service, SwarmTask
from overlayweb.engine import reading
from overlayweb.engine.calls import Calls, Stream
from overlayweb.engine.errors import NotFound

SILENCE_SECONDS = 900.0
"""A Swarm that nobody touches says nothing. After so long the line is taken for dead; calls notice it long before."""
AT_ONCE = 50
"""Ids in one call: they travel in its address, which must not grow without limit."""


class Happenings:
    """The events of nodes, networks and services from now on. ``close`` may be called by another thread."""

    def __init__(self, calls: Calls) -> None:
        wanted = json.dumps({"type": [NODE, NETWORK, SERVICE]})
        self._calls = calls
        self._stream: Stream = calls.stream(
            "events", doing="follow the events", silence_seconds=SILENCE_SECONDS, filters=wanted
        )

    def __iter__(self) -> Iterator[Happening]:
        """Each one as it comes, until the engine ends the stream or it is closed. Raises EngineUnreachable."""
        for row in self._stream.rows():
            yield Happening(kind=row.get("Type", ""), action=row.get("Action", ""), id=_id(row))

    def close(self) -> None:
        """End it."""
        self._stream.close()
        self._calls.close()


def nodes(calls: Calls, ids: Iterable[str]) -> tuple[Node, ...]:
    """Those of the nodes that are there."""
    found = (calls.rows("nodes", as_=reading.node, doing="read nodes", filters=part) for part in _filters(ids))
    return tuple(row for rows in found for row in rows)


def networks(calls: Calls, ids: Iterable[str]) -> tuple[Network, ...]:
    """Those of the networks that are in the list, without peers."""
    parts = _filters(ids)
    found = (calls.rows("networks", as_=reading.network, doing="read networks", filters=part) for part in parts)
    return tuple(row for rows in found for row in rows)


def services(calls: Calls, ids: Iterable[str]) -> tuple[Service, ...]:
    """Those of the services that are there."""
    parts = _filters(ids)
    found = (
        calls.rows("services", as_=reading.service, doing="read services", status="true", filters=part)
        for part in parts
    )
    return tuple(row for rows in found for row in rows)


def swarm_tasks(calls: Calls, service_ids: Iterable[str]) -> tuple[SwarmTask, ...]:
    """All tasks of these services. A service that goes in that moment has none."""
    return on_nodes_there(calls, tuple(row for ids in _slices(service_ids) for row in _tasks_of(calls, ids)))


def on_nodes_there(calls: Calls, rows: tuple[SwarmTask, ...]) -> tuple[SwarmTask, ...]:
    """Without those of nodes that were removed from the Swarm: they stay orphaned for ever, and nothing comes of them.

    One that is orphaned since its node has been away for a day stays: the node may come back with its containers.
    [lab: engine 20.10, tests/lab/test_membership.py]
    """
    if all(row.state != ORPHANED for row in rows):
        return rows
    there = {node.id for node in calls.rows("nodes", as_=reading.node, doing="read the nodes")}
    return tuple(row for row in rows if row.state != ORPHANED or row.node_id in there)


def _tasks_of(calls: Calls, ids: list[str]) -> tuple[SwarmTask, ...]:
    try:
        return calls.rows("tasks", as_=reading.swarm_task, doing="read tasks", filters=json.dumps({"service": ids}))
    except NotFound:  # one that is gone makes the engine refuse them all
        return tuple(row for one in ids for row in _tasks_of(calls, [one])) if len(ids) > 1 else ()


def _filters(ids: Iterable[str]) -> Iterator[str]:
    return (json.dumps({"id": part}) for part in _slices(ids))


def _slices(ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = sorted(ids)
    return (wanted[start : start + AT_ONCE] for start in range(0, len(wanted), AT_ONCE))


def _id(row: dict[str, Any]) -> str:
    return str((row.get("Actor") or {}).get("ID", ""))
