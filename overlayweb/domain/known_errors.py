"""The table of the error decoder: what engines and Swarm say, why, and what to do about it.

Sources: messages that engines 20.10.24, 26.1.5 and 28.5.2 gave on the lab; sources of moby, libnetwork and
swarmkit; the sentences of ``engine/failures.py``. The first row that fits counts: special rows before general ones.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from overlayweb.domain import evidence
from overlayweb.domain.evidence import Scene

Looks = Callable[[Scene], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One row. ``words``: how it is recognised; its named groups say what the message is about.

    ``looks``: what the observation is asked for. ``place``: where the next action is done, "" for nowhere here;
    ``label``: what the link there is called.
    """

    code: str
    words: re.Pattern[str]
    cause: str
    remedy: str
    looks: tuple[Looks, ...] = (evidence.who_says,)
    place: str = ""
    label: str = ""


def row(code: str, words: str, *, cause: str, remedy: str, looks: tuple[Looks, ...] = (), to: str = "") -> Known:
    """A row of the table; ``to``: "place: label". Who says the same now is always looked up."""
    place, _, label = to.partition(": ")
    return Known(
        code=code,
        words=re.compile(words, re.IGNORECASE),
        cause=cause,
        remedy=remedy,
        looks=(evidence.who_says, *looks),
        place=place,
        label=label,
    )


_ID = r"[\w.\-]*[\w\-]"
"""A name or an id; the full stop after it ends a sentence."""
_HOLDS_OLD = "The node still holds an ingress that the Swarm has removed."
_RESTART = "Nothing but a restart of its engine makes it let go."
_REPAIR = "ingress-repair: Plan a repair"
_INGRESS = "ingress: See the ingress"
_NODES = "cluster: See the nodes"
_NETWORK = "network: See the network"
_SERVICE = "service: See the service"
_ADDRESSES = "addresses: See the address space"
_READINESS = "readiness: See ports and firewalls"
_ADDRESS_OF_CLUSTER = "cluster-edit: Edit the cluster's address"

_INGRESS_ROWS = (
    row(
        "ingress-sandbox",
        "ingress sandbox already present",
        cause=_HOLDS_OLD,
        remedy=_RESTART,
        looks=(evidence.ingress,),
        to=_REPAIR,
    ),
    row(
        "ingress-subnet",
        "no configured subnet or ip-range contain",
        cause=f"The address is of another subnet than the node's ingress. {_HOLDS_OLD}",
        remedy=_RESTART,
        looks=(evidence.ingress,),
        to=_REPAIR,
    ),
    row(
        "allocator-state",
        "could not find network allocator state",
        cause="The leader has lost track of the network: it was removed while containers were on it.",
        remedy="The leader's engine has to be restarted, after the other nodes.",
        looks=(evidence.managers, evidence.ingress),
        to=_REPAIR,
    ),
    row(
        "start-failed",
        "cleanup: failed to delete container from containerd",
        cause="A container could not be started; the engine logs this for each try. Hundreds of lines a second: "
        "a network of the container is not on the node, and the engine tries again without a pause.",
        remedy="See in `docker service ps` what its Swarm task says. If it stays in starting and the mesh is wedged, "
        "plan a repair; else restart the engine of that node.",
        looks=(evidence.ingress,),
        to=_INGRESS,
    ),
    row(
        "ingress-missing",
        "service needs ingress network|ingress network is missing|no ingress network is present",
        cause="The Swarm has no ingress network.",
        remedy="Create it first.",
        looks=(evidence.ingress,),
        to="ingress-customise: Create the ingress",
    ),
    row(
        "ingress-name-held",
        "network with name ingress already exists",
        cause="The node that was asked has not let go of the old ingress yet.",
        remedy="Wait, then look again.",
        looks=(evidence.ingress,),
        to=_INGRESS,
    ),
    row(
        "ingress-second",
        rf"ingress network \(?(?P<network>{_ID})\)? is already present|because another one is already present",
        cause="The Swarm has an ingress already, and there can be only one.",
        remedy="Change that one, or remove it by its id first.",
        looks=(evidence.ingress,),
        to=_INGRESS,
    ),
    row(
        "ingress-in-use",
        rf"ingress network cannot be removed because service (?P<service>{_ID}) depends on it",
        cause="A service publishes a port through the ingress. The engine names the first one only.",
        remedy="Take the ports of all of them off and wait until their containers have left; a rebuild does so.",
        looks=(evidence.service, evidence.published),
        to=_INGRESS,
    ),
    row(
        "ingress-attachable",
        "ingress network cannot be attachable",
        cause="Containers are never attached to an ingress by hand, so Docker refuses an attachable one.",
        remedy="Ask for an ingress that is not attachable, or for an overlay beside it.",
        to=_INGRESS,
    ),
    row(
        "ingress-dnsrr",
        "published with ingress mode can't be used with dnsrr|cannot be used with dnsrr|dnsrr mode",
        cause="A service with the endpoint mode dnsrr has no address of its own, so the ingress cannot reach it.",
        remedy="Publish its ports in host mode, or give it the endpoint mode vip.",
        to=_SERVICE,
    ),
)

