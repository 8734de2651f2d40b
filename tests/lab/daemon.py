"""One node of a lab: an engine of its own in a network namespace of its own."""

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import docker

from tests.lab import cgroups, netns, processes
from tests.lab.engines import Engine
from tests.lab.namespaces import Namespaces, clean_environment, run
from tests.lab.processes import Process
from tests.support.patience import patient

_SPAWN = """
hostname "$1"; echo 0 > "$2/cgroup.procs"; log=$3; shift 3
setsid "$@" >> "$log" 2>&1 &
echo $!
"""
_PING_TIMEOUT = 5.0
_SANDBOXES = ("ingress-sbox", "gateway_ingress-sbox")


_NO_GARBAGE_COLLECTED = {"GOGC": "off", "GOMEMLIMIT": "150MiB"}
"""For Go programs: below so much memory they look for nothing to free. A container costs a fifth less time so."""


class NodeError(Exception):
    """An engine of the lab did not do what was asked of it."""


def wait_until(condition: Callable[[], bool], *, what: str, timeout: float, every: float = 0.2) -> None:
    """Wait until `condition()` is true, looking each `every` seconds: to look is dear where engines are asked.

    Raises TimeoutError, saying `what` was waited for, after what is a patient wait for `timeout` seconds.
    """
    deadline = time.monotonic() + patient(timeout)
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patient(timeout):g} s for {what}")
        time.sleep(every)


