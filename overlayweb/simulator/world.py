"""A whole Swarm in one process: nodes, networks, services, Swarm tasks, and time that passes when it is told to.

This is the front: verbs named after the Engine API's endpoints, and verbs that break things. Behind it: ``services``
and ``networks`` (what is asked for, and refused), ``store`` (what is), then the leader's parts, which watch the store:
``allocator`` (addresses), ``orchestrator`` with ``updater`` and ``restarts`` (which Swarm tasks there are),
``scheduler`` (where); and ``agents`` with ``mesh`` (what nodes make of it).
Facts: lab measurements on engines 20.10.24, 26.1.5 and 28.5.2, and the sources of moby and swarmkit.
"""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from overlayweb.simulator import containers, membership, mesh, service_specs
from overlayweb.simulator.addresses import Pools
from overlayweb.simulator.agenda import Agenda
from overlayweb.simulator.agents import Agents
from overlayweb.simulator.allocator import Allocator
from overlayweb.simulator.daemons import Daemon
from overlayweb.simulator.documents import Documents
from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.events import Events
from overlayweb.simulator.filters import Filters
from overlayweb.simulator.images import Image
from overlayweb.simulator.join_tokens import JoinTokens
from overlayweb.simulator.kept import Kept
from overlayweb.simulator.names import Names
from overlayweb.simulator.networks import Networks
from overlayweb.simulator.nodes import Nodes
from overlayweb.simulator.orchestrator import Orchestrator
from overlayweb.simulator.peers import Peers
from overlayweb.simulator.records import Document, Node
from overlayweb.simulator.scheduler import Scheduler
from overlayweb.simulator.services import Services
from overlayweb.simulator.standalone import Boxes
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times

_ADDRESS = "192.168.60.{}"
_FIRST_ADDRESS = 11
_LOOKS_CLOSER = (1, 44)
"""From this version of the API on, an engine looks at the name and the addresses of a network before it takes it."""
_LEAST_FIRST_FIT = 27
"""From this engine on, a subnet of the default pools that was freed is the next one to be given out."""