_USE_ROWS = (
    row(
        "in-use-by-task",
        rf"network (?P<network>{_ID}) is in use by task\s+(?P<task>{_ID})",
        cause="A container is still on the network, or its Swarm task has not ended.",
        remedy="Stop that container, or detach its service. Where it has ended, wait a few seconds and try again.",
        looks=(evidence.task, evidence.network),
        to=_NETWORK,
    ),
    row(
        "in-use-by-service",
        rf"network (?P<network>{_ID}) is in use by service (?P<service>{_ID})",
        cause="The spec of a service names the network. The engine names the first one only.",
        remedy="Detach all services from it first.",
        looks=(evidence.service, evidence.network),
        to=_NETWORK,
    ),
    row(
        "active-endpoints",
        rf"network (?P<network>{_ID}) (?:id {_ID} )?has active endpoints|has active endpoints",
        cause="Containers of this node are still connected to the network.",
        remedy="Stop or disconnect them there: `docker network inspect` on that node names them.",
        looks=(evidence.network,),
        to=_NETWORK,
    ),
    row(
        "port-taken",
        r"port '(?P<port>\d+)' is already in use by service '(?P<service>[^']+)'",
        cause="Another service publishes this port, and each port of the Swarm belongs to one service.",
        remedy="Choose another port, or take it off the service that has it.",
        looks=(evidence.port,),
        to=_SERVICE,
    ),
    row(
        "host-port-taken",
        r":(?P<port>\d+) failed: port is already allocated|port is already allocated|host-mode port already in use"
        r"|:(?:\d+): bind: address already in use",
        cause="Something on the node listens on that port: a container, or a program outside of Docker.",
        remedy="Choose another port, or stop what has it: `ss -ltnp` on the node names it.",
        looks=(evidence.port,),
        to=_SERVICE,
    ),
    row(
        "name-taken",
        rf"network with name (?P<network>{_ID}) already exists|name conflicts with an existing object(?!: service)",
        cause="Another network bears this name, in the Swarm or on the manager alone. To Swarm, capitals make no"
        " other name.",
        remedy="Choose another name.",
        looks=(evidence.network,),
        to=_NETWORK,
    ),
    row(
        "predefined",
        rf"(?P<network>{_ID}) is a pre-defined network and cannot be removed",
        cause="The engine made this network for itself and needs it.",
        remedy="Leave it. `docker_gwbridge` can be customised on each node by hand.",
        to=_READINESS,
    ),
    row(
        "not-attachable",
        rf"network (?P<network>{_ID}) (?:is )?not manually attachable",
        cause="Only services may be on this network: it was made without attachable.",
        remedy="Run it as a service, or replace the network by an attachable one.",
        looks=(evidence.network,),
        to="network-replace: Replace the network",
    ),
    row(
        "local-network",
        "only networks scoped to the swarm can be used",
        cause="The network exists on one node alone; services run on any node.",
        remedy="Use an overlay of the Swarm.",
        to="networks: See the networks",
    ),
    row(
        "network-gone",
        rf"(?:no such network:?|could not find (?:the corresponding )?(?:predefined )?(?:swarm )?network)"
        rf" (?P<network>{_ID})|network (?!driver|plugin)(?P<network2>{_ID}) not found",
        cause="The network has been removed, or was never made in this Swarm.",
        remedy="Create it, or take it out of the service's spec.",
        looks=(evidence.network,),
        to="networks: See the networks",
    ),
)