@dataclass(kw_only=True)
class Node:
    """A dockerd with its own folders, host name, address and control groups.

    `socket` is what a client takes as DOCKER_HOST; it can be reached from the whole machine. `thrifty`: it
    takes memory instead of processor time, of which an engine that runs itself again for each port takes much.
    """

    index: int
    lab: str
    folder: Path
    engine: Engine
    namespaces: Namespaces
    thrifty: bool = False
    _process: Process | None = field(default=None, repr=False)
    _starts: int = 0
    _api_version: str = ""

    @property
    def name(self) -> str:
        """The host name, as in `docker node ls`."""
        return f"node{self.index + 1}"

    @property
    def address(self) -> str:
        """The address on the network that joins the nodes."""
        return netns.address(self.index)

    @property
    def socket(self) -> str:
        """The address of the engine's API, `unix://…`."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def log(self) -> str:
        """What the engine has logged since it was last started."""
        return self._log.read_text(errors="replace")

    def spawn(self) -> None:
        """Start the engine; `wait_ready` tells when it answers.

        It becomes a child of the lab's init. Were its parent a process outside the lab that may be
        stopped or gone, the lab could not end before that one had taken notice of its end.
        """
        self._starts += 1
        self._group.mkdir(parents=True, exist_ok=True)
        (self.folder / "docker.pid").unlink(missing_ok=True)
        inner = run(
            self.namespaces.command(
                *("unshare", "--uts", "--", "sh", "-ec", _SPAWN, "sh"),
                *(self.name, str(self._group), str(self._log)),
                *self.engine.command(*self._dockerd()),
                network=self.name,
            ),
            environment=clean_environment() | (_NO_GARBAGE_COLLECTED if self.thrifty else {}),
        )
        found = [pid for pid in cgroups.pids(self._daemons) if processes.inner_id(pid) == int(inner)]
        self._process = processes.find(found[0]) if found else None

    def wait_ready(self, *, timeout: float = 30.0) -> None:
        """Wait until the engine answers. Raises NodeError with its log if it ended instead."""
        wait_until(self._answers, what=f"the engine of {self.name}", timeout=timeout, every=0.02)

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        self.spawn()
        self.wait_ready()

    def stop(self, *, timeout: float = 30.0) -> None:
        """Stop the engine in good order, which stops its containers too."""
        self.resume()
        self._signal(signal.SIGTERM)
        wait_until(lambda: not self.running, what=f"the engine of {self.name} to end", timeout=timeout, every=0.05)

    def restart(self) -> None:
        """Stop the engine in good order and start it again."""
        self.stop()
        self.start()

    def crash(self) -> None:
        """Kill the engine with all its containers at once, as when the machine loses power."""
        cgroups.kill(self._daemons)
        cgroups.kill(self._containers)

    def calm(self) -> None:
        """Let the engine, until it is started anew, take a quarter of a processor.

        One that has not got an ingress tries to start a container without a pause, and takes all there is.
        """
        cgroups.slow_down(self._daemons, processors=0.25)

    def pause(self) -> None:
        """Freeze the engine: it takes connections and answers nothing. Containers run on."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(
            lambda: processes.stopped(self.pid), what=f"the engine of {self.name} to freeze", timeout=10, every=0.05
        )

    def resume(self) -> None:
        """Let a paused engine go on."""
        self._signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        """Whether the engine was started and has not ended; a paused one runs."""
        return self._process is not None and self._process.alive

    @property
    def pid(self) -> int:
        """The process id of the dockerd, as the machine sees it."""
        if self._process is None or not self._process.alive:
            raise NodeError(f"the engine of {self.name} does not run")
        return self._process.pid

    def client(self, *, timeout: int = 60) -> docker.APIClient:
        """Return a new low-level client, to be closed; each call gives up after `timeout` seconds.

        The engine is asked for its version once: each time it starts two programs to tell it.
        """
        client = docker.APIClient(base_url=self.socket, version=self._api_version or "auto", timeout=timeout)
        self._api_version = client.api_version
        return client

    def request(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """Send one raw request and return the decoded answer; None where it is empty.

        The body goes out as it is: the client library would fill in and drop parts of a spec.
        Raises docker.errors.APIError with the engine's own words.
        """
        with contextlib.closing(self.client()) as client:
            url = f"{client.base_url}/v{client.api_version}{path}"
            answer = client.request(method, url, json=body, params=query, timeout=client.timeout)
            if not answer.ok:
                said = answer.json().get("message", "") if answer.content else ""
                missing = answer.status_code == HTTPStatus.NOT_FOUND
                kind = docker.errors.NotFound if missing else docker.errors.APIError
                raise kind(said, response=answer, explanation=said)
            return answer.json() if answer.content else None

    def cli(self, *args: str, timeout: float = 600.0) -> str:
        """Run `docker ARGS` of this engine's release against this node; return what it printed."""
        argv = self.engine.command(self.engine.docker, "--host", self.socket, *args)
        return run(self.namespaces.command("env", f"DOCKER_CONFIG={self.folder}", *argv), timeout=timeout)

    def execute(self, *argv: str, timeout: float = 60.0) -> str:
        """Run a program of the machine in this node's network namespace; return what it printed."""
        return run(self.namespaces.command(*argv, network=self.name), timeout=timeout)

    def containers(self) -> list[dict[str, Any]]:
        """Return the containers that run on this node, as `GET /containers/json` tells them."""
        return list(self.request("GET", "/containers/json"))

    def local_networks(self) -> dict[str, str]:
        """Return the networks that this node's own engine lists, as id to name.

        On a manager the list holds the Swarm's networks too, whether they are here or not.
        """
        return {network["Id"]: network["Name"] for network in self.request("GET", "/networks")}

    def containers_on(self, network_id: str) -> dict[str, str]:
        """Return the containers attached to a network on this node, as container id to name."""
        try:
            network = self.request("GET", f"/networks/{network_id}")
        except docker.errors.NotFound:
            return {}
        attached = network.get("Containers") or {}
        return {
            key: endpoint["Name"]
            for key, endpoint in attached.items()
            if key not in _SANDBOXES and not key.startswith("lb-")
        }

    def wipe(self) -> None:
        """Forget all the engine knows: it must not run."""
        assert not self.running, "a running engine can not be wiped"
        self.namespaces.shell([_unmount_below(self.folder)])
        for name in ("data", "exec"):
            shutil.rmtree(self.folder / name)

    def _answers(self) -> bool:
        if not self.running:
            raise NodeError(f"the engine of {self.name} ended:\n{self.log[-2000:]}")
        # Not through the client library: it leaves its socket open where nobody listens yet.
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(_PING_TIMEOUT)
            try:
                plain.connect(self.socket.removeprefix("unix://"))
                plain.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in plain.recv(64)
            except OSError:
                return False

    def _signal(self, number: int) -> None:
        """Send a signal to the engine if it runs."""
        if self._process is not None and self._process.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    @property
    def _log(self) -> Path:
        return self.folder / f"dockerd-{self._starts}.log"

    @property
    def _daemons(self) -> str:
        """The control group of the engine and its helpers."""
        return f"{self.lab}/engines/{self.name}"

    @property
    def _group(self) -> Path:
        return cgroups.tracking_hierarchy() / self._daemons

    @property
    def _containers(self) -> str:
        """The control group below which the engine puts its containers."""
        return f"{self.lab}/{self.name}"

    def _dockerd(self) -> list[str]:
        return [
            self.engine.dockerd,
            f"--host={self.socket}",
            f"--data-root={self.folder}/data",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/docker.pid",
            f"--config-file={self.folder}/daemon.json",
            f"--cgroup-parent=/{self._containers}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--shutdown-timeout=5",
        ]


def _unmount_below(folder: Path) -> str:
    """Return the shell command that unmounts all below `folder`, deepest first."""
    listed = f"awk -v top={folder}/ 'index($2, top) == 1 {{print $2}}' /proc/mounts"
    return f"{listed} | sort -r | xargs -r -n 1 umount -l"
