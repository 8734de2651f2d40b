"""What several tests do: networks and services, made, changed and looked at."""

from collections import Counter
from typing import Any

from tests.contract.grounds import Document, Ground
from tests.lab import services

LEFT = ("shutdown", "failed", "complete", "rejected", "remove")
SECOND = services.SECOND
MEBIBYTE = services.MEBIBYTE

REFUSED = 300


def rpc(code: str, words: str) -> str:
    """How a refusal by the Swarm part of an engine reads."""
    return f"rpc error: code = {code} desc = {words}"


def networks(ground: Ground) -> dict[str, Document]:
    """The manager's list by id."""
    return {row["Id"]: row for row in ground.get("/networks")}


def ingress(ground: Ground) -> Document:
    """The one ingress that the manager lists."""
    (found,) = [row for row in networks(ground).values() if row["Ingress"]]
    return found


def remove_ingress(ground: Ground) -> None:
    """Remove the ingress and wait until its name is free."""
    removed = ingress(ground)["Id"]
    ground.do("DELETE", f"/networks/{removed}")
    ground.until(lambda: removed not in networks(ground), "the ingress to go")


def create_ingress(ground: Ground, *, subnet: str = "10.12.0.0/24", allocated: bool = True, **more: object) -> str:
    """Create an ingress; returns its id, by default when it is allocated."""
    ipam = {"Driver": "default", "Config": [{"Subnet": subnet}]}
    body = {"Name": "ingress", "Driver": "overlay", "Ingress": True, "IPAM": ipam, **more}
    made = str(ground.do("POST", "/networks/create", body)["Id"])
    if allocated:
        ground.until(lambda: networks(ground)[made]["Driver"], "the ingress to be allocated")
    return made


def create_overlay(ground: Ground, name: str, **more: object) -> str:
    """Create an overlay and wait until it is allocated."""
    made = str(ground.do("POST", "/networks/create", {"Name": name, "Driver": "overlay", **more})["Id"])
    ground.until(lambda: networks(ground)[made]["Driver"], "the overlay to be allocated")
    return made


def create(ground: Ground, spec: Document, *, wait: bool = True) -> str:
    """Create a service; returns its id, by default when it is at full strength."""
    made = str(ground.do("POST", "/services/create", spec)["ID"])
    if wait:
        ground.until(lambda: full(ground, made), f"{spec['Name']} to run", seconds=60)
    return made


def web(ground: Ground, name: str = "web", *, port: int = 8001, **more: Any) -> str:
    """Create a published service of three replicas that stop at once, and wait for it."""
    return create(ground, {**services.replicated(name, services.ingress_port(port)), **more})


def service(ground: Ground, service_id: str) -> Document:
    """The service as inspected."""
    found: Document = ground.get(f"/services/{service_id}")
    return found


def change(ground: Ground, service_id: str, *, template: Document | None = None, **parts: object) -> Document:
    """Replace top-level parts of a spec, and parts of its task template; None takes one off. Returns the spec."""
    while True:
        row = service(ground, service_id)
        spec = {**row["Spec"], **parts}
        spec["TaskTemplate"] = {**spec["TaskTemplate"], **(template or {})}
        spec = {key: value for key, value in spec.items() if value is not None}
        if _taken(ground, row, spec):
            return spec


def write(ground: Ground, service_id: str, spec: Document) -> None:
    """Replace a spec as a whole."""
    while not _taken(ground, service(ground, service_id), spec):
        pass


def _taken(ground: Ground, row: Document, spec: Document) -> bool:
    """Send a spec; whether it was taken. Swarm raises versions by itself: then one has to look again."""
    answer = ground.ask("POST", f"/services/{row['ID']}/update", spec, version=row["Version"]["Index"])
    assert answer.status < REFUSED or "out of sequence" in answer.words, answer.words
    return answer.status < REFUSED


def remove(ground: Ground, *service_ids: str) -> None:
    """Remove services and wait until no Swarm task of theirs is listed."""
    for service_id in service_ids:
        ground.do("DELETE", f"/services/{service_id}")
    ground.until(lambda: not any(rows(ground, key) for key in service_ids), "their tasks to go", seconds=60)


def status(ground: Ground, service_id: str) -> Document:
    """The counts of its Swarm tasks."""
    found = next(row for row in ground.get("/services", status=True) if row["ID"] == service_id)
    counts: Document = found["ServiceStatus"]
    return counts


def full(ground: Ground, service_id: str) -> bool:
    """Whether as many run as are wanted, and no update is under way."""
    counts = status(ground, service_id)
    row = service(ground, service_id)
    at_rest = row.get("UpdateStatus", {}).get("State") not in ("updating", "rollback_started")
    # A new global service wants none at first.
    fewest = min(1, row["Spec"]["Mode"].get("Replicated", {}).get("Replicas", 1))
    return bool(counts["RunningTasks"] == counts["DesiredTasks"] >= fewest and at_rest)


def rows(ground: Ground, service_id: str) -> list[Document]:
    """All its Swarm tasks that are listed."""
    return [row for row in ground.get("/tasks") if row["ServiceID"] == service_id]


def ids(ground: Ground, service_id: str) -> set[str]:
    """The ids of all its Swarm tasks that are listed."""
    return {row["ID"] for row in rows(ground, service_id)}


def states(ground: Ground, service_id: str) -> Counter[str]:
    """How many of its Swarm tasks that shall run are in which state."""
    wanted = [row for row in rows(ground, service_id) if row["DesiredState"] == "running"]
    return Counter(row["Status"]["State"] for row in wanted)


def on_network(ground: Ground, network_id: str) -> list[Document]:
    """The Swarm tasks that are on a network and have not left it."""
    return [
        row
        for row in ground.get("/tasks")
        if row["Status"]["State"] not in LEFT and any(network_id == key for key in attached(row))
    ]


def running_on(ground: Ground, network_id: str) -> list[Document]:
    """The running Swarm tasks on a network."""
    return [row for row in on_network(ground, network_id) if row["Status"]["State"] == "running"]


def attached(row: Document) -> list[str]:
    """The ids of the networks of a Swarm task."""
    return [one["Network"]["ID"] for one in row.get("NetworksAttachments") or ()]


def label_nodes(ground: Ground, value: str) -> None:
    """Write a label on every node, which makes the leader look at it."""
    for row in ground.get("/nodes"):
        spec = {**row["Spec"], "Labels": {"nudge": value} if value else {}}
        ground.do("POST", f"/nodes/{row['ID']}/update", spec, version=row["Version"]["Index"])


def set_availability(ground: Ground, node: str, availability: str) -> None:
    """Make a node active, pause or drain."""
    row = ground.get(f"/nodes/{node}")
    spec = {**row["Spec"], "Availability": availability}
    ground.do("POST", f"/nodes/{row['ID']}/update", spec, version=row["Version"]["Index"])


def unpublished() -> Document:
    """The part of a spec that publishes nothing."""
    return {"Mode": "vip"}


def published(*ports: int) -> Document:
    """The part of a spec that publishes these ports through the routing mesh."""
    return {"Mode": "vip", "Ports": [services.ingress_port(port) for port in ports]}
