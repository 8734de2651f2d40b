"""The manager of a Swarm, as workflows ask for it: typed calls in, frozen records out."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from overlayweb.domain import capacity
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.news import Names, Part
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.specs import Spec, publishes_through_ingress
from overlayweb.domain.swarm import Network, Node, NodeView, Service, Swarm, SwarmTask
from overlayweb.engine import containers, networks, ourselves, parts, reading
from overlayweb.engine.calls import Calls
from overlayweb.engine.endpoints import InvalidEndpoint
from overlayweb.engine.errors import EngineError, EngineUnreachable, NotFound, Refused, VersionConflict
from overlayweb.engine.membership import Members
from overlayweb.engine.parts import Happenings

INSPECTED_AT_MOST = 50
"""So many overlays are inspected at each look, those that fill first: the engine tells one at a time."""

LABEL_TRIES = 5
_LABEL_PAUSE_SECONDS = 0.1


class DockerEngine:
    """One manager. Cheap to make, for one thread at a time, closed after use; ``with`` does that.

    Every call may raise EngineError. Made by ``connection.connect``.
    """

    def __init__(
        self,
        *,
        calls: Calls,
        engine_version: str,
        api_version: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._calls = calls
        self._engine_version = engine_version
        self._api_version = api_version
        self._now = now
        self._connect_node: Callable[[str], DockerEngine] | None = None
        self._connect_registered: Callable[[int], DockerEngine] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def calls(self) -> Calls:
        """The calls themselves, for what other modules of this package ask the same engine."""
        return self._calls

    def close(self) -> None:
        """End the connections to the engine."""
        self._calls.close()

    def observe(self) -> Swarm:
        """Everything at once: swarm, nodes, networks with the ingress's peers, services, tasks, standalone containers.

        ``observed_at`` is when reading began. The parts are read one after the other: a task may name a service
        that came or went in between. Raises NotAManager where it applies.
        """
        observed_at, before = self._now(), self._calls.count
        cluster = self._calls.get("swarm", as_=reading.cluster, doing="read the Swarm")
        manager_id = self._calls.get("info", as_=reading.own_node_id, doing="read the manager's own node")
        nodes = self.nodes()
        networks = tuple(self._with_peers(row) for row in self.networks())
        services, swarm_tasks = self.services(), self.swarm_tasks()
        own = ourselves.service_ids(services=services, swarm_tasks=swarm_tasks, containers=ourselves.container_ids())
        found = Swarm(
            id=cluster.id,
            observed_at=observed_at,
            engine_version=self._engine_version,
            api_version=self._api_version,
            default_addr_pools=cluster.default_addr_pools,
            subnet_size=cluster.subnet_size,
            data_path_port=cluster.data_path_port,
            nodes=nodes,
            networks=networks,
            services=services,
            swarm_tasks=swarm_tasks,
            own_service_ids=own,
            latency_seconds=self._calls.latency_since(before),
            underlay_mtu=reading.engine_mtu(networks),
            manager_id=manager_id,
            attachments=self.attachments(),
            containers=containers.standalone(self._calls),
        )
        return replace(found, networks=self._inspected(found))

    def read_again(self, names: Names) -> Part:
        """Only what is named: nodes, networks with the ingress's peers, services with their tasks."""
        services = parts.services(self._calls, names.services)
        return Part(
            names=names,
            nodes=parts.nodes(self._calls, names.nodes),
            networks=tuple(self._with_peers(row) for row in parts.networks(self._calls, names.networks)),
            services=services,
            swarm_tasks=parts.swarm_tasks(self._calls, (row.id for row in services)),
        )

    def happenings(self) -> Happenings:
        """The events from now on. It takes the connection over: nothing else can be asked of this engine then."""
        return Happenings(self._calls)

    def own_view(self, hostname: str) -> NodeView:
        """What this engine itself shows, whatever its role; ``hostname`` is only passed on."""
        observed_at = self._now()
        node_id = self._calls.get("info", as_=reading.own_node_id, doing="read the engine's own node")
        held = self.networks()
        return NodeView(
            node_id=node_id,
            hostname=hostname,
            observed_at=observed_at,
            ingress_ids=tuple(network.id for network in held if network.ingress),
            local_networks=tuple(network for network in held if network.scope == "local"),
            containers=containers.standalone(self._calls),
        )

    def reach_nodes(self, connect: Callable[[str], "DockerEngine"]) -> None:
        """Say how the engine of another node is reached, by its hostname."""
        self._connect_node = connect

    def of_node(self, hostname: str) -> "DockerEngine":
        """The engine of another node of this Swarm, to be closed after use. Raises EngineError."""
        if self._connect_node is None:
            raise InvalidEndpoint(f"The engine of {hostname} is not registered.")
        return self._connect_node(hostname)

    def reach_registered(self, connect: Callable[[int], "DockerEngine"]) -> None:
        """Say how the engine is reached by which a cluster is registered, by the number of the cluster."""
        self._connect_registered = connect

    def member(self, cluster_id: int) -> Members:
        """That engine and its part in a Swarm, whatever that is; to be closed after use. Raises EngineError."""
        if self._connect_registered is None:
            raise InvalidEndpoint(f"The engine of cluster {cluster_id} is not registered.")
        return Members(self._connect_registered(cluster_id).calls)

    def connect_container(self, *, network_id: str, container_id: str) -> None:
        """See :func:`overlayweb.engine.containers.connect`."""
        containers.connect(self._calls, network_id=network_id, container_id=container_id)

    def disconnect_container(self, *, network_id: str, container_id: str) -> None:
        """See :func:`overlayweb.engine.containers.disconnect`."""
        containers.disconnect(self._calls, network_id=network_id, container_id=container_id)

    def nodes(self) -> tuple[Node, ...]:
        """All nodes."""
        return self._calls.rows("nodes", as_=reading.node, doing="read the nodes")

    def networks(self) -> tuple[Network, ...]:
        """All networks of the list, swarm and local scope, without peers. Unallocated overlays show no driver."""
        return self._calls.rows("networks", as_=reading.network, doing="read the networks")

    def network(self, network_id: str) -> Network | None:
        """One network inspected by its full id, with peers; None when this manager has released it (404).

        On API 1.52 and later an overlay that is not allocated is a 404 too: look for that in ``networks``.
        """
        try:
            found = self._calls.get("networks", network_id, as_=reading.network, doing="inspect the network")
        except NotFound:
            return None
        return found if found.id == network_id else None  # the engine also takes names and beginnings of ids

    def services(self) -> tuple[Service, ...]:
        """All services."""
        return self._calls.rows("services", as_=reading.service, doing="read the services", status="true")

    def service(self, service_id: str) -> Service | None:
        """One service, or None when it is gone."""
        # By the list and not by inspecting: only the list says how many tasks a global service has.
        found = self._calls.rows(
            "services",
            as_=reading.service,
            doing="read the service",
            status="true",
            filters=json.dumps({"id": [service_id]}),
        )
        return next((row for row in found if row.id == service_id), None)

    def swarm_tasks(self) -> tuple[SwarmTask, ...]:
        """All tasks of services, terminal ones too; see :func:`overlayweb.engine.parts.on_nodes_there`."""
        found = self._calls.rows("tasks", as_=reading.swarm_task, doing="read the tasks")
        return parts.on_nodes_there(self._calls, found)

    def swarm_tasks_to_run(self) -> tuple[SwarmTask, ...]:
        """Those that are meant to run. Swarm keeps five former ones for each, and reading them all costs a manager."""
        wanted = json.dumps({"desired-state": ["running"]})
        return self._calls.rows("tasks", as_=reading.swarm_task, doing="read the tasks", filters=wanted)

    def update_service(self, *, service_id: str, version: int, spec: Spec) -> None:
        """Replace the spec by exactly this one. Keeps the registry credentials that the Swarm has stored.

        Raises VersionConflict when ``version`` is not the current one, NotFound when the service is gone.
        """
        self._calls.post(
            "services",
            service_id,
            "update",
            body=spec.text,
            doing="update the service",
            version=str(version),
            registryAuthFrom="spec",
        )

    def remove_network(self, network_id: str) -> None:
        """Remove by full id. Raises NotFound when it is gone, Refused, naming the services, while specs use it."""
        try:
            self._calls.delete("networks", network_id, doing="remove the network")
        except Refused as error:
            users = self._users_of(network_id)
            if not users:
                raise
            raise Refused(f"The network is still used by {', '.join(users)}: take it off there first.") from error

    def create_ingress(self, *, settings: IngressSettings, labels: dict[str, str]) -> str:
        """Create the ingress network with ``settings`` and the extra ``labels``; returns its full id.

        Only registered, not allocated yet, when this returns: poll ``networks`` for its driver. After an
        EngineUnreachable or EngineFault it may exist: look for its labels. Raises AlreadyExists for a second one
        or while this node still holds the old one of that name.
        """
        # Not followed by an inspection, as the client library does: API 1.52 answers 404 to that.
        body = json.dumps(ingress_body(settings=settings, labels=labels))
        made = self._calls.post("networks", "create", body=body, doing=f"create the ingress network {settings.name}")
        if not isinstance(made, dict) or not made.get("Id"):
            raise EngineUnreachable(f"{self._calls.endpoint} created a network but does not say which. Look it up.")
        return str(made["Id"])

    def create_network(self, *, settings: NetworkSettings, labels: dict[str, str]) -> str:
        """See :func:`overlayweb.engine.networks.create`."""
        return networks.create(self._calls, settings=settings, labels=labels)

    def attachments(self) -> tuple[SwarmTask, ...]:
        """See :func:`overlayweb.engine.networks.attachments`."""
        return networks.attachments(self._calls)

    def label_node(self, *, node_id: str, key: str, value: str | None) -> None:
        """Set a node label, or take it off with None. The rest of the node's spec stays as it is.

        Setting the value that is there writes all the same, since a write is what nudges the node. A version
        conflict is read again and retried; LABEL_TRIES in a row raise VersionConflict.
        """
        for attempt in range(1, LABEL_TRIES + 1):
            try:
                self._label_node_once(node_id=node_id, key=key, value=value)
            except VersionConflict:
                if attempt == LABEL_TRIES:
                    raise
                time.sleep(_LABEL_PAUSE_SECONDS * attempt)
            else:
                return

    def _label_node_once(self, *, node_id: str, key: str, value: str | None) -> None:
        version, spec = self._calls.get("nodes", node_id, as_=reading.version_and_spec, doing="read the node")
        before = spec.get("Labels") or {}
        if value is None and key not in before:
            return
        others = {name: text for name, text in before.items() if name != key}
        labels = others if value is None else {**others, key: value}
        body = json.dumps({**spec, "Labels": labels})
        self._calls.post("nodes", node_id, "update", body=body, doing="label the node", version=str(version))

    def _with_peers(self, listed: Network) -> Network:
        """The ingress as listed, with the peers that inspecting it shows, and whether the Swarm still has it."""
        if not listed.ingress or listed.scope != "swarm":
            return listed
        inspected = self.network(listed.id)
        peers = inspected.peers if inspected else ()
        return replace(listed, peers=peers, registered=not listed.allocated or self.is_registered(listed.id))

    def _inspected(self, swarm: Swarm) -> tuple[Network, ...]:
        """Its networks, those that fill first with what the list leaves out.

        That is the peers, where this manager's node is on the network itself, and from API 1.52 on the engine's own
        count of addresses (moby, API history).
        """
        fullest = [row.network.id for row in capacity.fillings(swarm=swarm)[:INSPECTED_AT_MOST]]
        inspected = {network_id: self.network(network_id) for network_id in fullest}
        told = {network_id: found for network_id, found in inspected.items() if found}
        return tuple(
            replace(row, figures=told[row.id].figures, peers=told[row.id].peers) if row.id in told else row
            for row in swarm.networks
        )

    def is_registered(self, network_id: str) -> bool:
        """Whether the Swarm has the overlay, and not only the node of this manager.

        The list does not tell: an ingress that this node could not let go stays in it for ever. Asked for scope
        "global", which no overlay has on a node, the engine answers from the Swarm's store alone. An overlay that is
        not allocated may be a 404 here (API 1.52): only ask for those that are. [lab: engines 20.10, 26.1, 28.5]
        """
        try:
            self._calls.get("networks", network_id, as_=reading.network, doing="look the network up", scope="global")
        except NotFound:
            return False
        return True

    def _users_of(self, network_id: str) -> tuple[str, ...]:
        """Names of the services whose spec keeps the network, or () where that can not be read now."""
        try:
            network, services = self.network(network_id), self.services()
        except EngineError:
            return ()
        through_ingress = network is not None and network.ingress
        return tuple(
            sorted(
                row.name
                for row in services
                if network_id in row.network_ids or (through_ingress and publishes_through_ingress(row.spec))
            )
        )


def ingress_body(*, settings: IngressSettings, labels: dict[str, str]) -> dict[str, Any]:
    """The request that creates an ingress network. What is not set is left to Swarm."""
    addresses = {"Subnet": settings.subnet, "Gateway": settings.gateway, "IPRange": settings.ip_range}
    config = {key: text for key, text in addresses.items() if text}
    return {
        "Name": settings.name,
        "CheckDuplicate": True,  # engines before API 1.44 look for the name only when asked to
        "Driver": "overlay",
        "Scope": "swarm",
        "Ingress": True,
        "Attachable": False,
        "Internal": False,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [config] if config else []},
        "Options": {} if settings.mtu is None else {reading.MTU_OPTION: str(settings.mtu)},
        "Labels": {**dict(settings.labels), **labels},
    }
