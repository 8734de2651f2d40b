"""The network of a lab: one namespace per node, all joined to a bridge in a namespace of its own.

The bridge is not in the machine's namespace, so that the machine's FORWARD rules do not touch it.
"""

import ipaddress

BRIDGE_NAMESPACE = "switch"
UNDERLAY = ipaddress.IPv4Network("192.168.60.0/24")
_FIRST_HOST = 11


def address(index: int) -> str:
    """Return the address of node `index` (from 0) on the network that joins the nodes."""
    return str(UNDERLAY[_FIRST_HOST + index])


def switch_commands() -> list[str]:
    """Return the shell commands that make the bridge; run in the lab's mount namespace."""
    inside = f"ip -n {BRIDGE_NAMESPACE}"
    return [
        f"ip netns add {BRIDGE_NAMESPACE}",
        f"{inside} link add br0 type bridge",
        f"{inside} link set br0 up",
    ]


def node_commands(namespace: str, index: int) -> list[str]:
    """Return the shell commands that make a node's namespace and plug it into the bridge.

    The default route is unreachable: before each task Swarm looks its image up in a registry, and
    where that look-up hangs, nine tasks take 41 s; where it fails at once, 1.5 s.
    """
    inside = f"ip -n {namespace}"
    return [
        f"ip netns add {namespace}",
        f"{inside} link set lo up",
        f"ip -n {BRIDGE_NAMESPACE} link add {namespace} type veth peer name eth0 netns {namespace}",
        f"ip -n {BRIDGE_NAMESPACE} link set {namespace} master br0 up",
        f"{inside} address add {address(index)}/{UNDERLAY.prefixlen} dev eth0",
        f"{inside} link set eth0 up",
        f"{inside} route add unreachable default",
    ]
