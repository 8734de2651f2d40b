"""A real Swarm for the tests: N real engines on this machine, joined, and taken down at the end."""

import atexit
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from tests.lab import engines, health, image, netns
from tests.lab.daemon import Node, wait_until
from tests.lab.namespaces import Namespaces
from tests.support.patience import patient

FOLDER_PREFIX = "overlayweb-lab-"
_REPOSITORY = Path(__file__).parents[2]
_MANAGEMENT_PORT = 2377


class LabError(Exception):
    """The lab can not be had on this machine, or did not come up."""


class Lab:
    """A Swarm of real engines, up while the `with` block runs.

    Everything it makes belongs to a keeper process, which takes it down when the block ends, when
    this process dies however it dies, and when it is told to by `python -m tests.lab down`.
    """

    def __init__(
        self,
        nodes: int = 3,
        engine: str | None = None,
        managers: int = 1,
        *,
        by_hand: bool = False,
        thrifty: bool = False,
    ) -> None:
        """Describe a Swarm of `nodes` nodes, the first `managers` of them managers.

        `engine` is bookworm, trixie or sid; by default what LAB_ENGINE says. A lab made `by_hand`
        may be taken down from another terminal. `thrifty`: its engines take less of the processor and
        more memory, which is not how people run them.
        """
        if not 1 <= managers <= nodes:
            raise LabError(f"{managers} managers of {nodes} nodes can not be")
        self.id = secrets.token_hex(4)
        self.name = f"{FOLDER_PREFIX}{self.id}"
        self.engine = engines.find(engine)
        self.size, self._managers, self._by_hand, self._thrifty = nodes, managers, by_hand, thrifty
        self.nodes: list[Node] = []
        self._keeper: subprocess.Popen[str] | None = None
        self._handler: Any = None

    @property
    def manager(self) -> Node:
        """The first node, which made the Swarm."""
        return self.nodes[0]

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise LabError("a lab needs root: it makes namespaces and starts engines")
        self._guard()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the lab down and wait until nothing of it is left. Harmless when done twice.

        Raises LabError with the keeper's words if something stayed.
        """
        keeper, self._keeper = self._keeper, None
        self._unguard()
        if keeper is None:
            return
        _, said = keeper.communicate()
        if keeper.returncode:
            raise LabError(f"{self.name} was not taken down cleanly:\n{said}")

    def wait_running(self, names: Iterable[str] | None = None, *, timeout: float = 60.0) -> None:
        """Wait until services run at full strength: those named, or all there are.

        Raises TimeoutError with the strength of each that does not, after a patient wait for `timeout` seconds.
        """
        wanted = None if names is None else set(names)
        deadline = time.monotonic() + patient(timeout)
        while weak := self._weak(wanted):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {patient(timeout):g} s run only: {', '.join(weak)}")
            time.sleep(0.2)

    def containers_on(self, network_id: str) -> dict[str, dict[str, str]]:
        """Return which containers are attached to a network, as each node itself tells.

        Node name to container id to container name; nodes without any are left out.
        """
        found = {node.name: node.containers_on(network_id) for node in self.nodes}
        return {name: containers for name, containers in found.items() if containers}

    def reset(self) -> None:
        """Give back an empty Swarm with a fresh ingress: same nodes, same sockets, new ids.

        The old one is thrown away with its engines' folders and networks, whatever state it is in,
        and a new one is formed. That takes about 2 s; removing services one by one takes longer,
        and heals neither a wedge nor changed settings.
        """
        self.switch_off()
        commands = [f"ip -n {netns.BRIDGE_NAMESPACE} link delete {node.name}" for node in self.nodes]
        commands += [f"ip netns delete {node.name}" for node in self.nodes]
        for node in self.nodes:
            node.wipe()
            commands += netns.node_commands(node.name, node.index)
        self._namespaces.shell(commands)
        self._form()

    def calm(self) -> None:
        """Keep a wedged Swarm from taking the whole machine: `Node.calm` for every node."""
        for node in self.nodes:
            node.calm()

    def switch_off(self) -> None:
        """End all engines and containers at once; `reset` brings them back."""
        for node in self.nodes:
            node.crash()

    def wait_closed(self) -> None:
        """Wait until the lab is taken down from outside."""
        if self._keeper is not None:
            self._keeper.wait()

    def _start(self) -> None:
        """Keeper, network, engines, Swarm, image."""
        folder = Path(tempfile.gettempdir()) / self.name
        folder.mkdir(mode=0o755)
        self._namespaces = Namespaces(init=self._start_keeper(folder))
        commands = [*self.engine.mount_commands(folder), *netns.switch_commands()]
        for index in range(self.size):
            node = Node(
                index=index,
                lab=self.name,
                folder=folder / f"node{index + 1}",
                engine=self.engine,
                namespaces=self._namespaces,
                thrifty=self._thrifty,
            )
            node.folder.mkdir()
            (node.folder / "daemon.json").write_text("{}")
            commands += netns.node_commands(node.name, index)
            self.nodes.append(node)
        self._namespaces.shell(commands)
        self._form()

    def _start_keeper(self, folder: Path) -> int:
        """Start the process that owns the lab; return the id of the lab's init."""
        maker = "hand" if self._by_hand else "test"
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.keeper", str(folder), self.name, maker],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        answer = self._keeper.stdout.readline()
        if not answer.strip().isdigit():
            raise LabError(f"{self.name} could not be started")
        return int(answer)

    def _form(self) -> None:
        """Start all engines and make them one Swarm that has the image everywhere."""
        for node in self.nodes:
            node.spawn()
        with ThreadPoolExecutor(max_workers=len(self.nodes) + 1) as pool:
            list(pool.map(Node.wait_ready, self.nodes))
            archive = image.tarball()
            imports = [pool.submit(import_image, node, archive) for node in self.nodes]
            self._join()
            for done in imports:
                done.result()

    def _join(self) -> None:
        """Make the Swarm on the first node and let the others join it, managers first."""
        listen = f"0.0.0.0:{_MANAGEMENT_PORT}"
        first = {"AdvertiseAddr": self.manager.address, "ListenAddr": listen}
        self.manager.request("POST", "/swarm/init", first)
        tokens = self.manager.request("GET", "/swarm")["JoinTokens"]
        for node in self.nodes[1:]:
            role = "Manager" if node.index < self._managers else "Worker"
            member = {
                "RemoteAddrs": [f"{self.manager.address}:{_MANAGEMENT_PORT}"],
                "JoinToken": tokens[role],
                "AdvertiseAddr": node.address,
                "ListenAddr": listen,
            }
            node.request("POST", "/swarm/join", member)
        wait_until(self._all_ready, what="all nodes to be ready", timeout=30)

    def _weak(self, names: set[str] | None) -> list[str]:
        """Return the services that do not run at full strength, and those not there at all."""
        rows = {strength.service: strength for strength in health.strengths(self.manager)}
        missing = [] if names is None else sorted(names - rows.keys())
        asked = [row for name, row in rows.items() if names is None or name in names]
        return [f"{name} missing" for name in missing] + [str(row) for row in asked if not row.full]

    def _all_ready(self) -> bool:
        rows = self.manager.request("GET", "/nodes")
        return [row["Status"]["State"] for row in rows] == ["ready"] * self.size

    def _guard(self) -> None:
        """See to it that the lab goes when the process ends or is told to by SIGTERM."""
        atexit.register(self.close)
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.getsignal(signal.SIGTERM)
            if self._handler is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, _exit_on_signal)

    def _unguard(self) -> None:
        atexit.unregister(self.close)
        if self._handler is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    """Unwind as for Ctrl-C, so that every `with` block gets its end."""
    sys.exit(128 + number)


def import_image(node: Node, archive: bytes) -> None:
    """Give a node the lab's image."""
    repository, tag = image.IMAGE.split(":")
    with contextlib.closing(node.client()) as client:
        client.import_image_from_data(archive, repository=repository, tag=tag, changes=[image.CHANGES])
