"""What is asked of networks: each engine shows the Swarm's and its own, and Swarm takes nearly everything.

Nobody checks at creation whether a subnet is free, whether an MTU makes sense, whether a service could work: that shows
later, at the allocator and on the nodes. Source: moby, api/server/router/network; swarmkit, controlapi/network.go.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from overlayweb.simulator import published, service_specs
from overlayweb.simulator.daemons import Daemon, LocalNetwork
from overlayweb.simulator.documents import Documents
from overlayweb.simulator.errors import ApiError, name_taken, no_swarm, not_a_manager, not_found, rpc
from overlayweb.simulator.events import Events
from overlayweb.simulator.filters import Filters, Query
from overlayweb.simulator.mesh import refuse_removal
from overlayweb.simulator.nodes import Nodes
from overlayweb.simulator.peers import Peers
from overlayweb.simulator.records import Document, Network, State
from overlayweb.simulator.store import Store

HIDES_UNALLOCATED = (1, 52)
"""From this one on, inspecting a network that is not allocated finds nothing."""
_KNOWN = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})
_PREDEFINED = frozenset({"bridge", "host", "none", "nat"})


class Networks:
    """Lists, inspects, creates and removes networks, as the engine of one node does."""

    def __init__(
        self, store: Store, documents: Documents, nodes: Nodes, peers: Peers, events: Events, api: tuple[int, int]
    ) -> None:
        self._store = store
        self._documents = documents
        self._nodes = nodes
        self._peers = peers
        self._events = events
        self._api = api

    def listed(self, view: str, filters: Filters | None) -> list[Document]:
        """GET /networks: a manager shows the Swarm's and what only its own node has; a worker only its own."""
        daemon = self._nodes.asked(view)
        query = Query(filters, known=_KNOWN, old=self._nodes.old)
        swarm = [*self._store.networks.values()] if self._shows_swarm(daemon) else []
        rows = [self._documents.network(network) for network in swarm]
        known = {network.id for network in swarm}
        rows += [self._local(local) for local in daemon.networks.values() if local.id not in known]
        return [row for row in rows if _matches(row, query)] if query else rows

    def inspected(self, ref: str, view: str, scope: str = "") -> Document:
        """GET /networks/{id}: what the node itself holds comes first, with peers and containers, if of that scope."""
        daemon = self._nodes.asked(view)
        local, network = self._find(daemon, ref)
        if local is not None and scope in {"", "swarm" if local.driver == "overlay" else "local"}:
            return self._with_life(local, daemon)
        if network is None or (not network.allocated and self._api >= HIDES_UNALLOCATED):
            raise not_found("network", ref)
        return self._documents.network(network)

    def create(self, body: Mapping[str, Any], view: str) -> Document:
        """POST /networks/create for the Swarm. It is only noted: the allocator sees to it in a moment."""
        daemon = self._nodes.asked(view)
        if daemon is self._nodes.outside:
            raise ApiError(500 if self._nodes.old else 403, no_swarm().message)
        if not daemon.node.manager:
            words = "Cannot create a multi-host network from a worker node. Please create the network from a manager"
            raise ApiError(403, f"{words} node.")
        name = str(body.get("Name") or "")
        if name in _PREDEFINED:
            raise ApiError(403, f'operation is not permitted on predefined "{name}" network')
        looks = bool(body.get("CheckDuplicate")) or not self._nodes.old
        if any(network.name == name for network in self._store.networks.values()):
            raise name_taken(name)
        if looks and any(local.name == name for local in daemon.networks.values()):
            raise name_taken(name)
        if body.get("Driver") != "overlay":
            raise ApiError(400, f"this engine simulates networks of the Swarm, not of driver {body.get('Driver')!r}")
        self._nodes.require_manager(view)
        network = self._made(body, name)
        present = self._store.ingress()
        if network.ingress and present is not None:
            raise rpc("AlreadyExists", f"ingress network ({present.id}) is already present")
        self._store.add(network)
        self._events.say("network", "create", network)
        return {"Id": network.id, "Warning": ""}

    def found(self) -> None:
        """The ingress that a Swarm begins with."""
        self._store.add(self._made({"Ingress": True}, "ingress"))

    def add_ingress(self, name: str, subnet: str, *, preferred: bool) -> str:
        """Add one beside the one that is there, whose id is the lower one if a new leader shall prefer it."""
        network = self._made({"Ingress": True, "IPAM": {"Config": [{"Subnet": subnet}]}}, name)
        others = [row.id for row in self._store.networks.values() if row.ingress]
        while any((network.id < other) is not preferred for other in others):
            network.id = self._store.names.swarm_id()
        self._store.add(network)
        return network.id

    def remove(self, ref: str, view: str) -> None:
        """DELETE /networks/{id}. Of the ingress only specs are asked, never whether containers are on it."""
        daemon = self._nodes.asked(view)
        local, network = self._find(daemon, ref)
        if network is None and local is None:
            raise not_found("network", ref)
        if network is None and local is not None and local.network is None:
            refuse_removal(local)
        if not daemon.node.manager:
            raise not_a_manager()
        self._nodes.require_manager(view)
        if network is None:
            raise not_found("network", ref)
        self._refuse_while_used(network)
        self._store.remove(network)
        self._events.say("network", "remove", network)

    def find(self, ref: str) -> Network:
        """A network of the Swarm by id, name or beginning of its id. Raises ApiError 404."""
        found: Network | None = _pick([(row.id, row.name, row) for row in self._store.networks.values()], ref)
        if found is None:
            raise not_found("network", ref)
        return found

    def _find(self, daemon: Daemon, ref: str) -> tuple[LocalNetwork | None, Network | None]:
        """What the engine itself holds of it and what the Swarm knows of it. Raises ApiError 400 for several."""
        swarm = self._store.networks if self._shows_swarm(daemon) else {}
        names = {key: local.name for key, local in daemon.networks.items()}
        names |= {key: network.name for key, network in swarm.items()}
        found: str | None = _pick([(key, name, key) for key, name in names.items()], ref)
        return (daemon.networks.get(found), swarm.get(found)) if found else (None, None)

    def _shows_swarm(self, daemon: Daemon) -> bool:
        return daemon.node.manager and daemon.connected and self._nodes.led

    def _refuse_while_used(self, network: Network) -> None:
        for service in self._store.services.values():
            if network.ingress and published.through_ingress(service.spec):
                words = f"ingress network cannot be removed because service {service.id} depends on it"
                raise rpc("FailedPrecondition", words)
            networks = service.template.get("Networks") or service.spec.get("Networks") or ()
            if not network.ingress and any(row["Target"] == network.id for row in networks):
                raise rpc("FailedPrecondition", f"network {network.id} is in use by service {service.id}")
        if network.ingress:
            return
        for swarm_task in self._store.tasks.values():
            if swarm_task.on(network.id) and swarm_task.wanted and swarm_task.state.rank <= State.RUNNING.rank:
                raise rpc("FailedPrecondition", f"network {network.id} is in use by task {swarm_task.id}")

    def _made(self, body: Mapping[str, Any], name: str) -> Network:
        service_specs.refuse_name(name)
        ingress = bool(body.get("Ingress"))
        if ingress and body.get("Attachable"):
            raise rpc("InvalidArgument", "ingress network cannot be attachable")
        configs = [_config(raw, strict=not self._nodes.old) for raw in (body.get("IPAM") or {}).get("Config") or ()]
        spec = {
            "Labels": dict(body.get("Labels") or {}),
            "Options": {key: str(value) for key, value in (body.get("Options") or {}).items()},
            "Attachable": bool(body.get("Attachable")),
            "Internal": bool(body.get("Internal")),
            "EnableIPv6": bool(body.get("EnableIPv6")),
            "Driver": str(body.get("Driver") or ""),
            "IPAM": {"Driver": str((body.get("IPAM") or {}).get("Driver") or ""), "Config": configs},
        }
        return Network(id=self._store.names.swarm_id(), name=name, spec=spec, ingress=ingress)

    def _local(self, local: LocalNetwork) -> Document:
        if local.network is not None:
            return self._documents.network(local.network)
        windows = local.driver == "nat"
        subnet = {"bridge": "172.17.0.0/16", "docker_gwbridge": "172.18.0.0/16", "nat": "172.25.0.0/16"}.get(local.name)
        config = [{"Subnet": subnet, "Gateway": subnet.replace(".0.0/16", ".0.1")}] if subnet else []
        return {
            "Name": local.name,
            "Id": local.id,
            "Created": self._store.moment(local.created_at),
            "Scope": "local",
            "Driver": local.driver,
            "EnableIPv4": True,
            "EnableIPv6": False,
            "IPAM": {"Driver": "windows" if windows else "default", "Options": None, "Config": config},
            "Internal": False,
            "Attachable": False,
            "Ingress": False,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Containers": {},
            "Options": _bridge_options(local),
            "Labels": {},
        }

    def _with_life(self, local: LocalNetwork, daemon: Daemon) -> Document:
        endpoints = {key: _endpoint(box.name, box.addresses.get(local.id, "")) for key, box in local.containers.items()}
        document = {**self._local(local), "Containers": endpoints}
        if local.network is None:
            return document
        own = "ingress-sbox" if local.ingress else f"lb-{local.name}"
        endpoints[own] = _endpoint(f"{local.name}-endpoint" if local.ingress else own, local.address)
        return {**document, "Created": self._store.moment(local.created_at), "Peers": self._peers.of(local, daemon)}


