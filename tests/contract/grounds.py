"""The Swarms that the suite runs on: a simulated one, and a real one of three engines on this machine."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from tests.contract import http
from tests.contract.engines import Facts
from tests.contract.http import Answer
from tests.lab import Lab, health, image
from tests.support.patience import patient
from tests.support.simulator import Simulated

Document = dict[str, Any]

NODES = ("node1", "node2", "node3")
"""The names of the nodes; the first is the manager."""


class Use(Enum):
    """How a test uses a Swarm: it looks and clears up what it makes, it makes services, or it has it for itself."""

    LOOKS = auto()
    SERVICES = auto()
    DEEDS = auto()


class Ground(ABC):
    """A Swarm of three nodes. Times are given in its own seconds, which a simulated Swarm lets pass faster.

    ``after``: what was done on it since it was made.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.after: Use | None = None

    @property
    @abstractmethod
    def addresses(self) -> dict[str, str]:
        """The nodes' addresses by name."""

    @abstractmethod
    def url(self, node: str) -> str:
        """Where a node's engine is reached, ``unix://…``."""

    def prepare(self, use: Use) -> None:
        """Make it fit for what comes: a new one after deeds, and before deeds after anything; no service of before."""
        if self.after is Use.DEEDS or (use is Use.DEEDS and self.after):
            self.reset()
        elif self.after is Use.SERVICES:
            self.clear()
        self.after = use

    def reset(self) -> None:
        """Give back an empty Swarm whose fresh ingress is on every node."""
        self.renew()
        self.after = None
        self.until(lambda: all(map(self._has_ingress, NODES)), "the ingress to be on every node")

    def clear(self) -> None:
        """Remove all services and wait until none of their Swarm tasks is listed."""
        for row in self.get("/services"):
            self.do("DELETE", f"/services/{row['ID']}")
        self.until(lambda: not self.get("/tasks"), "all Swarm tasks to go", seconds=60)

    @abstractmethod
    def renew(self) -> None:
        """Throw the Swarm away and make a new one."""

    @abstractmethod
    def dissolve(self) -> None:
        """Leave the first node's engine in no Swarm; the others do not matter any more."""

    @abstractmethod
    def restart(self, node: str) -> None:
        """Restart a node's engine and return when it answers again."""

    @abstractmethod
    def crash(self, node: str) -> None:
        """End a node's engine and containers at once."""

    @abstractmethod
    def start(self, node: str) -> None:
        """Start a node's engine after a crash and return when it answers."""

    @abstractmethod
    def run(self, node: str, name: str) -> str:
        """Run a container of no service on the node; returns its id."""

    @abstractmethod
    def remove(self, node: str, container_id: str) -> None:
        """Take it away by force."""

    @abstractmethod
    def wall(self, seconds: float) -> float:
        """How many seconds of the wall so many of the Swarm take."""

    @abstractmethod
    def holding(self, network_id: str) -> set[str]:
        """The nodes whose engine has a network that it could not let go."""

    def ask(
        self, method: str, path: str, body: object = None, *, node: str = NODES[0], api: str = "", **query: Any
    ) -> Answer:
        """Send a request to a node's engine, by its own API version or by another, "none" for none."""
        prefix = "" if api == "none" else f"/v{api or self.facts.api}"
        words = f"?{urlencode(query)}" if query else ""
        return http.ask(self.url(node), method, f"{prefix}{path}{words}", body)

    def get(self, path: str, *, node: str = NODES[0], **query: Any) -> Any:
        """What a GET is answered with. AssertionError if it is refused."""
        answer = self.ask("GET", path, node=node, **query)
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.words}"
        return answer.content

    def do(self, method: str, path: str, body: object = None, **query: Any) -> Any:
        """What an order is answered with. AssertionError if it is refused."""
        answer = self.ask(method, path, body, **query)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.words}"
        return answer.content

    def until(self, condition: Callable[[], object], what: str, *, seconds: float = 30.0) -> None:
        """Wait until something is true. AssertionError, saying ``what`` was waited for, after so many seconds."""
        deadline = time.monotonic() + patient(max(self.wall(seconds), 3.0))
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
            time.sleep(self.wall(0.2))

    def let_pass(self, seconds: float) -> None:
        """Wait, for things that must not happen."""
        time.sleep(self.wall(seconds))

    def filtered(self, path: str, **filters: str) -> Any:
        """A list, filtered: a name's underscores stand for what the engine writes as a hyphen."""
        rows = {name.replace("_", "-"): [value] for name, value in filters.items()}
        return self.get(path, filters=json.dumps(rows, separators=(",", ":")))

    def _has_ingress(self, node: str) -> bool:
        rows = {row["Name"]: row for row in self.get("/networks", node=node)}
        return {"ingress", "docker_gwbridge"} <= rows.keys()


