"""Stages on which services, or standalone containers, come onto overlays and leave them; what must be so in the end."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from overlayweb.domain import attaching, connect_plans, container_plans, specs, standings
from overlayweb.domain.connect_plans import ConnectPlan, ConnectRequest
from overlayweb.domain.container_plans import ContainerLink, ContainerPlan, ContainerRequest
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.links import Link, Publication
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import differences
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.models import Job
from overlayweb.simulator.world import World
from tests.faults import overlay_stages, stage

if TYPE_CHECKING:
    from tests.faults.director import Run

SIDE = "side"
POND = "pond"
FRONT = "front"
_RAW = {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8102, "PublishMode": INGRESS_MODE}
NODES = ("node1", "node2", "node2")
"""Where the standalone containers run. The last one is on the overlay when the job begins, and is to leave."""


def content(world: World, nodes: int) -> None:
    """The services on overlays, and one that publishes a port."""
    overlay_stages.content(world, nodes)
    front = next(spec for spec in stage.specs() if spec["Name"] == "web")
    world.create_service({**front, "Name": FRONT, "EndpointSpec": {"Mode": "vip", "Ports": [_RAW]}})
    world.advance(to=world.now + stage.AT_REST)


def wanted(swarm: Swarm) -> ConnectRequest:
    """One that only leaves, a global one that only joins, one that joins under two names, one that does both.

    The one that leaves publishes a port besides; another one changes its port and nothing else.
    """
    networks = {network.name: network.id for network in swarm.networks}
    services = {service.name: service.id for service in swarm.services}

    def link(service: str, network: str, *aliases: str, attach: bool = True) -> Link:
        return Link(service_id=services[service], network_id=networks[network], attach=attach, aliases=aliases)

    return ConnectRequest(
        links=(
            link("web", overlay_stages.OLD, attach=False),
            link("agent", SIDE),
            link("worker", SIDE, "jobs", "queue"),
            link("inner", overlay_stages.OLD),
            link("inner", SIDE, attach=False),
        ),
        publications=(
            Publication(service_id=services["web"], publish=(_port(8201),)),
            Publication(service_id=services[FRONT], publish=(_port(8202, mode="host"),), unpublish=(_port(8102),)),
        ),
    )


def _port(published: int, *, mode: str = INGRESS_MODE) -> PublishedPort:
    return PublishedPort(target_port=80, published_port=published, publish_mode=mode)


def content_with_boxes(world: World, nodes: int) -> None:
    """The services, an attachable overlay, and containers of no service, one of them on it."""
    overlay_stages.content(world, nodes)
    config = {"IPAM": {"Config": [{"Subnet": "10.35.0.0/24"}]}}
    pond = world.create_network({"Name": POND, "Driver": "overlay", "Attachable": True, **config})["Id"]
    world.advance(to=world.now + 2)
    boxes = [world.boxes.run(node, f"box{number}") for number, node in enumerate(NODES)]
    world.boxes.connect(pond, boxes[-1], NODES[-1])
    world.advance(to=world.now + 2)


def boxes_wanted(swarm: Swarm) -> ContainerRequest:
    """Those that are not on the overlay join, the one that is leaves."""
    pond = next(network.id for network in swarm.networks if network.name == POND)
    links = tuple(
        ContainerLink(node_id=node.id, container_id=box.id, attach=pond not in box.network_ids)
        for node, box in container_plans.known(swarm)
    )
    return ContainerRequest(network_id=pond, links=links)


def boxes_moved(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    """Each container is where it was asked to be, or where it was; each place is there once.

    Where an engine ended, nothing starts its containers again.
    """
    request = ContainerPlan.of(job.plan()).request
    ended = {deed.what for deed in run.scenario.deeds if deed.kind in {"crash", "daemon"}}
    ended_ids = {node.id for node in before.nodes if node.hostname in ended}
    lost = {link.container_id for link in request.links if link.node_id in ended_ids}
    held = sorted(row.container_id for row in before.attachments if row.container_id not in lost)
    if job.status == JobStatus.SUCCEEDED:
        held = sorted(link.container_id for link in request.links if link.attach and link.container_id not in lost)
    on = [row.container_id for row in now.attachments if row.may_be_on(request.network_id)]
    there = sorted(key for key in on if key not in lost)
    if there != held:
        yield f"on {POND} are {there}, not {held}"
    yield from overlay_stages.services_stay(run, before, now)


def connected(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    """Each service has the networks and ports that were asked for and is otherwise as it was; or is as it was
    altogether.
    """
    nothing = ConnectRequest(links=())
    request = ConnectPlan.of(job.plan()).request if job.status == JobStatus.SUCCEEDED else nothing
    for was in before.services:
        service = next(row for row in now.services if row.id == was.id)
        yield from _of_service(run, before, now, was, service, request)


def _of_service(
    run: "Run", before: Swarm, now: Swarm, was: Service, service: Service, request: ConnectRequest
) -> Iterator[str]:
    attach, detach = connect_plans.links_of(request.links, was.id)
    ports = connect_plans.publication_of(request, was.id) or Publication(service_id=was.id)
    spec = overlay_stages.without_edit(run, service)
    expected = specs.republished(
        attaching.linked(was.spec, attach=attach, detach=detach), publish=ports.publish, unpublish=ports.unpublish
    )
    if set(service.ports) != set(ports.of(was.ports)):
        yield f"{service.name} publishes {standings.ports_text(service.ports)}"
    if spec != expected:
        yield f"{service.name} differs at {differences(expected, spec) or 'bytes alone'}"
    running = now.running_on(service.id)
    if len(running) != len(before.running_on(was.id)):
        yield f"{service.name} runs {len(running)}"
    on_ingress = {network.id for network in now.ingress_networks} if service.ingress_ports else set()
    if any({*swarm_task.network_ids} != {*service.network_ids} | on_ingress for swarm_task in running):
        yield f"containers of {service.name} are on other networks"
