"""What a lab's Swarm looks like from outside and from each node: running, clean, or neither."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.lab.daemon import Node


_RELEASE_FAILED = re.compile(r"Failed to delete ingress network (\w+)")


@dataclass(frozen=True, kw_only=True)
class Strength:
    """How many containers of a service run, of how many that are wanted."""

    service: str
    service_id: str
    running: int
    wanted: int
    updating: bool

    @property
    def full(self) -> bool:
        """Whether all wanted containers run, and no update is about to change that."""
        return self.running == self.wanted and not self.updating

    def __str__(self) -> str:
        suffix = ", updating" if self.updating else ""
        return f"{self.service} {self.running}/{self.wanted}{suffix}"


def strengths(manager: "Node") -> list[Strength]:
    """Return the strength of every service, sorted by name."""
    services = manager.request("GET", "/services", status="true")
    return sorted((_strength(service) for service in services), key=lambda found: found.service)


def _strength(service: dict[str, Any]) -> Strength:
    status = service["ServiceStatus"]
    return Strength(
        service=service["Spec"]["Name"],
        service_id=service["ID"],
        running=status["RunningTasks"],
        wanted=status["DesiredTasks"],
        updating=service.get("UpdateStatus", {}).get("State") == "updating",
    )


def ingress_ids(manager: "Node") -> list[str]:
    """Return the ids of all ingress networks that a manager lists, the newest first.

    The list holds what the Swarm has and what the manager's own node has; it does not say which is
    which. Two mean that this node did not let the older one go.
    """
    networks = [row for row in manager.request("GET", "/networks") if row.get("Ingress")]
    return [row["Id"] for row in sorted(networks, key=lambda row: str(row["Created"]), reverse=True)]


def stale_ingress(nodes: Iterable["Node"]) -> dict[str, list[str]]:
    """Return which nodes hold an ingress that the Swarm has removed: node names to network ids.

    Each engine logs when it fails to let an ingress go, and never tries again until it is started
    anew; the id in that line, found among its networks still, is the proof.
    """
    found = {node.name: sorted(_unreleased(node) & node.local_networks().keys()) for node in nodes}
    return {name: ids for name, ids in found.items() if ids}


def _unreleased(node: "Node") -> set[str]:
    return set(_RELEASE_FAILED.findall(node.log))