_BRIDGE_OPTIONS = {"com.docker.network.driver.mtu": "1500"}
_GATEWAY_OPTIONS = {
    **_BRIDGE_OPTIONS,
    "com.docker.network.bridge.enable_icc": "false",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.bridge.name": "docker_gwbridge",
}


def _bridge_options(local: LocalNetwork) -> Document:
    if local.driver != "bridge":
        return {}
    return _GATEWAY_OPTIONS if local.name == "docker_gwbridge" else _BRIDGE_OPTIONS


def _endpoint(name: str, address: str) -> Document:
    number = int(ipaddress.IPv4Address(address.partition("/")[0])) if address else 0
    mac = "02:42:" + ":".join(f"{(number >> shift) & 255:02x}" for shift in (24, 16, 8, 0)) if address else ""
    return {
        "Name": name,
        "EndpointID": f"{number:064x}",
        "MacAddress": mac,
        "IPv4Address": address,
        "IPv6Address": "",
    }


def _config(raw: Mapping[str, Any], *, strict: bool) -> Document:
    config = {key: str(raw[key]) for key in ("Subnet", "IPRange", "Gateway") if raw.get(key)}
    if strict:
        _refuse_host_bits(config)
    subnet = _block(config.get("Subnet", ""), "ipam configuration: invalid subnet {}")
    if "IPRange" in config:
        inner = _block(config["IPRange"], "ipam configuration: invalid range {}")
        if inner[0] not in subnet:
            words = f"ipam configuration: subnet {config['Subnet']} does not contain range {config['IPRange']}"
            raise rpc("InvalidArgument", words)
    if "Gateway" in config:
        _refuse_gateway(config, subnet)
    return config


