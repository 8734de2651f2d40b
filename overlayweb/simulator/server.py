"""Sockets of a simulated Swarm: the main one, one for each node whose engine runs, one that only controls."""

import asyncio
import contextlib
import functools
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from overlayweb.simulator.app import Api
from overlayweb.simulator.faults import TRANSPORT
from overlayweb.simulator.simulation import Simulation

_ONLY_OWNER = 0o177
_KEEP_ALIVE = 3600  # seconds; an engine does not end connections that wait
_LEAVE = 1  # second, for streams of events when the server ends


def node_socket(path: Path, node: str) -> Path:
    """Where a node's own engine is reached."""
    return path.with_name(f"{path.name}.d") / f"{node}.sock"


def control_socket(path: Path) -> Path:
    """Where the control surface is reached when no engine answers."""
    return path.with_name(f"{path.name}.control")


class _Protocol(H11Protocol):
    """uvicorn's HTTP, which hands the application the transport: faults end connections in their middle."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.app = _handing(self.app, transport)


def _handing(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    async def handing(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {TRANSPORT: transport}
        await app(scope, receive, send)

    return handing


@dataclass(kw_only=True)
class _Listeners:
    """Which socket belongs to which node, and the listeners that are open. A node that is down has none."""

    path: Path
    controlled: bool
    open: dict[Path, asyncio.Server] = field(default_factory=dict)

    def view(self, address: str) -> str:
        """The node whose socket has the address, "" for the main one."""
        path = Path(address)
        return path.stem if path.parent == node_socket(self.path, "any").parent else ""

    def wanted(self, simulation: Simulation) -> set[Path]:
        """The sockets that are to be open now."""
        world = simulation.world
        found = {node_socket(self.path, name) for name in world.node_names if world.answers(name)}
        found |= {self.path} if world.answers() else set()
        return found | ({control_socket(self.path)} if self.controlled else set())


class Server(uvicorn.Server):
    """Serves a simulation on unix sockets that nobody but their owner may use.

    Opens and closes the nodes' sockets as their engines start and stop, and carries the world on all the time.
    """

    def __init__(self, simulation: Simulation, *, path: Path, controlled: bool) -> None:
        self._simulation = simulation
        self._listeners = _Listeners(path=path, controlled=controlled)
        api = Api(simulation, view=self._listeners.view, controlled=controlled, moved=self._follow)
        super().__init__(
            uvicorn.Config(
                api,
                http=_Protocol,
                ws="none",
                lifespan="off",
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_LEAVE,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so on standard output."""
        del sockets
        await self.lifespan.startup()
        node_socket(self._listeners.path, "any").parent.mkdir(mode=0o700, exist_ok=True)
        self.servers = []
        await self._follow()
        self.started = True
        print(f"ready unix://{self._listeners.path}", flush=True)  # noqa: T201  # whoever started it waits for this

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: carry the world on, open and close what has to be."""
        self._simulation.present()
        await self._follow()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all sockets and take them away."""
        for path in list(self._listeners.open):
            self._close(path)
        with contextlib.suppress(OSError):
            node_socket(self._listeners.path, "any").parent.rmdir()
        await super().shutdown(sockets)

    async def _follow(self) -> None:
        opened, wanted = self._listeners.open, self._listeners.wanted(self._simulation)
        for path in opened.keys() - wanted:
            self._close(path)
        for path in wanted - opened.keys():
            opened[path] = await self._listen(path)

    async def _listen(self, path: Path) -> asyncio.Server:
        protocol = functools.partial(
            _Protocol, config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return await asyncio.get_running_loop().create_unix_server(
            protocol, sock=_bound(path), backlog=self.config.backlog
        )

    def _close(self, path: Path) -> None:
        """End a listener and the connections that came through it, as the end of an engine does."""
        self._listeners.open.pop(path).close()
        path.unlink(missing_ok=True)
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Protocol) and connection.server == (str(path), None):
                connection.transport.abort()


def _bound(path: Path) -> socket.socket:
    """A socket at the path that nobody but its owner may use, from its first moment on."""
    path.unlink(missing_ok=True)
    before = os.umask(_ONLY_OWNER)
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener
