"""Stages on an overlay that is replaced: services on it, one that only remembers it, and what must be so in the end."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from overlayweb.domain import drift, network_settings
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.network_plans import CreatePlan, CreateRequest, DeleteRequest
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.replace_plans import ReplacePlan, ReplaceRequest
from overlayweb.domain.specs import Spec, differences
from overlayweb.domain.swarm import IpamConfig, Network, Service, Swarm
from overlayweb.models import Job
from overlayweb.services import drifts
from overlayweb.simulator.simulation import empty
from overlayweb.simulator.world import World
from tests.faults import stage

if TYPE_CHECKING:
    from tests.faults.director import Run

OLD = "shop"
NEW = "shop-wide"
SPARE = "spare"
SUBNET = "10.31.0.0/24"
WIDER = "10.32.0.0/22"
SPARE_SUBNET = "10.34.0.0/24"
SECOND = stage.SECOND
FIRST = {"Parallelism": 1, "Order": "start-first", "Monitor": SECOND}
AFTER_THE_OTHER = {"Parallelism": 1, "Order": "stop-first", "Monitor": SECOND}


def content(world: World, nodes: int) -> None:
    """Four services on two overlays, and one that has left the first."""
    empty(world, nodes)
    for name, subnet in ((OLD, SUBNET), ("side", "10.33.0.0/24")):
        body = {"Name": name, "Driver": "overlay", "IPAM": {"Config": [{"Subnet": subnet}]}, "Labels": {"team": name}}
        world.create_network(body)
    world.advance(to=world.now + 2)
    on_shop = {"Target": OLD, "Aliases": ["api", "backend"], "DriverOpts": {"colour": "blue"}}
    for spec in (
        _service("web", 2, [{"Target": "side"}, on_shop], FIRST),
        _service("worker", 1, [{"Target": OLD}], AFTER_THE_OTHER),
        _service("agent", None, [{"Target": OLD}], None),
        _service("left", 1, [{"Target": OLD}, {"Target": "side"}], FIRST),
        _service("inner", 1, [{"Target": "side"}], None),
    ):
        world.create_service(spec)
    world.advance(to=world.now + stage.AT_REST)
    left = world.service("left")
    spec = copy.deepcopy(left["Spec"])
    spec["TaskTemplate"]["Networks"] = spec["TaskTemplate"]["Networks"][1:]
    world.update_service("left", left["Version"]["Index"], spec)
    world.advance(to=world.now + stage.AT_REST)


def request(swarm: Swarm, *, keep_name: bool) -> ReplaceRequest:
    """A wider subnet and another MTU."""
    old = next(network for network in swarm.networks if network.name == OLD)
    settings = replace(
        network_settings.of_network(old), name=NEW, mtu=1400, subnets=(IpamConfig(subnet=WIDER, gateway="10.32.0.1"),)
    )
    return ReplaceRequest(network_id=old.id, settings=settings, keep_name=keep_name)


def content_with_spare(world: World, nodes: int) -> None:
    """The same, and an overlay that nobody is on."""
    content(world, nodes)
    world.create_network({"Name": SPARE, "Driver": "overlay", "IPAM": {"Config": [{"Subnet": SPARE_SUBNET}]}})
    world.advance(to=world.now + 2)


def wanted(swarm: Swarm) -> CreateRequest:
    """An overlay that nobody has yet."""
    del swarm
    return CreateRequest(settings=NetworkSettings(name=SPARE, subnets=(IpamConfig(subnet=SPARE_SUBNET),), mtu=1400))


def unwanted(swarm: Swarm) -> DeleteRequest:
    """The overlay that nobody is on."""
    return DeleteRequest(network_id=next(network.id for network in swarm.networks if network.name == SPARE))


def created(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    """The network is there once, as planned, or not at all; nothing else has moved."""
    found = [network for network in now.networks if network.name == SPARE]
    if job.status != JobStatus.SUCCEEDED:
        if found and not _came_late(run, job, now, found):
            yield f"{SPARE} is still there"
    elif [network_settings.of_network(network) for network in found] != [CreatePlan.of(job.plan()).after]:
        yield f"there is {found}"
    yield from services_stay(run, before, now)


def _came_late(run: "Run", job: Job, now: Swarm, found: list[Network]) -> bool:
    """Whether the call that made it was on its way when its worker was taken over, and the drift page names the job."""
    verbs = [line["verb"] for line in stage.changes_in_flight(run.folder, run.story.taken_over)]
    approved = drifts._approved(job.cluster_id)
    told = {(row.name, row.job) for row in drift.find(swarm=now, approved=approved, since=job.created_at).drifts}
    return verbs.count("create_network") == len(found) and {(network.name, job.pk) for network in found} <= told


def deleted(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    """The network is gone, or there as it was."""
    found = [network for network in now.networks if network.name == SPARE]
    if bool(found) == (job.status == JobStatus.SUCCEEDED):
        yield f"the job {job.status}, and there is {found}"
    yield from services_stay(run, before, now)


def services_stay(run: "Run", before: Swarm, now: Swarm) -> Iterator[str]:
    """Services whose spec is not as it was."""
    for was in before.services:
        service = next(row for row in now.services if row.id == was.id)
        if service.spec != was.spec and service.name not in run.story.edited:
            yield f"{was.name} differs at {differences(was.spec, service.spec)}"


def different(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    """What is not as it must be: the networks, and each service but for the network in the old one's place."""
    plan = ReplacePlan.of(job.plan())
    wanted = plan.after if job.status == JobStatus.SUCCEEDED else plan.before
    if plan.interim and plan.interim.name in job.outcome and all(row.id != plan.network_id for row in now.networks):
        wanted = plan.interim  # beyond the removal of the old one there is no way back but this, and the job says so
    overlays = [network for network in now.networks if network.scope == "swarm" and network.registered]
    others = [network for network in overlays if network.name not in {"ingress", "side", wanted.name}]
    names = sorted(network.name for network in overlays if network not in others)
    if names != sorted(["ingress", "side", wanted.name]) or (others and not _came_late(run, job, now, others)):
        yield f"there are {sorted(network.name for network in overlays)}"
        return
    there = next(network for network in now.networks if network.name == wanted.name)
    if network_settings.of_network(there) != wanted:
        yield f"{there.name} is {network_settings.of_network(there)}"
    for service in now.services:
        was = next(row for row in before.services if row.id == service.id)
        yield from _of_service(run, before, now, (was, service), (plan.network_id, there))


