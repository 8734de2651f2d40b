"""Service specs: what the engine refuses, and how it gives them back: without what is empty or zero.

Source: swarmkit, manager/controlapi/service.go; moby, daemon/cluster/convert; labs of engines 20.10, 26.1 and 28.5.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from overlayweb.simulator.errors import ApiError, rpc
from overlayweb.simulator.records import Document

NAME = re.compile(r"^[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*$")
LONGEST_NAME = 63
_LEAST_MEMORY = 4 * 1024 * 1024
_LEAST_CPUS = 1_000_000
_KEPT_EMPTY = frozenset(
    {
        "DNSConfig", "Global", "GlobalJob", "Limits", "Placement", "Replicated", "ReplicatedJob", "Reservations",
        "Resources", "RestartPolicy",
    }
)  # fmt: skip
_KEPT_ZERO = frozenset({"Delay", "Init", "MaxAttempts", "Mode", "Replicas", "TotalCompletions"})


def refuse_name(name: str) -> None:
    """Raise ApiError 400 for a name that Swarm does not take."""
    if not name:
        raise rpc("InvalidArgument", "meta: name must be provided")
    if not NAME.match(name):
        raise rpc("InvalidArgument", "name must be valid as a DNS name component")
    if len(name) > LONGEST_NAME:
        raise rpc("InvalidArgument", f"name must be {LONGEST_NAME} characters or fewer")


def refuse(spec: Mapping[str, Any]) -> None:
    """Raise ApiError in Swarm's words for a spec that it does not take."""
    refuse_name(str(spec.get("Name") or ""))
    container = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    if not container.get("Image"):
        raise rpc("InvalidArgument", "ContainerSpec: image reference must be provided")
    _refuse_resources((spec.get("TaskTemplate") or {}).get("Resources") or {})
    _refuse_endpoint(spec.get("EndpointSpec") or {})
    for key in ("UpdateConfig", "RollbackConfig"):
        _refuse_update(spec.get(key) or {})


def _refuse_resources(resources: Document) -> None:
    for part in ("Limits", "Reservations"):
        asked = resources.get(part) or {}
        if 0 != (cpus := asked.get("NanoCPUs") or 0) < _LEAST_CPUS:
            raise rpc("InvalidArgument", f"invalid cpu value {cpus / 1e9:g}: Must be at least {_LEAST_CPUS / 1e9:g}")
        if 0 != (memory := asked.get("MemoryBytes") or 0) < _LEAST_MEMORY:
            raise rpc("InvalidArgument", f"invalid memory value {memory}: Must be at least 4MiB")


def _refuse_endpoint(endpoint: Document) -> None:
    seen = set()
    for port in endpoint.get("Ports") or ():
        mode = port.get("PublishMode") or "ingress"
        if endpoint.get("Mode") == "dnsrr" and mode == "ingress":
            words = "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"
            raise rpc("InvalidArgument", words)
        if not port.get("TargetPort"):
            raise rpc("InvalidArgument", "EndpointSpec: target port must be provided")
        key = (port.get("Protocol") or "tcp", port.get("PublishedPort") or 0)
        if key[1] and key in seen:
            raise rpc("InvalidArgument", "EndpointSpec: duplicate published ports provided")
        seen.add(key)


def _refuse_update(config: Document) -> None:
    if (config.get("Delay") or 0) < 0:
        raise rpc("InvalidArgument", "TaskSpec: update-delay cannot be negative")
    if (config.get("Monitor") or 0) < 0:
        raise rpc("InvalidArgument", "TaskSpec: update-monitor cannot be negative")
    if not 0 <= (config.get("MaxFailureRatio") or 0) <= 1:
        raise rpc("InvalidArgument", "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1")
    if config.get("FailureAction", "pause") not in {"", "pause", "continue", "rollback"}:
        raise ApiError(400, f"unrecognized update failure action {config['FailureAction']}")


def normal(spec: Mapping[str, Any]) -> Document:
    """The spec as the engine gives it back: defaults of ports and modes written out, empty and zero values gone."""
    document = {key: _pruned(value, key) for key, value in spec.items()}
    document = {key: value for key, value in document.items() if value is not None}
    document.setdefault("Labels", {})
    template = document.setdefault("TaskTemplate", {})
    template["ForceUpdate"] = int(template.get("ForceUpdate") or 0)
    template["Runtime"] = template.get("Runtime") or "container"
    template["ContainerSpec"] = {"Isolation": "default", **template.get("ContainerSpec", {})}
    document["Mode"] = _mode(document.get("Mode") or {})
    for key in ("UpdateConfig", "RollbackConfig"):
        if isinstance(spec.get(key), Mapping):
            document[key] = _update_config(spec[key])
    if isinstance(spec.get("EndpointSpec"), Mapping):
        document["EndpointSpec"] = _endpoint(spec["EndpointSpec"])
    return document


def _endpoint(endpoint: Mapping[str, Any]) -> Document:
    ports = [_port(port) for port in endpoint.get("Ports") or ()]
    mode = {"Mode": endpoint.get("Mode") or "vip"}
    return {**mode, "Ports": ports} if ports else mode


def _port(port: Mapping[str, Any]) -> Document:
    name = {"Name": port["Name"]} if port.get("Name") else {}
    result = {**name, "Protocol": port.get("Protocol") or "tcp", "TargetPort": int(port.get("TargetPort") or 0)}
    if port.get("PublishedPort"):
        result["PublishedPort"] = int(port["PublishedPort"])
    return {**result, "PublishMode": port.get("PublishMode") or "ingress"}


def with_part(spec: Document, path: str, value: Any) -> Document:
    """The spec with one part of it replaced, ``TaskTemplate.ContainerSpec.Env``; None takes it off."""
    changed = copy.deepcopy(spec)
    *parents, last = path.split(".")
    part = changed
    for key in parents:
        part = part.setdefault(key, {})
    if value is None:
        part.pop(last, None)
    else:
        part[last] = value
    return changed


def _update_config(config: Mapping[str, Any]) -> Document:
    result: Document = {"Parallelism": int(config.get("Parallelism") or 0)}
    if config.get("Delay"):
        result["Delay"] = int(config["Delay"])
    result["FailureAction"] = config.get("FailureAction") or "pause"
    if config.get("Monitor"):
        result["Monitor"] = int(config["Monitor"])
    result["MaxFailureRatio"] = config.get("MaxFailureRatio") or 0
    return {**result, "Order": config.get("Order") or "stop-first"}


def _mode(mode: Document) -> Document:
    if "Global" in mode or "GlobalJob" in mode or "ReplicatedJob" in mode:
        return mode
    replicas = (mode.get("Replicated") or {}).get("Replicas")
    return {"Replicated": {"Replicas": 1 if replicas is None else int(replicas)}}


def _pruned(value: Any, key: str) -> Any:
    """The value without what is empty or zero in it; None where nothing is left that the engine would give back."""
    if isinstance(value, Mapping):
        inner = {name: _pruned(item, name) for name, item in value.items()}
        kept = {name: item for name, item in inner.items() if item is not None}
        return kept if kept or key in _KEPT_EMPTY else None
    if isinstance(value, list):
        return [_pruned(item, "") if isinstance(item, Mapping) else item for item in value] or None
    if value in (0, "", False) and key not in _KEPT_ZERO:
        return None
    return value