def _refuse_host_bits(config: Document) -> None:
    for key, noun in (("Subnet", "subnet"), ("IPRange", "ip-range")):
        asked = config.get(key, "")
        block = _block(asked, f"invalid {noun} {{}}") if asked else None
        if block is not None and str(block) != asked:
            raise ApiError(400, f"invalid network config:\ninvalid {noun} {asked}: it should be {block}")


def _refuse_gateway(config: Document, subnet: ipaddress.IPv4Network) -> None:
    try:
        inside = ipaddress.IPv4Address(config["Gateway"]) in subnet
    except ValueError as error:
        raise rpc("InvalidArgument", f"ipam configuration: invalid gateway {config['Gateway']}") from error
    if not inside:
        words = f"ipam configuration: subnet {config['Subnet']} does not contain gateway {config['Gateway']}"
        raise rpc("InvalidArgument", words)


def _block(text: str, words: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError as error:
        raise rpc("InvalidArgument", words.format(text)) from error


def _pick(rows: Iterable[tuple[str, str, Any]], ref: str) -> Any:
    """The one with this id, else this name, else whose id alone begins so; None where there is none."""
    rows = [*rows]
    by_id = [row for key, _, row in rows if key == ref]
    by_name = [row for _, name, row in rows if name == ref]
    by_beginning = [row for key, _, row in rows if ref and key.startswith(ref)]
    for found, how in ((by_id, "ID"), (by_name, "name"), (by_beginning, "ID prefix")):
        if len(found) > 1:
            raise ApiError(400, f"network {ref} is ambiguous ({len(found)} matches found based on {how})")
        if found:
            return found[0]
    return None


def _matches(row: Document, query: Query) -> bool:
    return (
        query.contains("id", row["Id"])
        and query.contains("name", row["Name"])
        and query.exact("driver", row["Driver"])
        and query.exact("scope", row["Scope"])
        and query.exact("type", "builtin" if row["Name"] in _PREDEFINED else "custom")
        and query.labels("label", row["Labels"] or {})
    )