_ADDRESS_ROWS = (
    row(
        "no-attachments",
        "node is missing network attachments",
        cause="The node was given no address on one of the networks: none is free, or the node does not have it.",
        remedy="Look at the room that the networks have left first. If there is room, look at the ingress.",
        looks=(evidence.room, evidence.ingress),
        to=_ADDRESSES,
    ),
    row(
        "addresses-exhausted",
        "no available IPv?4? ?addresses|could not find an available IP|no available addresses|addresses? exhausted",
        cause="Every address of the network is given out: nodes, services and containers take one each.",
        remedy="Remove what is not needed, or replace the network by a larger one.",
        looks=(evidence.room, evidence.network),
        to=_ADDRESSES,
    ),
    row(
        "pools-exhausted",
        "non-overlapping IPv4 address pool|predefined address pools have been fully subnetted"
        "|default address pools are empty",
        cause="The default address pools hold no free block any more.",
        remedy="Name a subnet outside of them, or remove networks that nobody uses. Pools are fixed when a Swarm is"
        " made.",
        looks=(evidence.unallocated,),
        to=_ADDRESSES,
    ),
    row(
        "overlap",
        "pool overlaps with other one|overlaps with (?:an)?other|conflicts in the host|overlapping IPv4",
        cause="The subnet overlaps one that is in use already, of the Swarm or of the node itself.",
        remedy="Choose a free block: a manager takes an overlapping one without a word and never allocates it.",
        looks=(evidence.unallocated,),
        to=_ADDRESSES,
    ),
    row(
        "allocation-failed",
        "failed allocation for|failed to allocate network resources|has pending allocations|stays in new",
        cause="Swarm has not given it its addresses: a network of it has none, is full, or came too late.",
        remedy="Look at its networks. Once they are allocated, an update of the service lets it go on.",
        looks=(evidence.states, evidence.unallocated, evidence.room),
        to=_SERVICE,
    ),
    row(
        "attach-timeout",
        "make sure your network options are correct",
        cause="No manager gave the container an address in time: the node takes nothing new, the network is full or"
        " not allocated, or managers are out of reach.",
        remedy="Look at the node's availability, then at the room of the network.",
        looks=(evidence.nodes, evidence.unallocated, evidence.room),
        to=_NODES,
    ),
    row(
        "vxlan-exists",
        "error creating vxlan interface: file exists",
        cause="The node holds an interface of an earlier network with the same number.",
        remedy="Restart Docker on that node; where it comes again, remove the `vx-…` interface that"
        " `ip -d link show type vxlan` names there.",
        to=_NODES,
    ),
    row(
        "mtu",
        r"failed to parse .*strconv\.Atoi|vxlan interface: (?:invalid argument|numerical result out of range)"
        "|invalid mtu",
        cause="The node cannot make the network, most likely because of its MTU: a manager takes any text, the node"
        " does not.",
        remedy="Replace the network by one whose MTU is a number from 68 up, or unset.",
        looks=(evidence.mtu,),
        to="network-replace: Replace the network",
    ),
    row(
        "vxlan-unsupported",
        "vxlan interface: operation not supported|vxlan.*not supported",
        cause="The kernel of the node has no VXLAN, on which overlays stand.",
        remedy="Load the module with `modprobe vxlan` there, or run a kernel that has it.",
        to=_READINESS,
    ),
    row(
        "sandbox",
        "sandbox join failed|error creating load balancer endpoint",
        cause="The node could not put the container on the network.",
        remedy="Look at the log of Docker on that node: `journalctl -u docker`.",
        to=_NODES,
    ),
)

NETWORK_ROWS = (*_INGRESS_ROWS, *_USE_ROWS, *_ADDRESS_ROWS)
