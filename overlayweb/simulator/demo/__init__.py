"""The demo's Swarm, written as Docker's own create documents: five nodes, six stacks, forty services.

Not all of it is well. The overlay `search_mesh` is nearly exhausted; `analytics_lake` overlaps two others, so Swarm
never allocates it; and the ingress lies in a range that the office routes to itself.
"""

import json
from pathlib import Path
from typing import Any

from overlayweb.simulator.world import World

Document = dict[str, Any]

STACKS = ("edge", "shop", "payments", "search", "office", "observe")
INGRESS = {"Subnet": "10.20.0.0/24", "Gateway": "10.20.0.1"}
EARLIER_INGRESS = {"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1"}
"""What Swarm makes by itself."""

_HERE = Path(__file__).parent
_MTU = {"com.docker.network.driver.mtu": "1450"}
_PATIENCE_SECONDS = 120.0
_STUBBORN = ("bookstack", "opensearch-dashboards", "uptime-kuma")
"""Images whose containers ignore the signal to stop and are killed when their grace is over."""


def fill(world: World, _nodes: int = 0) -> None:
    """The Swarm as the demo begins, with everything at full strength."""
    _fill(world, ingress=INGRESS, options=_MTU)


def fill_earlier(world: World, _nodes: int = 0) -> None:
    """The same Swarm before the demo's past jobs."""
    _fill(world, ingress=EARLIER_INGRESS, options={})


def _fill(world: World, *, ingress: Document, options: Document) -> None:
    for node in _read("nodes.json"):
        world.add_node(**node)
    _settle(world)
    _replace_ingress(world, ingress, options)
    stacks = [_read(f"stacks/{name}.json") for name in STACKS] + [_read("analytics.json")]
    for stack in stacks:
        for network in stack["networks"]:
            world.create_network(network)
        world.advance(to=world.now + 1)
    ids = {row["Name"]: row["Id"] for row in world.networks()}
    for service in (service for stack in stacks for service in stack["services"]):
        _teach(world, service["TaskTemplate"]["ContainerSpec"])
        world.create_service(_with_ids(service, ids))
    _settle(world)


def _replace_ingress(world: World, config: Document, options: Document) -> None:
    """Nothing is published yet, so the one that Swarm made may simply go."""
    old = next(row["Id"] for row in world.networks() if row["Ingress"])
    world.remove_network(old)
    _settle(world)
    body = {"Name": "ingress", "Driver": "overlay", "Scope": "swarm", "Ingress": True, "Options": options}
    world.create_network({**body, "IPAM": {"Driver": "default", "Config": [config]}})
    _settle(world)


def _teach(world: World, container: Document) -> None:
    """How containers of this image take being told to stop: most end by themselves."""
    if not container.get("Init"):
        image = container["Image"]
        world.set_image(image, ignores_signals=any(name in image for name in _STUBBORN))


def _with_ids(service: Document, ids: dict[str, str]) -> Document:
    """The document with its networks by id, as the docker command sends it."""
    template = service["TaskTemplate"]
    wanted = [{**row, "Target": ids[row["Target"]]} for row in template.get("Networks", ())]
    return {**service, "TaskTemplate": {**template, "Networks": wanted}}


def _settle(world: World) -> None:
    """Let time pass until everything that was begun has ended."""
    world.advance(to=world.now + _PATIENCE_SECONDS)


def _read(name: str) -> Any:
    return json.loads((_HERE / name).read_text(encoding="utf-8"))
