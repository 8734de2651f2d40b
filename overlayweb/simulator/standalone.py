"""Standalone containers: run by one engine, of no service; on an overlay each is a Swarm task, an attachment.

The managers' plain list of tasks leaves those out. An engine takes a container to any attachable network of the Swarm
and waits until it is there; here that takes no time. Source: a lab of engine 20.10; tests/contract/test_containers.py.
"""

from overlayweb.simulator import mesh
from overlayweb.simulator.addresses import NoAddressError
from overlayweb.simulator.agents import Agents
from overlayweb.simulator.allocator import Allocator
from overlayweb.simulator.daemons import Daemon, Standalone
from overlayweb.simulator.errors import ApiError, not_found
from overlayweb.simulator.networks import Networks
from overlayweb.simulator.nodes import Nodes
from overlayweb.simulator.records import Network, State, SwarmTask
from overlayweb.simulator.store import Store

ATTACHMENT = "attachment"


class Boxes:
    """The standalone containers of all engines."""

    def __init__(self, store: Store, nodes: Nodes, networks: Networks, allocator: Allocator, agents: Agents) -> None:
        self._store = store
        self._nodes = nodes
        self._networks = networks
        self._allocator = allocator
        agents.forget = self._forget

    def run(self, node: str, name: str, *, image: str = "lab/web:1") -> str:
        """`docker run --detach` on the node; returns the container's id."""
        daemon = self._nodes.asked(node)
        box = Standalone(id=self._store.names.container_id(), name=name, image=image, created_at=self._store.now)
        daemon.standalone[box.id] = box
        return box.id

    def remove(self, node: str, ref: str) -> None:
        """`docker rm --force` on the node."""
        daemon = self._nodes.asked(node)
        box = self._find(daemon, ref)
        for network_id in [*box.places]:
            self._leave(daemon, box, network_id)
        del daemon.standalone[box.id]

    def connect(self, network_ref: str, ref: str, view: str) -> None:
        """POST /networks/{id}/connect. Raises ApiError in the engine's words."""
        daemon = self._nodes.asked(view)
        box = self._find(daemon, ref)
        network = self._reachable(network_ref)
        if network.id in box.places:
            raise ApiError(409, f"{box.name} is already attached to network {network.name}")
        place = self._place(daemon, box, network)
        box.places[network.id], box.addresses[network.id] = place, place.attachments[0].address
        mesh.put_on(daemon, box, network, self._store.now)

    def disconnect(self, network_ref: str, ref: str, view: str) -> None:
        """POST /networks/{id}/disconnect. Raises ApiError in the engine's words."""
        daemon = self._nodes.asked(view)
        box = self._find(daemon, ref)
        local = next((row for row in daemon.networks.values() if network_ref in {row.id, row.name}), None)
        if local is None:
            raise not_found("network", network_ref)
        if local.id not in box.places:
            raise ApiError(500, f"container {box.id} is not connected to network {local.name}")
        self._leave(daemon, box, local.id)

    def _find(self, daemon: Daemon, ref: str) -> Standalone:
        found = next((box for box in daemon.standalone.values() if ref in {box.id, box.name}), None)
        if found is None:
            raise ApiError(404, f"No such container: {ref}")
        return found

    def _reachable(self, ref: str) -> Network:
        """The network of the Swarm, if the managers let a container onto it, whichever node asks."""
        words = f"Could not attach to network {ref}: rpc error: code = {{}} desc = network {ref} {{}}"
        try:
            network = self._networks.find(ref)
        except ApiError as error:
            raise ApiError(500, words.format("NotFound", "not found")) from error
        if not network.spec["Attachable"]:
            raise ApiError(500, words.format("PermissionDenied", "not manually attachable"))
        return network

    def _place(self, daemon: Daemon, box: Standalone, network: Network) -> SwarmTask:
        """The Swarm task that stands for the container on that network, running."""
        spec = {"NetworkAttachmentSpec": {"ContainerID": box.id}, "Networks": [{"Target": network.id}]}
        made = SwarmTask(
            id=self._store.names.swarm_id(),
            service_id="",
            spec={**spec, "ForceUpdate": 0, "Runtime": ATTACHMENT},
            spec_version=0,
            desired=State.RUNNING,
        )
        try:
            self._allocator.take_in(made, network)
        except NoAddressError as error:
            words = "make sure your network options are correct and check manager logs: context deadline exceeded"
            raise ApiError(500, f"attaching to network failed, {words}") from error
        self._store.place(made, daemon.node.id)
        self._store.add(made)
        self._store.set_state(made, State.RUNNING, message="started")
        return made

    def _leave(self, daemon: Daemon, box: Standalone, network_id: str) -> None:
        del box.addresses[network_id]
        mesh.take_off(daemon, box, network_id)
        self._store.remove(box.places.pop(network_id))

    def _forget(self, daemon: Daemon) -> None:
        for key in [*daemon.standalone]:
            self.remove(daemon.node.name, key)
