"""What a Swarm is made of, as its managers store it. Times are virtual seconds; specs are the JSON that was sent."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = dict[str, Any]


class State(StrEnum):
    """States of a Swarm task, in their order. Source: swarmkit, api/types.proto."""

    NEW = "new"
    PENDING = "pending"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    PREPARING = "preparing"
    READY = "ready"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETE = "complete"
    SHUTDOWN = "shutdown"
    FAILED = "failed"
    REJECTED = "rejected"
    REMOVE = "remove"
    ORPHANED = "orphaned"

    @property
    def rank(self) -> int:
        """Its place in the order: a Swarm task only goes up."""
        return _RANKS[self]

    @property
    def ended(self) -> bool:
        """Whether the Swarm task has come to an end, good or bad."""
        return _RANKS[self] > _RANKS[State.RUNNING]


_RANKS = {state: rank for rank, state in enumerate(State)}


@dataclass(slots=True, eq=False, kw_only=True)
class Record:
    """One object of the store. ``document`` is its JSON as last built, None after a change."""

    id: str
    version: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0
    document: Document | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Attachment:
    """A Swarm task's or node's place in a network. ``address`` is "" until it is allocated."""

    network: "Network"
    address: str = ""


@dataclass(slots=True, eq=False, kw_only=True)
class Node(Record):
    """A node. ``state``: ready, down, unknown. ``attachments``: by network id, its own place in each overlay."""

    name: str
    address: str
    spec: Document
    os: str = "linux"
    engine_version: str = ""
    nano_cpus: int = 4_000_000_000
    memory_bytes: int = 8 * 1024**3
    state: str = "ready"
    message: str = ""
    leader: bool = False
    attachments: dict[str, Attachment] = field(default_factory=dict)

    @property
    def manager(self) -> bool:
        """Whether it is one of the managers."""
        return bool(self.spec["Role"] == "manager")

    @property
    def availability(self) -> str:
        """active, pause or drain."""
        return str(self.spec["Availability"])


@dataclass(slots=True, eq=False, kw_only=True)
class Network(Record):
    """A network of the Swarm. ``ipam``, ``options`` and ``driver`` are empty until it is allocated."""

    name: str
    spec: Document
    ingress: bool = False
    driver: str = ""
    ipam: list[Document] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def allocated(self) -> bool:
        """Whether Swarm has given it its addresses."""
        return bool(self.driver)


@dataclass(slots=True, eq=False, kw_only=True)
class Service(Record):
    """A service. ``endpoint_spec`` is the part of the spec that its endpoint was made from, None until then."""

    spec: Document
    spec_version: int = 0
    previous_spec: Document | None = None
    previous_spec_version: int = 0
    update_status: Document | None = None
    allocated: bool = False
    endpoint_spec: Document = field(default_factory=dict)
    ports: list[Document] = field(default_factory=list)
    vips: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, which never changes."""
        return str(self.spec["Name"])

    @property
    def template(self) -> Document:
        """What its Swarm tasks are made from."""
        template: Document = self.spec["TaskTemplate"]
        return template


@dataclass(slots=True, eq=False, kw_only=True)
class SwarmTask(Record):
    """A Swarm task. ``endpoint_spec`` is None until it is allocated; ``slot`` is 0 for global services."""

    service_id: str
    spec: Document
    spec_version: int
    desired: State
    slot: int = 0
    node_id: str = ""
    is_global: bool = False
    endpoint_spec: Document | None = None
    attachments: list[Attachment] = field(default_factory=list)
    state: State = State.NEW
    state_at: float = 0.0
    message: str = "created"
    error: str = ""
    container_id: str = ""
    pid: int = 0
    exit_code: int | None = None
    host_ports: list[Document] = field(default_factory=list)

    @property
    def wanted(self) -> bool:
        """Whether Swarm still wants it to run."""
        return not self.desired.ended

    @property
    def to_place(self) -> bool:
        """Whether Swarm still gives it addresses and a node: also where it is only to be shut down there."""
        return self.desired.rank <= State.SHUTDOWN.rank

    def on(self, network_id: str) -> bool:
        """Whether it has a place in the network."""
        return any(attachment.network.id == network_id for attachment in self.attachments)
