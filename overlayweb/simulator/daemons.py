"""What each node's engine holds for itself: its containers, its own networks, its log."""

from dataclasses import dataclass, field, replace

from overlayweb.simulator.records import Network, Node, SwarmTask

LOG_LINES = 500


@dataclass(slots=True, eq=False, kw_only=True)
class Container:
    """A container of a Swarm task, there from ``starting`` until it is torn down. ``running``: not yet stopped."""

    id: str
    name: str
    swarm_task: SwarmTask
    created_at: float
    running: bool = False
    addresses: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False, kw_only=True)
class Standalone:
    """A container that no service owns. ``places``: by network id, the Swarm task that stands for it there."""

    id: str
    name: str
    image: str
    created_at: float
    places: dict[str, SwarmTask] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False, kw_only=True)
class LocalNetwork:
    """A network as one engine has it. ``network`` is the Swarm's, None for those of this engine alone.

    ``containers``: endpoints on it by container id. ``address``: that of the node itself in it.
    """

    id: str
    name: str
    driver: str
    created_at: float
    network: Network | None = None
    address: str = ""
    containers: dict[str, Container | Standalone] = field(default_factory=dict)

    @property
    def ingress(self) -> bool:
        """Whether it is an ingress, the Swarm's present one or a stale one."""
        return self.network is not None and self.network.ingress


@dataclass(slots=True, eq=False, kw_only=True)
class Work:
    """A Swarm task as the engine of its node sees it. ``phase``: preparing, ready, starting, running, stopping."""

    swarm_task: SwarmTask
    phase: str = "preparing"
    container: Container | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Daemon:
    """The engine of a node. ``up``: the process runs; ``connected``: the managers hear from it.

    ``boot`` counts its starts, the last one at ``started_at``: what an earlier one began is lost.
    ``ingress_id``: the ingress that it believes to have, "" also after it failed to let one go, which is why it never
    tries again.
    """

    node: Node
    up: bool = True
    connected: bool = True
    boot: int = 1
    started_at: float = 0.0
    ingress_id: str = ""
    networks: dict[str, LocalNetwork] = field(default_factory=dict)
    works: dict[str, Work] = field(default_factory=dict)
    standalone: dict[str, Standalone] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    @property
    def reachable(self) -> bool:
        """Whether managers and this engine can talk."""
        return self.up and self.connected

    @property
    def containers(self) -> list[Container]:
        """All containers on it, stopping ones too."""
        return [work.container for work in self.works.values() if work.container is not None]

    @property
    def held_ingress(self) -> LocalNetwork | None:
        """The ingress whose sandbox is on this node; there can be only one."""
        return next((local for local in self.networks.values() if local.ingress), None)

    def leave(self) -> None:
        """Be in no Swarm any more: what it has of its own stays."""
        self.node = replace(self.node, id="", spec={"Role": "", "Availability": ""}, leader=False, attachments={})
        self.networks = {key: local for key, local in self.networks.items() if local.network is None}
        self.ingress_id = ""

    def say(self, line: str) -> None:
        """Write a line to the engine's log."""
        self.log.append(line)
        del self.log[:-LOG_LINES]
