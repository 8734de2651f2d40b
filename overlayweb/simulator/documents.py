"""Objects of the store as the engine's JSON, in its newest form. Kept with the record until that changes."""

from collections.abc import Iterable
from typing import Any

from overlayweb.simulator.records import Document, Network, Node, Record, Service, SwarmTask
from overlayweb.simulator.store import Store


class Documents:
    """Makes the JSON of each record. Who gets one must not change it: it is shared and kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def node(self, node: Node) -> Document:
        """A row of GET /nodes."""
        if node.document is None:
            node.document = self._node(node)
        return node.document

    def network(self, network: Network) -> Document:
        """A row of GET /networks as the managers know it: without peers and containers."""
        if network.document is None:
            network.document = self._network(network)
        return network.document

    def service(self, service: Service) -> Document:
        """A row of GET /services, without ServiceStatus."""
        if service.document is None:
            service.document = self._service(service)
        return service.document

    def task(self, swarm_task: SwarmTask) -> Document:
        """A row of GET /tasks."""
        if swarm_task.document is None:
            swarm_task.document = self._task(swarm_task)
        return swarm_task.document

    def swarm(self, swarm_id: str, fixed: Document, *, at: float) -> Document:
        """GET /swarm without the join tokens. ``fixed``: what was settled when it was made, ``at`` that second."""
        moment = self._store.moment(at)
        return {
            "ID": swarm_id,
            "Version": {"Index": self._store.index},
            "CreatedAt": moment,
            "UpdatedAt": moment,
            "Spec": {
                "Name": "default",
                "Labels": {},
                "Orchestration": {"TaskHistoryRetentionLimit": 5},
                "Raft": {"SnapshotInterval": 10000, "ElectionTick": 10, "HeartbeatTick": 1},
                "Dispatcher": {"HeartbeatPeriod": 5_000_000_000},
                "CAConfig": {"NodeCertExpiry": 7_776_000_000_000_000},
                "TaskDefaults": {},
                "EncryptionConfig": {"AutoLockManagers": False},
            },
            "TLSInfo": {"TrustRoot": "", "CertIssuerSubject": "", "CertIssuerPublicKey": ""},
            "RootRotationInProgress": False,
            **fixed,
        }

    def _meta(self, record: Record) -> Document:
        moment = self._store.moment
        return {
            "ID": record.id,
            "Version": {"Index": record.version},
            "CreatedAt": moment(record.created_at),
            "UpdatedAt": moment(record.updated_at),
        }

    def _node(self, node: Node) -> Document:
        document = {
            **self._meta(node),
            "Spec": node.spec,
            "Description": {
                "Hostname": node.name,
                "Platform": {"Architecture": "x86_64", "OS": node.os},
                "Resources": {"NanoCPUs": node.nano_cpus, "MemoryBytes": node.memory_bytes},
                "Engine": {"EngineVersion": node.engine_version, "Plugins": _plugins(node)},
                "TLSInfo": {"TrustRoot": "", "CertIssuerSubject": "", "CertIssuerPublicKey": ""},
            },
            "Status": {"State": node.state, "Addr": node.address},
        }
        if node.message:
            document["Status"]["Message"] = node.message
        if node.manager:
            reachability = "reachable" if node.state == "ready" else "unreachable"
            document["ManagerStatus"] = {"Reachability": reachability, "Addr": f"{node.address}:2377"}
            if node.leader:
                document["ManagerStatus"]["Leader"] = True
        return document

    def _network(self, network: Network) -> Document:
        spec = network.spec
        return {
            "Name": network.name,
            "Id": network.id,
            "Created": self._store.moment(network.created_at),
            "Scope": "swarm",
            "Driver": network.driver,
            "EnableIPv4": True,
            "EnableIPv6": bool(spec.get("EnableIPv6")),
            "IPAM": ipam(network),
            "Internal": bool(spec.get("Internal")),
            "Attachable": bool(spec.get("Attachable")),
            "Ingress": network.ingress,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Containers": None,
            "Options": network.options or None,
            "Labels": spec.get("Labels") or None,
        }

    def _service(self, service: Service) -> Document:
        document = {**self._meta(service), "Spec": service.spec, "Endpoint": _endpoint(service)}
        if service.previous_spec is not None:
            document["PreviousSpec"] = service.previous_spec
        if service.update_status is not None:
            document["UpdateStatus"] = service.update_status
        return document

    def _task(self, swarm_task: SwarmTask) -> Document:
        document = {
            **self._meta(swarm_task),
            "Labels": {},
            "Spec": _spec_of(swarm_task),
            **({"ServiceID": swarm_task.service_id} if swarm_task.service_id else {}),
            "Status": self._status(swarm_task),
            "DesiredState": swarm_task.desired.value,
            "Volumes": None,
        }
        if swarm_task.slot:
            document["Slot"] = swarm_task.slot
        if swarm_task.node_id:
            document["NodeID"] = swarm_task.node_id
        if swarm_task.attachments:
            document["NetworksAttachments"] = [
                {"Network": self._attached(row.network), "Addresses": [row.address] if row.address else None}
                for row in swarm_task.attachments
            ]
        return document

    def _status(self, swarm_task: SwarmTask) -> Document:
        status: Document = {
            "Timestamp": self._store.moment(swarm_task.state_at),
            "State": swarm_task.state.value,
            "Message": swarm_task.message,
            "PortStatus": {"Ports": swarm_task.host_ports} if swarm_task.host_ports else {},
        }
        if swarm_task.error:
            status["Err"] = swarm_task.error
        if swarm_task.container_id:
            status["ContainerStatus"] = {
                "ContainerID": swarm_task.container_id,
                "PID": swarm_task.pid,
                "ExitCode": swarm_task.exit_code or 0,
            }
        return status

    def _attached(self, network: Network) -> Document:
        spec = network.spec
        driver, ipam_driver = spec.get("Driver"), spec["IPAM"].get("Driver")
        configs = spec["IPAM"]["Config"]
        return {
            **self._meta(network),
            "Spec": {
                "Name": network.name,
                "Labels": spec.get("Labels") or {},
                "DriverConfiguration": {"Name": driver} if driver else {},
                **({"Ingress": True} if network.ingress else {}),
                **({"Attachable": True} if spec.get("Attachable") else {}),
                "IPAMOptions": {
                    "Driver": {"Name": ipam_driver} if ipam_driver else {},
                    **({"Configs": configs} if configs else {}),
                },
                "Scope": "swarm",
            },
            "DriverState": {"Name": network.driver, "Options": network.options},
            "IPAMOptions": {"Driver": {"Name": "default"}, "Configs": network.ipam},
        }


def _spec_of(swarm_task: SwarmTask) -> Document:
    """The runtime is told of those of no service only."""
    return {key: value for key, value in swarm_task.spec.items() if key != "Runtime" or not swarm_task.service_id}


def ipam(network: Network) -> Document:
    """The IPAM part of a network: nothing but its keys until the network is allocated."""
    if not network.allocated:
        return {"Driver": "", "Options": None, "Config": None}
    return {"Driver": "default", "Options": None, "Config": network.ipam}


def _plugins(node: Node) -> list[Document]:
    drivers: Iterable[Any] = ("bridge", "host", "ipvlan", "macvlan", "null", "overlay")
    if node.os == "windows":
        drivers = ("ics", "internal", "l2bridge", "l2tunnel", "nat", "null", "overlay", "private", "transparent")
    return [{"Type": "Network", "Name": name} for name in drivers]


def _endpoint(service: Service) -> Document:
    if not service.allocated:
        return {"Spec": {}}
    endpoint: Document = {"Spec": service.endpoint_spec}
    if service.ports:
        endpoint["Ports"] = service.ports
    if service.vips:
        endpoint["VirtualIPs"] = [{"NetworkID": key, "Addr": address} for key, address in service.vips.items()]
    return endpoint
