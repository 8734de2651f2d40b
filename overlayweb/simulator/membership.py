"""Making a Swarm of an engine and leaving it: what is asked for, refused, and told of an engine's place in a Swarm.

Source: moby, daemon/cluster (swarm.go, listen_addr.go); asked of engine 20.10 in tests/contract/test_membership.py.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.records import Document, Node

POOLS, SUBNET_SIZE, DATA_PATH_PORT = ("10.0.0.0/8",), 24, 4789
"""What a Swarm has of which nothing else is asked."""
ROLE_OF_FIRST = "manager"

_LARGEST_SIZE = 29
_DATA_PATH_PORTS = range(1024, 49152)
_OWN_INTERFACES = re.compile(r"eth\d|ens\d+")
_OUTSIDE = {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": ""}
_ALREADY = 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'


def already_part() -> ApiError:
    """The engine is in a Swarm."""
    return ApiError(503, _ALREADY)


def settled(body: Mapping[str, Any]) -> Document:
    """What POST /swarm/init settles for good, as GET /swarm tells it. Raises ApiError in the engine's words.

    A pool without a size is taken, and then no network of that Swarm is ever allocated.
    """
    if not body.get("ListenAddr"):
        raise ApiError(400, 'invalid ListenAddr "": invalid empty address')
    port = body.get("DataPathPort") or DATA_PATH_PORT
    if port not in _DATA_PATH_PORTS:
        raise ApiError(500, f"Datapath port number is not in valid range (1024-49151) : {port}")
    pools, size = body.get("DefaultAddrPool"), body.get("SubnetSize") or 0
    if pools is None:
        return {"DefaultAddrPool": [*POOLS], "SubnetSize": SUBNET_SIZE, "DataPathPort": port}
    _refuse_pools(pools, size)
    return {"DefaultAddrPool": [*pools] or None, "SubnetSize": size, "DataPathPort": port}


def _refuse_pools(pools: Iterable[str], size: int) -> None:
    if size > _LARGEST_SIZE:
        raise ApiError(500, f"subnet size is out of range: {size}")
    for pool in pools:
        try:
            length = ipaddress.IPv4Network(pool, strict=False).prefixlen
        except ValueError as error:
            raise ApiError(500, f"invalid base pool {pool}: invalid CIDR address: {pool}") from error
        if 0 < size < length:
            raise ApiError(500, f'invalid CIDR: "{pool}". Subnet size is too small for pool: {size}')


def advertised(body: Mapping[str, Any], *, own: str) -> str:
    """The address at which the others are to reach the engine. Raises ApiError for what is none, and no interface."""
    host = str(body.get("AdvertiseAddr") or own).partition(":")[0]
    if _OWN_INTERFACES.fullmatch(host):
        return own
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        address = ipaddress.IPv4Address(0)
    if address.is_unspecified:
        words = "advertise address must be a non-zero IP address or network interface (with optional port number)"
        raise ApiError(400, words)
    return str(address)


def refuse_leaving(managers: int) -> None:
    """Raise ApiError where a manager is told to leave and not by force."""
    words = "You are attempting to leave the swarm on a node that is participating as a manager. "
    if managers == 1:
        words += (
            "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. "
        )
    raise ApiError(503, words)


def place(node: Node, nodes: Iterable[Node], cluster: Document) -> Document:
    """The part of GET /info on the Swarm. ``nodes``: all of the Swarm, none where the engine is in none."""
    rows = [*nodes]
    managers = [row for row in rows if row.manager]
    if not rows:
        return {**_OUTSIDE, "RemoteManagers": None}
    told = {
        "NodeID": node.id,
        "NodeAddr": node.address,
        "LocalNodeState": "active",
        "ControlAvailable": node.manager,
        "Error": "",
        "RemoteManagers": [{"NodeID": row.id, "Addr": f"{row.address}:2377"} for row in managers],
    }
    return {**told, "Nodes": len(rows), "Managers": len(managers), "Cluster": cluster} if node.manager else told


def outsider(name: str, *, address: str, version: str) -> Node:
    """An engine in no Swarm as a node without id and role."""
    return Node(id="", name=name, address=address, engine_version=version, spec={"Role": "", "Availability": ""})