class LabGround(Ground):
    """Three real engines."""

    def __init__(self, lab: Lab, facts: Facts) -> None:
        super().__init__(facts)
        self._lab = lab

    @property
    def addresses(self) -> dict[str, str]:
        """The nodes' addresses by name."""
        return {node.name: node.address for node in self._lab.nodes}

    def url(self, node: str) -> str:
        """The engine's socket."""
        return str(self._node(node).socket)

    def renew(self) -> None:
        """Form a new one of the same engines."""
        self._lab.reset()

    def dissolve(self) -> None:
        """Have it leave by force."""
        self._lab.manager.cli("swarm", "leave", "--force")

    def restart(self, node: str) -> None:
        """Restart dockerd."""
        self._node(node).restart()

    def crash(self, node: str) -> None:
        """Kill dockerd and its containers."""
        self._node(node).crash()

    def start(self, node: str) -> None:
        """Start dockerd."""
        self._node(node).start()

    def run(self, node: str, name: str) -> str:
        """`docker run`."""
        return str(self._node(node).cli("run", "--detach", "--init", f"--name={name}", image.IMAGE)).strip()

    def remove(self, node: str, container_id: str) -> None:
        """`docker rm`."""
        self._node(node).cli("rm", "--force", container_id)

    def wall(self, seconds: float) -> float:
        """Real seconds."""
        return seconds

    def holding(self, network_id: str) -> set[str]:
        """By the engines' logs and lists of networks."""
        return {name for name, ids in health.stale_ingress(self._lab.nodes).items() if network_id in ids}

    def _node(self, name: str) -> Any:
        return next(node for node in self._lab.nodes if node.name == name)


class SimulatedGround(Ground):
    """A simulated Swarm that runs ``speed`` times as fast as the wall's clock."""

    def __init__(self, simulated: Simulated, facts: Facts, *, speed: float) -> None:
        super().__init__(facts)
        self.simulated = simulated
        self._speed = speed

    @property
    def addresses(self) -> dict[str, str]:
        """The nodes' addresses by name."""
        rows = self.get("/nodes")
        return {row["Description"]["Hostname"]: row["Status"]["Addr"] for row in rows}

    def url(self, node: str) -> str:
        """The node's own socket, beside the main one."""
        return f"unix://{self.simulated.path}.d/{node}.sock"

    def renew(self) -> None:
        """A new world."""
        self.simulated.control("reset", nodes=len(NODES))

    def dissolve(self) -> None:
        """A new world with one engine."""
        self.simulated.control("reset", nodes=0)

    def restart(self, node: str) -> None:
        """Restart the node's engine."""
        self.simulated.control("restart_daemon", name=node)
        self.until(lambda: self._answers(node), f"{node} to answer")

    def crash(self, node: str) -> None:
        """End the node's engine and containers."""
        self.simulated.control("crash_node", name=node)

    def start(self, node: str) -> None:
        """Start the node's engine."""
        self.simulated.control("start_node", name=node)
        self.until(lambda: self._answers(node), f"{node} to answer")

    def run(self, node: str, name: str) -> str:
        """By the control surface."""
        return str(self.simulated.control("run_container", node=node, name=name))

    def remove(self, node: str, container_id: str) -> None:
        """By the control surface."""
        self.simulated.control("remove_container", node=node, ref=container_id)

    def wall(self, seconds: float) -> float:
        """Less than real seconds."""
        return seconds / self._speed

    def holding(self, network_id: str) -> set[str]:
        """By the node's log and list of networks, as for real ones."""
        return {name for name in NODES if self._holds(name, network_id)}

    def _holds(self, node: str, network_id: str) -> bool:
        said = any(f"Failed to delete ingress network {network_id}" in line for line in self._log(node))
        return said and network_id in {row["Id"] for row in self.get("/networks", node=node)}

    def _log(self, node: str) -> list[str]:
        return list(self.simulated.control("log", view=node))

    def _answers(self, node: str) -> bool:
        try:
            return self.ask("GET", "/_ping", node=node).status == 200
        except OSError:
            return False