class World:
    """A Swarm. Without nodes there is none: the first ``add_node`` makes it, or `docker swarm init` at an engine.

    Documents that verbs return are shared and kept: who gets one must not change it. ``view`` is the name of the node
    whose engine is asked, "" for the leader's. Verbs raise ApiError with the engine's status and words. Nothing reads
    the clock of the machine: time is ``advance``d, and everything random comes from ``seed``.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        engine_version: str = "28.5.2",
        api_version: str = "1.51",
        started_at: datetime,
        default_pools: tuple[str, ...] = membership.POOLS,
        subnet_size: int = membership.SUBNET_SIZE,
        data_path_port: int = membership.DATA_PATH_PORT,
        times: Times | None = None,
    ) -> None:
        self.engine_version, self.api_version = engine_version, api_version
        self.started_at = started_at
        self._times = times or Times()
        self._agenda = Agenda()
        self._names = Names(seed)
        self._events = Events(self._agenda, started_at)
        self._begin({"DefaultAddrPool": [*default_pools], "SubnetSize": subnet_size, "DataPathPort": data_path_port})

    def _begin(self, settled: Document, *, outside: Daemon | None = None) -> None:
        """Begin with an empty store, and with parts that know of no other. ``outside``: the engine in no Swarm."""
        self._swarm = settled
        self.swarm_id, self._founded_at, self._index = "", self._agenda.now, 0
        store = Store(agenda=self._agenda, names=self._names, started_at=self.started_at)
        times, major, api = self._times, *self._versions()
        self._store = store
        self._pools = Pools(
            pools=settled["DefaultAddrPool"] or membership.POOLS,
            subnet_size=settled["SubnetSize"] if settled["DefaultAddrPool"] else membership.SUBNET_SIZE,
            goes_on=major < _LEAST_FIRST_FIT,
            old=api < _LOOKS_CLOSER,
            order=lambda subnets: self._names.random.sample(subnets, len(subnets)),
        )
        self._documents = Documents(store)
        self._allocator = Allocator(store, times, self._pools)
        self._orchestrator = Orchestrator(store, times)
        self._scheduler = Scheduler(store, times)
        self._agents = Agents(store, times)
        self._nodes = Nodes(
            store, times, self._agents, self._allocator, self._orchestrator, self._events, old=api < _LOOKS_CLOSER
        )
        self._nodes.outside = outside
        for part in (self._orchestrator, self._scheduler):
            part.running = lambda: self._nodes.led
        self._agents.managers_hear = lambda: self._nodes.led
        self._agents.leader_astray_since = lambda: self._allocator.astray_since
        self._peers = Peers(store, times, self._agents, store.names)
        self._networks = Networks(store, self._documents, self._nodes, self._peers, self._events, api)
        self._services = Services(store, self._documents, self._nodes, self._networks, self._events)
        self._tokens = JoinTokens(store)
        self.boxes = Boxes(store, self._nodes, self._networks, self._allocator, self._agents)
        self.secrets, self.configs = Kept(store, noun="secret"), Kept(store, noun="config")

    def _versions(self) -> tuple[int, tuple[int, int]]:
        """The engine's major version and the version of its API."""
        major, minor = self.api_version.split(".")
        return int(self.engine_version.partition(".")[0]), (int(major), int(minor))

    # -- time

    @property
    def now(self) -> float:
        """Virtual seconds since the world began."""
        return self._agenda.now

    @property
    def next_at(self) -> float | None:
        """When the next thing happens, in virtual seconds; None when nothing is to come."""
        return self._agenda.next_at

    def advance(self, to: float) -> None:
        """Let time pass until the virtual second ``to``. Costs nothing where nothing happens."""
        self._agenda.advance(to)

    # -- who is asked

    @property
    def node_names(self) -> list[str]:
        """The host names of all nodes, in the order in which they joined, or of the engine that is in no Swarm."""
        return [daemon.node.name for daemon in self._nodes.daemons]

    def answers(self, view: str = "") -> bool:
        """Whether that engine runs; where it does not, its socket refuses."""
        return bool(self.node_names) and self._nodes.asked(view).up

    def require_manager(self, view: str = "") -> None:
        """Raise ApiError in the engine's words where it shows nothing of the Swarm: a worker, or no leader."""
        self._nodes.require_manager(view)

    def info(self, view: str = "") -> Document:
        """What GET /info says of the Swarm and of the machine."""
        daemon = self._nodes.asked(view)
        node = daemon.node
        return {
            "ID": f"{node.name}:engine",
            "Name": node.name,
            "OSType": node.os,
            "NCPU": node.nano_cpus // 1_000_000_000,
            "MemTotal": node.memory_bytes,
            "ContainersRunning": len(daemon.containers),
            "Swarm": membership.place(node, self._store.nodes.values(), self._cluster()),
        }

    # -- the Swarm

    def swarm(self, *, view: str = "") -> Document:
        """GET /swarm."""
        self._nodes.require_manager(view)
        return {**self._cluster(), "JoinTokens": self._tokens.document(self.swarm_id)}

    def update_swarm(self, version: int, *, rotate: tuple[str, ...], view: str = "") -> None:
        """POST /swarm/update, of which only the join tokens of these roles are made anew: "Worker", "Manager"."""
        self._nodes.require_manager(view)
        self._tokens.update(version, rotate=rotate)

    def _cluster(self) -> Document:
        version = {"Version": {"Index": self._tokens.version}}
        return {**self._documents.swarm(self.swarm_id, self._swarm, at=self._founded_at), **version}

    def init_swarm(self, body: Mapping[str, Any], *, view: str = "") -> str:
        """POST /swarm/init at an engine outside: the id of its node. Raises ApiError, 503 where there is a Swarm."""
        daemon = self._nodes.asked(view)
        if not self._nodes.outside:
            raise membership.already_part()
        own = daemon.node
        settled, address = membership.settled(body), membership.advertised(body, own=own.address)
        self._begin(settled, outside=daemon)
        return self.add_node(own.name, address=address)

    def leave_swarm(self, *, force: bool, view: str = "") -> None:
        """POST /swarm/leave, as far as it is simulated: by the only node there is, whose Swarm ends with that."""
        daemon = self._nodes.asked(view)
        if self._nodes.outside:
            raise ApiError(503, "This node is not part of a swarm")
        if daemon.node.manager and not force:
            membership.refuse_leaving(sum(row.manager for row in self._store.nodes.values()))
        if len(self._store.nodes) > 1:
            raise ApiError(501, "this engine simulates leaving a Swarm of one node only")
        self._agents.lose(daemon)
        daemon.leave()
        self._begin(self._swarm, outside=daemon)

    def nodes(self, filters: Filters | None = None, *, view: str = "") -> list[Document]:
        """GET /nodes."""
        self._nodes.require_manager(view)
        return [self._documents.node(node) for node in self._nodes.listed(filters)]

    def node(self, ref: str, *, view: str = "") -> Document:
        """GET /nodes/{id}: by id, name or beginning of the id."""
        daemon = self._nodes.require_manager(view)
        return self._documents.node(daemon.node if ref == "self" else self._nodes.find(ref))

    def update_node(self, ref: str, version: int, spec: Mapping[str, Any], *, view: str = "") -> None:
        """POST /nodes/{id}/update."""
        self._nodes.require_manager(view)
        self._nodes.update(ref, version, copy.deepcopy(spec))

    # -- networks

    def networks(self, view: str = "", filters: Filters | None = None) -> list[Document]:
        """GET /networks: without peers and containers."""
        return self._networks.listed(view, filters)

    def network(self, ref: str, view: str = "", scope: str = "") -> Document:
        """GET /networks/{id}: with peers and containers where that node itself holds it."""
        return self._networks.inspected(ref, view, scope)

    def address_status(self, network_id: str) -> Document | None:
        """The ``Status`` of a network of the Swarm, by its full id: how many of its addresses are in use and free."""
        space = self._pools.taken.get(network_id)
        return {"IPAM": {"Subnets": {str(row.block): row.status for row in space.subnets}}} if space else None

    def create_network(self, body: Mapping[str, Any], view: str = "") -> Document:
        """POST /networks/create: its ``Id``. It is not allocated yet."""
        return self._networks.create(copy.deepcopy(body), view)

    def remove_network(self, ref: str, view: str = "") -> None:
        """DELETE /networks/{id}."""
        self._networks.remove(ref, view)

    # -- services and Swarm tasks

    def services(self, filters: Filters | None = None, status: bool = False, *, view: str = "") -> list[Document]:  # noqa: FBT001, FBT002  # named after the query
        """GET /services."""
        self._nodes.require_manager(view)
        return self._services.listed(filters, status=status)

    def service(self, ref: str, *, view: str = "") -> Document:
        """GET /services/{id}: by id, name or beginning of the id."""
        self._nodes.require_manager(view)
        return self._documents.service(self._services.find(ref))

    def create_service(self, body: Mapping[str, Any], *, view: str = "") -> Document:
        """POST /services/create: its ``ID``."""
        self._nodes.require_manager(view)
        return {"ID": self._services.create(copy.deepcopy(body)).id}

    def update_service(
        self, ref: str, version: int, spec: Mapping[str, Any], *, rollback: str = "", view: str = ""
    ) -> Document:
        """POST /services/{id}/update. ``rollback`` "previous" puts the previous spec back."""
        self._nodes.require_manager(view)
        self._services.update(ref, version, copy.deepcopy(spec), rollback=rollback)
        return {"Warnings": None}

    def remove_service(self, ref: str, *, view: str = "") -> None:
        """DELETE /services/{id}."""
        self._nodes.require_manager(view)
        self._services.remove(ref)

    def tasks(self, filters: Filters | None = None, *, view: str = "") -> list[Document]:
        """GET /tasks."""
        self._nodes.require_manager(view)
        return self._services.tasks(filters)

    def task(self, ref: str, *, view: str = "") -> Document:
        """GET /tasks/{id}."""
        self._nodes.require_manager(view)
        return self._documents.task(self._services.task(ref))

    # -- the rest

    def events(self, after: int = 0) -> list[Document]:
        """The events numbered above ``after`` (``seq``) that are still kept."""
        return self._events.since(after)

    def containers(self, view: str = "") -> list[Document]:
        """GET /containers/json of one node."""
        return containers.rows(self._nodes.asked(view), self._store)

    # -- what only tests and the demo may do

    def add_node(
        self,
        name: str,
        *,
        role: str = "worker",
        os: str = "linux",
        address: str = "",
        availability: str = "active",
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Let a node join; returns its id. The first one is a manager and makes the Swarm with its ingress."""
        first = not self._store.nodes
        self._index += 1
        spec = {
            "Labels": dict(labels or {}),
            "Role": membership.ROLE_OF_FIRST if first else role,
            "Availability": availability,
        }
        node = Node(
            id=self._store.names.swarm_id(),
            name=name,
            address=address or _ADDRESS.format(_FIRST_ADDRESS + self._index - 1),
            spec=spec,
            os=os,
            engine_version=self.engine_version,
        )
        if first:
            self.swarm_id = self._store.names.swarm_id()
            self._networks.found()
        self._nodes.add(node)
        return node.id

    def add_engine(self, name: str, *, address: str) -> None:
        """Start an engine that is in no Swarm, while there is none."""
        node = membership.outsider(name, address=address, version=self.engine_version)
        self._nodes.outside = Daemon(node=node)
        mesh.boot(self._nodes.outside, self._names, self.now)

    def crash_node(self, name: str) -> None:
        """The machine loses power: its containers are gone, the managers notice a while later."""
        self._nodes.stop(name)

    def start_node(self, name: str) -> None:
        """The machine comes up again, with nothing stale on it."""
        self._nodes.start(name)

    def restart_daemon(self, name: str, seconds: float | None = None) -> None:
        """`systemctl restart docker` on the node; it is away for so many virtual seconds."""
        self._nodes.stop(name)
        self._agenda.after(self._times.daemon_restart if seconds is None else seconds, self._nodes.start, name)

    def cut_off_node(self, name: str) -> None:
        """The network between the node and the managers breaks; its containers run on."""
        self._nodes.cut_off(name)

    def reconnect_node(self, name: str) -> None:
        """The network is back. The node still holds what it held."""
        self._nodes.reconnect(name)

    def add_ingress(self, name: str, subnet: str, *, preferred: bool = False) -> str:
        """Put another ingress beside the one that is there, as no call of the API does; returns its id.

        It gets no addresses until the leader begins anew, who then takes the one with the lowest id: this, if
        ``preferred``. Source: swarmkit, manager/allocator/network.go.
        """
        return self._networks.add_ingress(name, subnet, preferred=preferred)

    def edit_service(self, ref: str, path: str, value: Any) -> None:
        """Change one part of a service's spec as a stranger would: ``TaskTemplate.ContainerSpec.Env``; None removes."""
        service = self._services.find(ref)
        self._services.update(service.id, service.version, service_specs.with_part(service.spec, path, value))

    def fail_allocation(self, subnet: str) -> None:
        """Have the allocator find these addresses taken, by something that no manager shows."""
        self._pools.refuse(subnet)

    def allow_allocation(self, subnet: str) -> None:
        """Take ``fail_allocation`` back; what waits is allocated when something else is freed, or minutes later."""
        self._pools.allow(subnet)

    def hold_peers(self, name: str) -> None:
        """Keep this node from being seen among the peers of any network."""
        self._peers.held.add(self._nodes.by_name(name).name)

    def release_peers(self, name: str) -> None:
        """Let it be seen again."""
        self._peers.held.discard(name)

    def set_image(
        self,
        image: str,
        *,
        missing: bool = False,
        ignores_signals: bool | None = None,
        exits_after: float | None = None,
        exit_code: int = 0,
    ) -> None:
        """Say how containers of the image behave; see ``images.Image``."""
        self._agents.images[image] = Image(
            missing=missing, ignores_signals=ignores_signals, exits_after=exits_after, exit_code=exit_code
        )

    def log(self, view: str = "") -> list[str]:
        """What that node's engine has logged since it was started; the leader's has the allocator's complaints."""
        return [*self._nodes.asked(view).log]