def _of_service(
    run: "Run", before: Swarm, now: Swarm, pair: tuple[Service, Service], networks: tuple[str, Network]
) -> Iterator[str]:
    (was, service), (old, there) = pair, networks
    document = was.spec.document()
    for row in document["TaskTemplate"].get("Networks") or ():
        row["Target"] = there.id if row["Target"] == old else row["Target"]
    is_now, expected = without_edit(run, service), Spec.of(document)
    if is_now != expected:
        yield f"{service.name} differs at {differences(expected, is_now)}"
    running = now.running_on(service.id)
    if len(running) != len(before.running_on(was.id)):
        yield f"{service.name} runs {len(running)}"
    if any(set(swarm_task.network_ids) != set(service.network_ids) for swarm_task in running):
        yield f"containers of {service.name} are on other networks"


def without_edit(run: "Run", service: Service) -> Spec:
    """The spec before a stranger's edit, which has to be there if there was one."""
    document = service.spec.document()
    if service.name in run.story.edited:
        edited = document["TaskTemplate"]["ContainerSpec"].pop("Env", [""])
        assert edited[0].startswith("EDITED="), "the stranger's edit is lost"
    return Spec.of(document)


def _service(name: str, replicas: int | None, networks: list[Any], config: dict[str, Any] | None) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "Name": name,
        "Labels": {},
        "TaskTemplate": {
            "ContainerSpec": {"Image": "shop/web:1", "Init": True, "StopGracePeriod": 3 * SECOND},
            "Networks": networks,
        },
        "Mode": {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}},
    }
    return {**spec, "UpdateConfig": config} if config else spec
