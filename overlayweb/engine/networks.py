"""Overlays made, and the containers outside services that hang on them."""

import json
from dataclasses import replace
from typing import Any

from overlayweb.domain.ingress_settings import MTU_OPTION
from overlayweb.domain.network_settings import ENCRYPTED_OPTION, NetworkSettings
from overlayweb.domain.swarm import IpamConfig, SwarmTask
from overlayweb.engine import parts, reading
from overlayweb.engine.calls import Calls
from overlayweb.engine.errors import EngineUnreachable


def create(calls: Calls, *, settings: NetworkSettings, labels: dict[str, str]) -> str:
    """Create an overlay with ``settings`` and the extra ``labels``; returns its full id.

    Only registered, not allocated yet, when this returns. After an EngineUnreachable or EngineFault it may exist:
    look for its labels. Raises AlreadyExists for a name that is taken.
    """
    body = json.dumps(overlay_body(settings=settings, labels=labels))
    made = calls.post("networks", "create", body=body, doing=f"create the network {settings.name}")
    if not isinstance(made, dict) or not made.get("Id"):
        raise EngineUnreachable(f"{calls.endpoint} created a network but does not say which. Look it up.")
    return str(made["Id"])


def attachments(calls: Calls) -> tuple[SwarmTask, ...]:
    """The Swarm tasks that stand for containers outside services; a plain list of tasks leaves them out."""
    only = json.dumps({"runtime": ["attachment"]})
    found = calls.rows("tasks", as_=attachment, doing="read the standalone containers", filters=only)
    return parts.on_nodes_there(calls, found)


def attachment(raw: dict[str, Any]) -> SwarmTask:
    """A row of GET /tasks for such a container: its id is in the spec, and it belongs to no service."""
    spec = (raw.get("Spec") or {}).get("NetworkAttachmentSpec") or {}
    return replace(reading.swarm_task(raw), container_id=str(spec.get("ContainerID", "")))


def overlay_body(*, settings: NetworkSettings, labels: dict[str, str]) -> dict[str, Any]:
    """The request that creates an overlay. What is not set is left to Swarm."""
    options = dict(settings.options)
    if settings.mtu is not None:
        options[MTU_OPTION] = str(settings.mtu)
    if settings.encrypted:
        options[ENCRYPTED_OPTION] = ""
    return {
        "Name": settings.name,
        "CheckDuplicate": True,  # engines before API 1.44 look for the name only when asked to
        "Driver": "overlay",
        "Scope": "swarm",
        "Attachable": settings.attachable,
        "Internal": settings.internal,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [_config(row) for row in settings.subnets]},
        "Options": options,
        "Labels": {**dict(settings.labels), **labels},
    }


def _config(row: IpamConfig) -> dict[str, str]:
    config = {"Subnet": row.subnet, "Gateway": row.gateway, "IPRange": row.ip_range}
    return {key: text for key, text in config.items() if text}
