"""Containers as an engine lists them: GET /containers/json."""

from overlayweb.simulator.daemons import Container, Daemon, Standalone
from overlayweb.simulator.records import Document
from overlayweb.simulator.store import Store


def rows(daemon: Daemon, store: Store) -> list[Document]:
    """The containers that run on this node, those that are being stopped too."""
    running = [_row(box, daemon, store) for box in daemon.containers if box.running]
    return running + [_row_of_standalone(box, daemon, store) for box in daemon.standalone.values()]


def _row(box: Container, daemon: Daemon, store: Store) -> Document:
    swarm_task = box.swarm_task
    spec = swarm_task.spec["ContainerSpec"]
    service = store.services.get(swarm_task.service_id)
    labels = {
        **(spec.get("Labels") or {}),
        "com.docker.swarm.node.id": daemon.node.id,
        "com.docker.swarm.service.id": swarm_task.service_id,
        "com.docker.swarm.service.name": service.name if service else "",
        "com.docker.swarm.task.id": swarm_task.id,
    }
    return {
        **_common(box, daemon, store),
        "Image": spec["Image"],
        "Command": " ".join(spec.get("Command") or ()),
        "Labels": labels,
        "Mounts": spec.get("Mounts") or [],
    }


def _row_of_standalone(box: Standalone, daemon: Daemon, store: Store) -> Document:
    row = {**_common(box, daemon, store), "Image": box.image, "Command": "", "Labels": {}, "Mounts": []}
    bridge = next((local for local in daemon.networks.values() if local.name == "bridge"), None)
    if bridge is not None:
        row["NetworkSettings"]["Networks"]["bridge"] = {"NetworkID": bridge.id, "IPAddress": "172.17.0.2"}
    return row


def _common(box: Container | Standalone, daemon: Daemon, store: Store) -> Document:
    names = {local.id: local.name for local in daemon.networks.values()}
    networks = {names.get(key, key): {"NetworkID": key, "IPAddress": addr} for key, addr in box.addresses.items()}
    return {
        "Id": box.id,
        "Names": [f"/{box.name}"],
        "ImageID": "",
        "Created": int(store.started_at.timestamp() + box.created_at),
        "Ports": [],
        "State": "running",
        "Status": f"Up {int(store.now - box.created_at)} seconds",
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": networks},
    }
