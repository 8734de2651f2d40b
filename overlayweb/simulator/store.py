"""The managers' store: every object, its version, and who is told of a change.

Swarm's parts do not call each other: each watches the store and writes to it, as in swarmkit. That is why versions
rise without anybody having asked, and why things that look like one act are several with moments in between.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from overlayweb.simulator.agenda import Agenda
from overlayweb.simulator.names import Names
from overlayweb.simulator.records import Network, Node, Record, Service, State, SwarmTask

R = TypeVar("R", bound=Record)

WATCH_SECONDS = 0.002
"""How long it takes until a part of Swarm has noticed a change."""


class Store:
    """All objects by id. ``watchers``: by type of record, called with the record and whether it is gone."""

    def __init__(self, *, agenda: Agenda, names: Names, started_at: datetime) -> None:
        self.agenda = agenda
        self.names = names
        self.started_at = started_at
        self.index = 0
        self.nodes: dict[str, Node] = {}
        self.networks: dict[str, Network] = {}
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, SwarmTask] = {}
        self.tasks_by_service: dict[str, dict[str, SwarmTask]] = {}
        self.tasks_by_node: dict[str, dict[str, SwarmTask]] = {}
        self._watchers: dict[type[Record], list[Callable[[Any, bool], None]]] = {}
        self._moments: dict[float, str] = {}

    @property
    def now(self) -> float:
        """The virtual second."""
        return self.agenda.now

    def watch(self, kind: type[R], tell: Callable[[R, bool], None]) -> None:
        """Have ``tell(record, gone)`` called a moment after each change of such a record."""
        self._watchers.setdefault(kind, []).append(tell)

    def add(self, record: Record) -> None:
        """Take in a new object."""
        self._table(record)[record.id] = record
        record.created_at = self.now
        if isinstance(record, SwarmTask):
            record.state_at = self.now
            self.tasks_by_service.setdefault(record.service_id, {})[record.id] = record
        self.write(record)

    def write(self, record: Record) -> None:
        """Note that the object was changed: a new version, and all watchers are told."""
        self.index += 1
        record.version = self.index
        record.updated_at = self.now
        record.document = None
        self._tell(record, gone=False)

    def remove(self, record: Record) -> None:
        """Take the object out."""
        self.index += 1
        self._table(record).pop(record.id, None)
        if isinstance(record, SwarmTask):
            self.tasks_by_service.get(record.service_id, {}).pop(record.id, None)
            self.tasks_by_node.get(record.node_id, {}).pop(record.id, None)
        self._tell(record, gone=True)

    def place(self, swarm_task: SwarmTask, node_id: str) -> None:
        """Note which node the Swarm task is for."""
        swarm_task.node_id = node_id
        self.tasks_by_node.setdefault(node_id, {})[swarm_task.id] = swarm_task

    def set_state(self, swarm_task: SwarmTask, state: State, *, message: str = "", error: str = "") -> None:
        """Move a Swarm task on to a state and write it."""
        swarm_task.state, swarm_task.state_at = state, self.now
        swarm_task.message, swarm_task.error = message or state.value, error
        self.write(swarm_task)

    def moment(self, at: float) -> str:
        """A virtual second as RFC 3339 text with nine decimals, as engines write it."""
        text = self._moments.get(at)
        if text is None:
            moment = self.started_at + timedelta(seconds=at)
            text = self._moments[at] = f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z"
        return text

    def ingress(self) -> Network | None:
        """The ingress that the Swarm has, allocated or not; of several the one that a new leader takes."""
        found = (network for network in self.networks.values() if network.ingress)
        return min(found, key=lambda network: network.id, default=None)

    def _table(self, record: Record) -> dict[str, Any]:
        tables: dict[type[Record], dict[str, Any]] = {
            Node: self.nodes,
            Network: self.networks,
            Service: self.services,
            SwarmTask: self.tasks,
        }
        return tables[type(record)]

    def _tell(self, record: Record, *, gone: bool) -> None:
        for tell in self._watchers.get(type(record), ()):
            self.agenda.after(WATCH_SECONDS, tell, record, gone)
