"""What a workflow needs of an engine. The task that runs a workflow hands it one."""

from datetime import datetime
from typing import Protocol

from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.readiness import EngineView
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Network, Node, NodeView, Service, Swarm, SwarmTask


class NodeEngine(Protocol):
    """The engine of one node, whatever its role. Every call may raise ``EngineError``."""

    def own_view(self, hostname: str) -> NodeView:
        """What it shows itself: which node it is, the ingress that it holds, its containers outside services."""

    def connect_container(self, *, network_id: str, container_id: str) -> None:
        """Connect a container to a network. Raises Refused, NotFound."""

    def disconnect_container(self, *, network_id: str, container_id: str) -> None:
        """Disconnect a container from a network. Raises Refused, NotFound."""

    def close(self) -> None:
        """Let go of the connection."""


class Member(Protocol):
    """A registered engine and its part in a Swarm, whatever that is. Every call may raise ``EngineError``.

    Its calls have a longer limit than others: one that joins answers only when it has its certificate.
    """

    def view(self, hostname: str = "") -> EngineView:
        """What it tells of itself. ``hostname`` "": as it calls itself."""

    def clock(self) -> datetime:
        """What time it is by its own clock."""

    def founded_at(self) -> datetime:
        """When its Swarm was made. Raises NotAManager where it is none."""

    def token(self, role: str) -> str:
        """The token by which a "worker" or "manager" joins its Swarm. It must not be written down anywhere."""

    def initialise(self, request: InitRequest) -> str:
        """Make a Swarm of it; returns the id of its node."""

    def join(self, request: JoinRequest, *, token: str) -> None:
        """Let it join a Swarm."""

    def close(self) -> None:
        """Let go of the connection."""


class SwarmEngine(NodeEngine, Protocol):
    """A manager of a Swarm: a closed list of typed calls, each with a time limit.

    Every call may raise ``EngineError`` (overlayweb.engine.errors): ``permanent`` False means that trying again
    later may help.
    """

    def observe(self) -> Swarm:
        """Everything at once: swarm, nodes, networks, services, tasks. Raises NotAManager where it applies."""

    def nodes(self) -> tuple[Node, ...]:
        """All nodes of the Swarm."""

    def networks(self) -> tuple[Network, ...]:
        """All networks of the list, swarm and local scope. Unallocated overlays show no driver here."""

    def network(self, network_id: str) -> Network | None:
        """One network inspected by its full id, with peers; None when this manager has released it (404)."""

    def is_registered(self, network_id: str) -> bool:
        """Whether the Swarm itself has an allocated overlay, and not only the node of this manager."""

    def services(self) -> tuple[Service, ...]:
        """All services, specs whole."""

    def service(self, service_id: str) -> Service | None:
        """One service, or None when it is gone."""

    def swarm_tasks(self) -> tuple[SwarmTask, ...]:
        """All tasks, terminal ones too. Never filtered by service: a filter on a deleted service is a 404."""

    def swarm_tasks_to_run(self) -> tuple[SwarmTask, ...]:
        """Those that are meant to run, without the former ones that Swarm keeps."""

    def update_service(self, *, service_id: str, version: int, spec: Spec) -> None:
        """Replace the spec. Keeps the stored registry credentials.

        Raises VersionConflict when ``version`` is not the current one, NotFound when the service is gone.
        """

    def remove_network(self, network_id: str) -> None:
        """Remove by full id. Raises NotFound when it is gone, Refused while a spec still uses it."""

    def create_ingress(self, *, settings: IngressSettings, labels: dict[str, str]) -> str:
        """Create the ingress network with ``settings`` and the extra ``labels``; returns its full id.

        Raises AlreadyExists (409) for a second one or while this node still holds the old one of that name.
        """

    def create_network(self, *, settings: NetworkSettings, labels: dict[str, str]) -> str:
        """Create an overlay with ``settings`` and the extra ``labels``; returns its full id. Not allocated yet.

        Raises AlreadyExists (409) while this node knows another one of that name.
        """

    def attachments(self) -> tuple[SwarmTask, ...]:
        """The Swarm tasks that stand for containers outside services, which ``swarm_tasks`` leaves out."""

    def of_node(self, hostname: str) -> NodeEngine:
        """The engine of another node, to be closed after use. Raises EngineError where it is not registered."""

    def member(self, cluster_id: int) -> Member:
        """The engine by which that cluster is registered, to be closed after use. Raises EngineError."""

    def label_node(self, *, node_id: str, key: str, value: str | None) -> None:
        """Set a node label, or take it off with None; version conflicts are read again and retried."""
