"""The leader's allocator: it gives networks, services, Swarm tasks and nodes their addresses, and has the traps.

It knows the ingress only if that was allocated at the first try (``ingress``); a late one serves nobody. It gives
nodes their place in a network only when a node or one of its Swarm tasks changes, not when a network is made. It
gives a Swarm task's addresses back only if all its networks are still there. A new leader begins with a clean view.

Source: swarmkit, manager/allocator/network.go, and three-node labs.
"""

import itertools
from collections.abc import Collection

from overlayweb.simulator import published
from overlayweb.simulator.addresses import NoAddressError, Pools
from overlayweb.simulator.daemons import Daemon
from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.records import Attachment, Document, Network, Node, Service, State, SwarmTask
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times

_FIRST_VXLAN = 4096
_ALWAYS_ASTRAY = 28
"""From this engine on (asked of 28.5; 20.10 is another) a leader that lost track stays so, though it holds nothing."""


class Allocator:
    """Watches the store. ``leader`` is the daemon in whose log its complaints land."""

    def __init__(self, store: Store, times: Times, pools: Pools) -> None:
        self._store = store
        self._times = times
        self.pools = pools
        self.ingress: Network | None = None
        self.leader: Daemon | None = None
        self._astray_since: float | None = None
        self._late_networks: dict[str, Network] = {}
        self._late_services: dict[str, Service] = {}
        self._waiting: dict[str, SwarmTask] = {}
        self._holding: set[str] = set()
        self._last_retry = 0.0
        self._retry_planned = False
        self._vxlans = itertools.count(_FIRST_VXLAN)
        store.watch(Network, self._network_changed)
        store.watch(Service, self._service_changed)
        store.watch(Node, self._node_changed)
        store.watch(SwarmTask, self._task_changed)

    @property
    def running(self) -> bool:
        """Whether there is a leader at all."""
        return self.leader is not None and self.leader.up

    @property
    def astray_since(self) -> float | None:
        """Since when containers on the ingress of a node that is started do not get ready, None while they do.

        That is so where an ingress was removed with Swarm tasks of ready nodes on it: the leader has lost track of
        them, until it is started anew. Older engines make up for it if its own node holds no stale ingress.
        """
        leader = self.leader
        if leader is None or self._astray_since is None:
            return None
        held = leader.held_ingress
        wedged = held is not None and held.network is not self.ingress
        major = int(leader.node.engine_version.partition(".")[0])
        return self._astray_since if wedged or major >= _ALWAYS_ASTRAY else None

    # -- networks

    def _network_changed(self, network: Network, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if not self.running:
            return
        if gone:
            self._forget_network(network)
        elif not network.allocated:
            self._store.agenda.after(self._times.allocate, self._first_try, network)

    def _first_try(self, network: Network) -> None:
        if network.allocated or network.id not in self._store.networks or not self.running:
            return
        if network.ingress and self.ingress is not None:
            self._say(f"Cannot allocate ingress network {network.id} because another one is already present")
            return
        if self._allocate_network(network) and network.ingress:
            self.ingress = network

    def _allocate_network(self, network: Network) -> bool:
        configs = (network.spec.get("IPAM") or {}).get("Config") or [{}]
        try:
            ipam = self.pools.allocate(network.id, configs)
        except NoAddressError as error:
            self._late_networks[network.id] = network
            self._say(f"Failed allocation for network {network.id}: {error}")
            return False
        self._late_networks.pop(network.id, None)
        network.driver, network.ipam = "overlay", ipam
        numbers = [next(self._vxlans) for _ in ipam]  # one for each subnet
        vxlan = {"com.docker.network.driver.overlay.vxlanid_list": ",".join(map(str, numbers))}
        network.options = {**(network.spec.get("Options") or {}), **vxlan}
        self._store.write(network)
        return True

    def _forget_network(self, network: Network) -> None:
        if self.ingress is network:
            self.ingress = None
            if self._astray_since is None and any(map(self._holds_alive, self._holding)):
                self._astray_since = self._store.now
        for node in self._store.nodes.values():
            if node.attachments.pop(network.id, None) is not None:
                self._store.write(node)
        self.pools.release(network.id)
        self._late_networks.pop(network.id, None)
        self._something_freed()

    def _holds_alive(self, key: str) -> bool:
        """Whether a Swarm task is on an ingress that is gone, on a node that is there."""
        swarm_task = self._store.tasks.get(key)
        node = self._store.nodes.get(swarm_task.node_id) if swarm_task else None
        on_it = swarm_task and any(row.network.ingress for row in swarm_task.attachments)
        return bool(on_it and node and node.state == "ready")

    # -- services

    def _service_changed(self, service: Service, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if not self.running:
            return
        if gone:
            self._late_services.pop(service.id, None)
            self._free_vips(service)
            self._something_freed()
        elif service.id in self._store.services and not self._is_allocated(service):
            self._allocate_service(service)

    def _is_allocated(self, service: Service) -> bool:
        if not service.allocated or service.endpoint_spec != (service.spec.get("EndpointSpec") or {}):
            return False
        return set(service.vips) == set(self._vip_networks(service))

    def _vip_networks(self, service: Service) -> list[str]:
        if (service.spec.get("EndpointSpec") or {}).get("Mode") == "dnsrr":
            return []
        wanted = [row["Target"] for row in _networks(service.spec)]
        if published.through_ingress(service.spec):
            # What is on an ingress that the Swarm has stays there, though a new leader may have taken another one.
            on = [key for key in service.vips if key in self._store.networks and self._store.networks[key].ingress]
            wanted += on or ([self.ingress.id] if self.ingress is not None else [])
        return wanted

    def _allocate_service(self, service: Service) -> None:
        if published.through_ingress(service.spec) and self.ingress is None:
            self._say(f"Failed allocation for service {service.id}: ingress network is missing")
            return  # and it is not tried again until the service is updated
        wanted = self._vip_networks(service)
        try:
            ports = published.chosen(service.spec, service.ports, self._taken_ports(service))
            for network_id in wanted:
                if network_id not in service.vips:
                    service.vips[network_id] = self._address(network_id)
        except (NoAddressError, ApiError) as error:
            self._late_services[service.id] = service
            self._say(f"Failed allocation for service {service.id}: {error}")
            return
        self._free_vips(service, but=wanted)
        self._late_services.pop(service.id, None)
        service.ports, service.endpoint_spec = ports, service.spec.get("EndpointSpec") or {}
        plain = not (service.allocated or service.endpoint_spec or wanted)
        service.allocated = True
        if not plain:  # nothing to note of a service without ports and networks
            self._store.write(service)

    def _taken_ports(self, service: Service) -> set[published.Key]:
        others = (other for other in self._store.services.values() if other is not service)
        return {key for other in others for key in published.keys((*other.ports, *published.spec_ports(other.spec)))}

    def _free_vips(self, service: Service, but: Collection[str] = ()) -> None:
        for network_id in [key for key in service.vips if key not in but]:
            self._free(network_id, service.vips.pop(network_id))

    # -- Swarm tasks

    def _task_changed(self, swarm_task: SwarmTask, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if not self.running:
            return
        if gone or swarm_task.state.ended:
            self._free_task(swarm_task)
        elif swarm_task.state is State.NEW and swarm_task.to_place:
            self._allocate_task(swarm_task)
        if swarm_task.node_id:
            self._place_node(swarm_task.node_id)
        if self._store.now - self._last_retry > self._times.allocator_retry:
            self._retry()

    def _allocate_task(self, swarm_task: SwarmTask) -> None:
        service = self._store.services.get(swarm_task.service_id)
        if service is None or not service.allocated or not self._is_allocated(service):
            self._waiting[swarm_task.id] = swarm_task
            return
        networks = self._task_networks(service, swarm_task)
        given: list[Attachment] = []
        try:
            for network in networks:
                given.append(Attachment(network=network, address=self._address(network.id)))  # noqa: PERF401
        except NoAddressError as error:
            for attachment in given:
                self._free(attachment.network.id, attachment.address)
            self._waiting[swarm_task.id] = swarm_task
            self._say(f"Failed allocation for task {swarm_task.id}: {error}")
            return
        self._waiting.pop(swarm_task.id, None)
        self._holding.add(swarm_task.id)
        swarm_task.attachments, swarm_task.endpoint_spec = given, service.endpoint_spec
        self._store.set_state(swarm_task, State.PENDING, message="pending task scheduling")

    def take_in(self, swarm_task: SwarmTask, network: Network) -> None:
        """Give a Swarm task of no service its address on one network. Raises NoAddressError."""
        swarm_task.attachments = [Attachment(network=network, address=self._address(network.id))]
        self._holding.add(swarm_task.id)

    def _task_networks(self, service: Service, swarm_task: SwarmTask) -> list[Network]:
        wanted = [row["Target"] for row in swarm_task.spec.get("Networks") or service.spec.get("Networks") or ()]
        known = [self._store.networks[key] for key in wanted if key in self._store.networks]
        through = published.through_ingress(service.spec) and self.ingress is not None
        return [self.ingress, *known] if through and self.ingress is not None else known

    def _free_task(self, swarm_task: SwarmTask) -> None:
        self._waiting.pop(swarm_task.id, None)
        if swarm_task.id not in self._holding:
            return
        self._holding.discard(swarm_task.id)
        lost = [row.network.id for row in swarm_task.attachments if row.network.id not in self.pools.taken]
        if lost:
            # The engine finds one network gone and gives none of the addresses back: those of the others leak.
            self._say(f"Failed freeing task {swarm_task.id}: could not find network allocator state for {lost[0]}")
            return
        for attachment in swarm_task.attachments:
            self._free(attachment.network.id, attachment.address)
        self._something_freed()

    # -- nodes

    def _node_changed(self, node: Node, gone: bool) -> None:  # noqa: FBT001  # a watcher's signature
        if self.running and not gone:
            self._place_node(node.id)

    def _place_node(self, node_id: str) -> None:
        """Give the node a place in each overlay that its Swarm tasks use, and in the ingress; take back the others."""
        node = self._store.nodes.get(node_id)
        if node is None:
            return
        wanted = self._node_networks(node)
        changed = False
        for key in [key for key in node.attachments if key not in wanted]:
            self._free(key, node.attachments.pop(key).address)
            changed = True
        for key, network in wanted.items():
            if key not in node.attachments:
                changed |= self._attach(node, network)
        if changed:
            self._store.write(node)

    def _attach(self, node: Node, network: Network) -> bool:
        try:
            node.attachments[network.id] = Attachment(network=network, address=self._address(network.id))
        except NoAddressError as error:
            self._say(f"Failed to allocate network resources for node {node.id}: {error}")
            return False
        return True

    def _node_networks(self, node: Node) -> dict[str, Network]:
        wanted = {self.ingress.id: self.ingress} if self.ingress is not None else {}
        for swarm_task in self._store.tasks_by_node.get(node.id, {}).values():
            if not swarm_task.state.ended:
                wanted.update({row.network.id: row.network for row in swarm_task.attachments})
        return wanted

    # -- trying again

    def _something_freed(self) -> None:
        if not self._retry_planned:
            self._retry_planned = True
            self._store.agenda.after(self._times.allocate, self._retry)

    def _retry(self) -> None:
        self._retry_planned = False
        if not self.running:
            return
        self._last_retry = self._store.now
        for network in [*self._late_networks.values()]:
            self._allocate_network(network)  # though it is an ingress, it is not noted as the ingress any more
        for service in [*self._late_services.values()]:
            self._allocate_service(service)
        for swarm_task in [*self._waiting.values()]:
            if swarm_task.state is State.NEW and swarm_task.to_place:
                self._allocate_task(swarm_task)

    def restart(self, leader: Daemon) -> None:
        """Begin anew as a new leader does: from what is in the store alone."""
        self.leader, self._astray_since = leader, None
        self._late_networks, self._late_services, self._waiting = {}, {}, {}
        self._recount()
        ingress = self._store.ingress()
        for network in self._store.networks.values():
            if not network.allocated:
                self._allocate_network(network)
        self.ingress = ingress if ingress is not None and ingress.allocated else None
        for node in self._store.nodes.values():
            self._place_node(node.id)
        for service in self._store.services.values():
            if not self._is_allocated(service):
                self._allocate_service(service)
        for swarm_task in [*self._store.tasks.values()]:
            if swarm_task.state is State.NEW and swarm_task.to_place:
                self._allocate_task(swarm_task)

    def _recount(self) -> None:
        """Count as taken only what the store holds: leaked addresses come back."""
        store = self._store
        self.pools.taken.clear()
        for network in store.networks.values():
            if network.allocated:
                self.pools.restore(network.id, network.ipam)
        self._holding = {task.id for task in store.tasks.values() if task.attachments and not task.state.ended}
        rows = [row for key in self._holding for row in store.tasks[key].attachments]
        rows += [row for node in store.nodes.values() for row in node.attachments.values()]
        for service in store.services.values():
            for network_id in [key for key in service.vips if key not in store.networks]:
                del service.vips[network_id]
        vips = [(key, address) for service in store.services.values() for key, address in service.vips.items()]
        for key, address in [(row.network.id, row.address) for row in rows] + vips:
            if address and key in self.pools.taken:
                self.pools.taken[key].take(address)

    def _address(self, network_id: str) -> str:
        subnet = self.pools.taken.get(network_id)
        if subnet is None:
            raise NoAddressError(f"could not find network allocator state for network {network_id}")
        return subnet.address()

    def _free(self, network_id: str, address: str) -> None:
        if address and network_id in self.pools.taken:
            self.pools.taken[network_id].release(address)

    def _say(self, line: str) -> None:
        if self.leader is not None:
            self.leader.say(line)


def _networks(spec: Document) -> list[Document]:
    networks: list[Document] = spec["TaskTemplate"].get("Networks") or spec.get("Networks") or []
    return networks
