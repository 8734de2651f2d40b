"""Which keys a document has, with the types of what they hold."""

from typing import Any


def shape(document: Any) -> Any:
    """Types instead of values; of a list, the shape of its first item."""
    if isinstance(document, dict):
        return {key: shape(value) for key, value in document.items()}
    if isinstance(document, list):
        return [shape(document[0])] if document else []
    return type(document).__name__


META = {"ID": "str", "Version": {"Index": "int"}, "CreatedAt": "str", "UpdatedAt": "str"}
PORT = {"Protocol": "str", "TargetPort": "int", "PublishedPort": "int", "PublishMode": "str"}
ENDPOINT_SPEC = {"Mode": "str", "Ports": [PORT]}
TEMPLATE = {"ContainerSpec": {"Image": "str", "Init": "bool", "Isolation": "str"}, "ForceUpdate": "int"}
SERVICE = {
    **META,
    "Spec": {
        "Name": "str",
        "Labels": {},
        "TaskTemplate": {**TEMPLATE, "Runtime": "str"},
        "Mode": {"Replicated": {"Replicas": "int"}},
        "EndpointSpec": ENDPOINT_SPEC,
    },
    "Endpoint": {"Spec": ENDPOINT_SPEC, "Ports": [PORT], "VirtualIPs": [{"NetworkID": "str", "Addr": "str"}]},
}
WORKER = {
    **META,
    "Spec": {"Labels": {}, "Role": "str", "Availability": "str"},
    "Description": {
        "Hostname": "str",
        "Platform": {"Architecture": "str", "OS": "str"},
        "Resources": {"NanoCPUs": "int", "MemoryBytes": "int"},
        "Engine": {"EngineVersion": "str", "Plugins": [{"Type": "str", "Name": "str"}]},
        "TLSInfo": {"TrustRoot": "str", "CertIssuerSubject": "str", "CertIssuerPublicKey": "str"},
    },
    "Status": {"State": "str", "Addr": "str"},
}
MANAGER = {**WORKER, "ManagerStatus": {"Leader": "bool", "Reachability": "str", "Addr": "str"}}
NETWORK = {
    "Name": "str",
    "Id": "str",
    "Created": "str",
    "Scope": "str",
    "Driver": "str",
    "EnableIPv6": "bool",
    "IPAM": {"Driver": "str", "Options": "NoneType", "Config": [{"Subnet": "str", "Gateway": "str"}]},
    "Internal": "bool",
    "Attachable": "bool",
    "Ingress": "bool",
    "ConfigFrom": {"Network": "str"},
    "ConfigOnly": "bool",
    "Containers": "NoneType",
    "Options": {"com.docker.network.driver.overlay.vxlanid_list": "str"},
    "Labels": "NoneType",
}
ATTACHMENT = {
    "Network": {
        **META,
        "Spec": {
            "Name": "str",
            "Labels": {},
            "DriverConfiguration": {},
            "Ingress": "bool",
            "IPAMOptions": {"Driver": {}},
            "Scope": "str",
        },
        "DriverState": {"Name": "str", "Options": {"com.docker.network.driver.overlay.vxlanid_list": "str"}},
        "IPAMOptions": {"Driver": {"Name": "str"}, "Configs": [{"Subnet": "str", "Gateway": "str"}]},
    },
    "Addresses": ["str"],
}
RUNNING_TASK = {
    **META,
    "Labels": {},
    "Spec": TEMPLATE,
    "ServiceID": "str",
    "Slot": "int",
    "NodeID": "str",
    "Status": {
        "Timestamp": "str",
        "State": "str",
        "Message": "str",
        "ContainerStatus": {"ContainerID": "str", "PID": "int", "ExitCode": "int"},
        "PortStatus": {},
    },
    "DesiredState": "str",
    "NetworksAttachments": [ATTACHMENT],
}
