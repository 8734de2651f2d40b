"""The rebuild as a careless script does it, and the signs of what it leaves behind.

Swarm lets the ingress go as soon as no service *spec* publishes through it, though containers are
still attached. The nodes then can not release it, only log that, and never try again.
"""

import contextlib
import copy
import time
from http import HTTPStatus
from typing import Any

import docker

from tests.lab import health
from tests.lab.daemon import Node
from tests.lab.swarm import Lab

_PATIENCE = 5.0


def rebuild(node: Node, *, subnet: str, gateway: str) -> str | None:
    """Unpublish all, remove the ingress, create it with `subnet`, publish all: nothing waited for.

    Like a script that does not look at what its commands answer, it goes on where one is refused.
    Returns the id of the new ingress, None if the engine did not make one.
    """
    published = [_spec(service) for service in _services(node) if _publishes(service)]
    for service_id, spec in published:
        _update(node, service_id, {**spec, "EndpointSpec": {"Mode": "vip"}})
    for network_id in health.ingress_ids(node):
        node.request("DELETE", f"/networks/{network_id}")
    created = _create_ingress(node, subnet=subnet, gateway=gateway)
    for service_id, spec in published:
        with contextlib.suppress(docker.errors.APIError):
            _update(node, service_id, spec)
    return created


def is_wedged(lab: Lab) -> list[str]:
    """Return the signs that a careless rebuild has wedged the Swarm; none if it is well.

    Signs are: not exactly one ingress, nodes that hold one the Swarm has removed, tasks refused for
    it, services below strength. Ask when updates have had their time: one under way counts too.
    """
    manager = lab.manager
    stale = health.stale_ingress(lab.nodes)
    removed = {key for ids in stale.values() for key in ids}
    current = [key for key in health.ingress_ids(manager) if key not in removed]
    signs = [f"the Swarm has {len(current)} ingress networks"] if len(current) != 1 else []
    signs += [f"{name} holds the stale ingress {key}" for name, ids in stale.items() for key in ids]
    weak = [strength for strength in health.strengths(manager) if not strength.full]
    refusals = _refusals(manager, {strength.service_id for strength in weak})
    signs += [f"{len(refusals)} tasks were rejected: {refusals[0]}"] if refusals else []
    return signs + [f"below strength: {strength}" for strength in weak]


def _services(node: Node) -> list[dict[str, Any]]:
    return list(node.request("GET", "/services"))


def _publishes(service: dict[str, Any]) -> bool:
    ports = service["Spec"].get("EndpointSpec", {}).get("Ports", [])
    return any(port["PublishMode"] == "ingress" for port in ports)


def _spec(service: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return service["ID"], copy.deepcopy(service["Spec"])


def _update(node: Node, service_id: str, spec: dict[str, Any]) -> None:
    """Update a service, again if Swarm itself changed it in between."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        version = node.request("GET", f"/services/{service_id}")["Version"]["Index"]
        try:
            node.request("POST", f"/services/{service_id}/update", spec, version=version)
        except docker.errors.APIError as error:
            if "out of sequence" not in str(error) or time.monotonic() > deadline:
                raise
        else:
            return


def _create_ingress(node: Node, *, subnet: str, gateway: str) -> str | None:
    """Create the ingress, a few times while the name is still taken by the one just removed.

    From API 1.44 on the engine refuses the name for as long as its own node holds the old one.
    """
    spec = {
        "Name": "ingress",
        "Driver": "overlay",
        "Ingress": True,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": subnet, "Gateway": gateway}]},
    }
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            return str(node.request("POST", "/networks/create", spec)["Id"])
        except docker.errors.APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
        time.sleep(0.1)
    return None


def _refusals(manager: Node, service_ids: set[str]) -> list[str]:
    """Return why tasks of these services were rejected on account of the ingress.

    Rows of rejected tasks stay listed long after their service runs again, so only services that do
    not are asked for. The words differ: `ingress sandbox already present`, or, where the new subnet
    is another one, `no configured subnet or ip-range contain the IP address` from engine 26 on.
    """
    rows = [row for row in manager.request("GET", "/tasks") if row["ServiceID"] in service_ids]
    rejected = [row["Status"] for row in rows if row["Status"]["State"] == "rejected"]
    return [status["Err"] for status in rejected if "ingress" in status.get("Err", "")]
