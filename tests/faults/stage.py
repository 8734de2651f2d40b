"""The simulated Swarm that a run begins on: five services, four of them published, running and at rest.

Made once and copied for every run, by forking the process that holds it.
"""

import base64
import json
import math
import os
import socket
import sqlite3
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connections
from starlette.types import ASGIApp, Receive, Scope, Send

from overlayweb.simulator.server import Server, node_socket
from overlayweb.simulator.simulation import Content, Simulation, empty
from overlayweb.simulator.versions import ENGINES
from overlayweb.simulator.world import World
from tests.faults.points import WORKER_HEADER
from tests.faults.timeline import EngineClock, Shared

SECOND = 1_000_000_000
CALL_SECONDS = 0.01
"""What each call of the engine takes."""
NODES = 3
GRACE_SECONDS = 5
"""So long that whoever ignores SIGTERM is taken off first and comes back first."""
AT_REST = 30.0
"""Seconds after which new services run and nothing is under way."""
CHANGES = ("create_network", "remove_network", "update_service", "update_node", "init_swarm")
"""What a job may ask of an engine that changes anything."""

MOVES = ("connect", "disconnect")
"""The same of standalone containers."""

_worker: ContextVar[str] = ContextVar("worker", default="")


@dataclass(frozen=True, kw_only=True)
class Template:
    """What all runs of a stage begin with: the Swarm at rest, and a database with an approved job on it."""

    name: str
    simulation: Simulation
    database: Path
    job_id: int
    epoch: datetime


def services(world: World, nodes: int) -> None:
    """Fill an empty Swarm and let it come to rest."""
    empty(world, nodes)
    for spec in specs():
        world.create_service(spec)
    world.advance(to=world.now + AT_REST)


def specs() -> list[dict[str, Any]]:
    """The services: four published, in three modes of being so, and one that is not; one ignores SIGTERM."""
    return [
        _service("web", 8101, replicas=2),
        _service("agent", 8102, replicas=None),
        _service("slow", 8103, replicas=1, init=False),
        _service("chosen", 0, replicas=1),
        _service("inner", None, replicas=1),
    ]


def simulation(*, seed: int, content: Content = services, engine: str = "28.5") -> Simulation:
    """A Swarm with the services, at rest."""
    clock = EngineClock(Shared())
    return Simulation(engine=ENGINES[engine], content=content, nodes=NODES, seed=seed, clock=clock)


def _service(name: str, port: int | None, *, replicas: int | None, init: bool = True) -> dict[str, Any]:
    container = {"Image": "shop/web:1", "Init": init, "StopGracePeriod": GRACE_SECONDS * SECOND}
    spec: dict[str, Any] = {
        "Name": name,
        "Labels": {},
        "TaskTemplate": {"ContainerSpec": container},
        "Mode": {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}},
    }
    if port is None:
        return spec
    published = {"Protocol": "tcp", "TargetPort": 80, "PublishMode": "ingress"}
    ports = [{**published, "PublishedPort": port} if port else published]
    return {**spec, "EndpointSpec": {"Mode": "vip", "Ports": ports}}


class EngineHouse:
    """Serves a simulation on the shared time, in this process, and notes every change that was carried out.

    One line of JSON for each: verb, worker, when, and how many snapshots the database held committed at that moment.
    """

    def __init__(self, simulation: Simulation, *, shared: Shared, folder: Path) -> None:
        self._simulation = simulation
        self._shared = shared
        self._folder = folder
        self._database: sqlite3.Connection | None = None
        simulation.clock = EngineClock(shared)
        world = simulation.world
        changes = [(world, verb) for verb in CHANGES] + [(world.boxes, verb) for verb in MOVES]
        for what, verb in changes:
            setattr(what, verb, self._noted(verb, getattr(what, verb)))

    async def serve(self) -> None:
        """Until the process ends."""
        server = Server(self._simulation, path=socket_path(self._folder), controlled=True)
        server.config.app = self._timed(server.config.app)  # type: ignore[arg-type]  # an application, not its name
        await server.serve()

    def _timed(self, app: ASGIApp) -> ASGIApp:
        async def timed(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope["path"].startswith("/_control/"):
                self._shared.pass_(CALL_SECONDS + self._shared.slow)
                self._shared.slow = 0.0
                _worker.set(dict(scope["headers"]).get(WORKER_HEADER.lower().encode(), b"").decode())
            await app(scope, receive, send)

        return timed

    def _noted(self, verb: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **named: Any) -> Any:
            snapshots = self._snapshots()
            result = act(*args, **named)
            line = {"verb": verb, "worker": _worker.get(), "at": self._shared.seconds, "snapshots": snapshots}
            line["subject"] = str(args[0] if args and isinstance(args[0], str) else "")
            with changes_path(self._folder).open("a") as file:
                file.write(json.dumps(line) + "\n")
            return result

        return noted

    def _snapshots(self) -> int:
        """How many services' snapshots are committed, as anybody else sees it; -1 where another database is used."""
        path = database_path(self._folder)
        if not path.exists():
            return -1
        if self._database is None:
            self._database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        # Read to its end: else it keeps a lock.
        ((count,),) = self._database.execute("SELECT count(*) FROM overlayweb_jobservice")
        return int(count)


def socket_path(folder: Path) -> Path:
    """Where the engine of a run is reached."""
    return folder / "engine.sock"


def is_served(folder: Path, world: World) -> bool:
    """Whether the engines of all nodes can be reached. A socket is there a moment before anybody listens at it."""
    main = socket_path(folder)
    return all(map(_listens, (main, *(node_socket(main, name) for name in world.node_names))))


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(path)) == 0


def changes_path(folder: Path) -> Path:
    """Where the changes of a run are noted."""
    return folder / "changes.jsonl"


def database_path(folder: Path) -> Path:
    """The database of a run, on a disk of its own."""
    return folder / "disk" / "db.sqlite3"


def changes(folder: Path) -> list[dict[str, Any]]:
    """The changes of a run that the engine carried out, in order."""
    path = changes_path(folder)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def changes_in_flight(folder: Path, taken_over: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    """Those by workers that had been taken over at that second: one call of each may be on its way then."""
    since = {worker.rstrip("!"): second for worker, second in taken_over}
    return [line for line in changes(folder) if line["at"] > since.get(line["worker"], math.inf)]


def job_id_of(message: str) -> int:
    """The job that a queued message names."""
    body = json.loads(base64.b64decode(json.loads(message)["body"]))
    return int(body[0][0])


def silence() -> None:
    """The process says nothing where its parent writes: the pipe there is the parent's."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


def use_database(path: Path) -> None:
    """From here on this process and its children use this SQLite file."""
    connections.close_all()
    connections.settings["default"]["NAME"] = str(path)
