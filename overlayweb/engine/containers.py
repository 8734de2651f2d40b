"""Containers of one engine that belong to no service, and which networks they are on."""

import json
from collections.abc import Mapping
from typing import Any

from overlayweb.domain.swarm import Container
from overlayweb.engine import ourselves
from overlayweb.engine.calls import Calls

_OF_A_SERVICE = "com.docker.swarm.task.id"
"""A label that the engine gives each container of a service."""


def standalone(calls: Calls) -> tuple[Container, ...]:
    """The running containers of this engine that no service owns."""
    rows = calls.rows("containers", "json", as_=dict, doing="read the containers")
    own = tuple(ourselves.container_ids())
    return tuple(_container(row, own) for row in rows if _OF_A_SERVICE not in (row.get("Labels") or {}))


def connect(calls: Calls, *, network_id: str, container_id: str) -> None:
    """Connect a container to a network. Raises Refused with the engine's reason, NotFound when either is gone."""
    body = json.dumps({"Container": container_id})
    calls.post("networks", network_id, "connect", body=body, doing="connect the container")


def disconnect(calls: Calls, *, network_id: str, container_id: str) -> None:
    """Disconnect a container from a network, in order and not by force."""
    body = json.dumps({"Container": container_id, "Force": False})
    calls.post("networks", network_id, "disconnect", body=body, doing="disconnect the container")


def _container(row: Mapping[str, Any], own: tuple[str, ...]) -> Container:
    networks = ((row.get("NetworkSettings") or {}).get("Networks") or {}).values()
    return Container(
        id=row["Id"],
        name=next(iter(row.get("Names") or ()), "").removeprefix("/"),
        image=row.get("Image", ""),
        network_ids=tuple(sorted(network.get("NetworkID", "") for network in networks)),
        own=bool(own) and row["Id"].startswith(own),
    )
