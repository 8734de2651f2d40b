"""What a lab's Swarm looks like from outside and from each node: running, clean, or neither."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.lab.daemon import Node


@dataclass(frozen=True, kw_only=True)
class Strength:
    """How many containers of a service run, of how many that are wanted."""

    service: str
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
        running=status["RunningTasks"],
        wanted=status["DesiredTasks"],
        updating=service.get("UpdateStatus", {}).get("State") == "updating",
    )


def ingress_ids(manager: "Node") -> list[str]:
    """Return the ids of all ingress networks a manager lists, the newest first; one, if all is well.

    The list holds what the Swarm has and what the manager's own node has: two mean that this node
    never let the older one go.
    """
    networks = [row for row in manager.request("GET", "/networks") if row.get("Ingress")]
    return [row["Id"] for row in sorted(networks, key=lambda row: str(row["Created"]), reverse=True)]


def stale_ingress(node: "Node", current: str) -> list[str]:
    """Return the ids of networks called ingress that a node holds and that are not `current`."""
    networks = node.local_networks()
    return sorted(key for key, name in networks.items() if name == "ingress" and key != current)
