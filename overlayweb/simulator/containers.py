"""Containers as an engine lists them: GET /containers/json."""

from overlayweb.simulator.daemons import Container, Daemon
from overlayweb.simulator.records import Document
from overlayweb.simulator.store import Store


def rows(daemon: Daemon, store: Store) -> list[Document]:
    """The containers that run on this node, those that are being stopped too."""
    return [_row(box, daemon, store) for box in daemon.containers if box.running]


def _row(box: Container, daemon: Daemon, store: Store) -> Document:
    swarm_task = box.swarm_task
    spec = swarm_task.spec["ContainerSpec"]
    service = store.services.get(swarm_task.service_id)
    names = {local.id: local.name for local in daemon.networks.values()}
    networks = {names.get(key, key): {"NetworkID": key, "IPAddress": addr} for key, addr in box.addresses.items()}
    return {
        "Id": box.id,
        "Names": [f"/{box.name}"],
        "Image": spec["Image"],
        "ImageID": "",
        "Command": " ".join(spec.get("Command") or ()),
        "Created": int(store.started_at.timestamp() + box.created_at),
        "Ports": [],
        "Labels": {
            **(spec.get("Labels") or {}),
            "com.docker.swarm.node.id": daemon.node.id,
            "com.docker.swarm.service.id": swarm_task.service_id,
            "com.docker.swarm.service.name": service.name if service else "",
            "com.docker.swarm.task.id": swarm_task.id,
        },
        "State": "running",
        "Status": f"Up {int(store.now - box.created_at)} seconds",
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": networks},
        "Mounts": spec.get("Mounts") or [],
    }
