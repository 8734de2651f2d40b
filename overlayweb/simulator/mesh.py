"""The networks of one engine: what it holds, and how its ingress wedges.

An engine is told of its place in the ingress. When that goes, it lets the ingress go, which fails while the endpoint
of a Swarm task is on it: that is logged, forgotten, and never tried again. The sandbox of the ingress stays, so that no
other ingress can be set up, until the engine is started anew. Source: moby, daemon/network.go (setupIngress,
releaseIngress); labs of engines 20.10, 26.1 and 28.5.
"""

from overlayweb.simulator.daemons import Container, Daemon, LocalNetwork, Standalone
from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.names import Names
from overlayweb.simulator.records import Attachment, Network, SwarmTask

HANGS = "hangs"
"""Not words but what a Swarm task does on engine 20.10: it stays in ``starting``."""
MTU_OPTION = "com.docker.network.driver.mtu"
_LEAST_MTU = 68 + 50  # what IPv4 needs, and what VXLAN takes
_FIRST_TO_REJECT = 26

_OF_SWARMS = "docker_gwbridge"
"""What an engine makes when it becomes part of a Swarm, and keeps."""
_LINUX = (("bridge", "bridge"), (_OF_SWARMS, "bridge"), ("host", "host"), ("none", "null"))
_WINDOWS = (("nat", "nat"), ("none", "null"))


def boot(daemon: Daemon, names: Names, now: float) -> None:
    """Give a starting engine the networks of its own, and nothing else: the Swarm's come again by themselves."""
    own = {local.name: local for local in daemon.networks.values() if local.network is None}
    daemon.networks = {}
    for name, driver in _WINDOWS if daemon.node.os == "windows" else _LINUX:
        if name == _OF_SWARMS and not (daemon.node.id or name in own):
            continue
        local = own.get(name) or LocalNetwork(id=names.container_id(), name=name, driver=driver, created_at=now)
        daemon.networks[local.id] = local
    daemon.ingress_id, daemon.started_at = "", now


def set_up_ingress(daemon: Daemon, network: Network, address: str, now: float) -> None:
    """Let an older ingress go and take this one in, as far as the node can."""
    if daemon.ingress_id and daemon.ingress_id != network.id:
        release_ingress(daemon)
    daemon.ingress_id = network.id
    if network.id in daemon.networks:
        return
    wrong = _unusable(network)
    if daemon.held_ingress is not None:
        wrong = "error creating load balancer endpoint: ingress sandbox already present"
    if wrong:
        daemon.say(f"Failed creating ingress network: {wrong}")
        return
    _take_in(daemon, network, address, now)


def release_ingress(daemon: Daemon) -> None:
    """Let the ingress go. Where that fails it stays for good: the engine believes that it has none."""
    local = daemon.networks.get(daemon.ingress_id)
    daemon.ingress_id = ""
    if local is None:
        return
    if local.containers:
        daemon.say(
            f"Failed to delete ingress network {local.id}: error while removing network: network {local.name} id"
            f" {local.id} has active endpoints"
        )
        return
    del daemon.networks[local.id]


def refusal(daemon: Daemon, swarm_task: SwarmTask) -> str:
    """Why the engine rejects the Swarm task on account of its networks: its words, HANGS, or ""."""
    for attachment in swarm_task.attachments:
        network = attachment.network
        if network.id not in daemon.node.attachments:
            return "node is missing network attachments, ip addresses may be exhausted"
        if wrong := _unusable(network):
            return wrong
        held = daemon.held_ingress
        if network.ingress and held is not None and held.network not in {None, network}:
            return _wedged(daemon, held.network, attachment)
    return ""


def awaits(daemon: Daemon, swarm_task: SwarmTask, *, astray_since: float | None) -> bool:
    """Whether the ingress that it needs is still being set up on this node, or the leader has lost track of it."""
    wanted = next((row.network for row in swarm_task.attachments if row.network.ingress), None)
    if wanted is None or _unusable(wanted):
        return False
    return daemon.held_ingress is None or (astray_since is not None and daemon.started_at > astray_since)


def attach(daemon: Daemon, container: Container, now: float) -> None:
    """Put a container's endpoints on its networks, taking in those that are not here yet."""
    for attachment in container.swarm_task.attachments:
        put_on(daemon, container, attachment.network, now)
        container.addresses[attachment.network.id] = attachment.address
    bridge = next((row for row in daemon.networks.values() if row.name in {_OF_SWARMS, "nat"}), None)
    if bridge is not None:
        bridge.containers[container.id] = container


def detach(daemon: Daemon, container: Container) -> None:
    """Take a container off its networks; overlays that nothing uses any more go, an ingress does not."""
    for key in [*daemon.networks]:
        take_off(daemon, container, key)


def put_on(daemon: Daemon, container: Container | Standalone, network: Network, now: float) -> None:
    """Put the container's endpoint on one network, taking that in if it is not here yet."""
    if network.id not in daemon.networks:
        place = daemon.node.attachments.get(network.id)
        _take_in(daemon, network, place.address if place else "", now)
    daemon.networks[network.id].containers[container.id] = container


def take_off(daemon: Daemon, container: Container | Standalone, network_id: str) -> None:
    """Take it off one network; an overlay that nothing uses any more goes, an ingress does not."""
    local = daemon.networks[network_id]
    local.containers.pop(container.id, None)
    if local.network is not None and not local.ingress and not local.containers:
        del daemon.networks[local.id]


def refuse_removal(local: LocalNetwork) -> None:
    """Raise ApiError where an engine does not let one of its own networks go."""
    if local.network is None:
        raise ApiError(403, f"{local.name} is a pre-defined network and cannot be removed")
    raise ApiError(404, f"network {local.id} not found")


def _take_in(daemon: Daemon, network: Network, address: str, now: float) -> None:
    daemon.networks[network.id] = LocalNetwork(
        id=network.id, name=network.name, driver="overlay", created_at=now, network=network, address=address
    )


def _wedged(daemon: Daemon, held: Network | None, wanted: Attachment) -> str:
    if int(daemon.node.engine_version.partition(".")[0]) < _FIRST_TO_REJECT:
        return HANGS
    if held is not None and held.ipam == wanted.network.ipam:
        return "ingress sandbox already present"
    return (
        f"invalid config for network {wanted.network.name}: invalid endpoint settings:\n"
        f"no configured subnet or ip-range contain the IP address {wanted.address.partition('/')[0]}"
    )


def _unusable(network: Network) -> str:
    """Why a node can not make the network, though Swarm took it: an MTU is looked at here for the first time."""
    mtu = network.options.get(MTU_OPTION, "")
    if not mtu:
        return ""
    if not mtu.isdigit():
        return f'failed to parse {mtu}: strconv.Atoi: parsing "{mtu}": invalid syntax'
    if int(mtu) < _LEAST_MTU:
        return "subnet sandbox join failed: error creating vxlan interface: invalid argument"
    return ""
