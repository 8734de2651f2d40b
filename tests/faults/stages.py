"""The stages that runs begin on: what the Swarm is like, what was asked for, and what must be so in the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from overlayweb.domain import (
    candidates,
    connect_plans,
    container_plans,
    ingress_plans,
    init_plans,
    network_plans,
    repair_plans,
    replace_plans,
    specs,
)
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.plans import IngressPlan, IngressRequest, IngressSettings, Request, Strategy
from overlayweb.domain.readiness import EngineView, Membership
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import NodeView, Service, Swarm
from overlayweb.engine import connection
from overlayweb.engine.membership import Members
from overlayweb.models import Job
from overlayweb.simulator.simulation import Content
from tests.faults import connect_stages, member_stages, overlay_stages, stage, wedges

if TYPE_CHECKING:
    from tests.faults.director import Run

    Differences = Callable[[Run, Job, Swarm, Swarm], Iterator[str]]

AFTER = IngressSettings(subnet="10.20.0.0/20", mtu=1450)
ASKED_FOR = (AFTER.subnet, overlay_stages.WIDER, overlay_stages.SPARE_SUBNET)
"""The addresses that jobs ask for, on whichever stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """``request``: what is asked for of the Swarm that ``content`` made. ``differences``: what is not as it must be.

    ``registered``: the nodes whose own engines are. ``differences`` gets the run, its job, the Swarm as the job found
    it, and as it is now. ``outside``: the engine is in no Swarm, and both are what it has of its own until it is.
    """

    kind: str
    content: Content
    request: Callable[[Swarm], Request]
    differences: "Differences"
    engine: str = "28.5"
    registered: tuple[str, ...] = ()
    outside: bool = False


def observed(socket: str) -> Swarm:
    """What the engine itself says, now; of one in no Swarm what it has of its own."""
    with connection.connect(connection.Endpoint(url=socket)) as engine:
        view = Members(engine.calls).view()
        if view.membership is Membership.NONE:
            return candidates.alone(view, datetime.now(UTC))
        return engine.observe()


def told(socket: str) -> EngineView:
    """What the engine says of itself, now."""
    with connection.connect(connection.Endpoint(url=socket)) as engine:
        return Members(engine.calls).view()


def view_of(socket: str, hostname: str) -> NodeView:
    """What a node's own engine shows, now."""
    with connection.connect(connection.Endpoint(url=socket)) as engine:
        return engine.own_view(hostname)


def ingresses_on(socket: str) -> list[str]:
    """The ids of the ingress networks that a node's own engine holds."""
    with connection.connect(connection.Endpoint(url=socket)) as engine:
        return [network.id for network in engine.networks() if network.ingress]


def _rebuild(strategy: Strategy) -> Stage:
    def request(swarm: Swarm) -> IngressRequest:
        return IngressRequest(settings=AFTER, strategies=tuple((s.id, strategy) for s in swarm.published_services))

    return Stage(kind=ingress_plans.KIND, content=stage.services, request=request, differences=_of_rebuild)


def _of_rebuild(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    plan = IngressPlan.of(job.plan())
    yield from _of_ingress(run, now, plan.after.subnet if job.status == JobStatus.SUCCEEDED else plan.before.subnet)
    yield from of_services(run, before, now, on_ingress=True)


def _of_ingress(run: "Run", now: Swarm, subnet: str) -> Iterator[str]:
    there = [block.subnet for network in now.ingress_networks for block in network.ipam]
    if there != [subnet]:
        yield f"the ingress is {there}, not {subnet}"
        return
    ingress = now.ingress_networks[0]
    sockets = run.engine.node_sockets
    for node in now.nodes:
        if not node.ready:
            yield f"{node.hostname} is {node.state}"
        elif any("overlayweb" in key for key, _ in node.labels) and not run.story.taken_over:
            yield f"{node.hostname} keeps a label of ours"
        elif node.hostname not in sockets:
            yield f"{node.hostname} has no socket"
        else:
            held = ingresses_on(sockets[node.hostname])
            if held != [ingress.id]:
                yield f"{node.hostname} holds {held} as its ingress"


def of_services(run: "Run", before: Swarm, now: Swarm, *, on_ingress: bool) -> Iterator[str]:
    """Services that are not as they were: other specs, other strength; and not on the one ingress, if wanted."""
    left = {service.name for service in before.services} ^ {service.name for service in now.services}
    if left:
        yield f"services came or went: {left}"
        return
    for service in now.services:
        was = next(s for s in before.services if s.name == service.name)
        spec = overlay_stages.without_edit(run, service)
        if spec not in {was.spec, specs.pinned(was.spec, was.ports)}:
            yield f"{service.name} differs at {', '.join(specs.differences(was.spec, spec)) or 'bytes alone'}"
        wanted = len(before.running_on(was.id))
        if len(now.running_on(service.id)) != wanted:
            yield f"{service.name} runs {len(now.running_on(service.id))} of {wanted}"
        if on_ingress and service.ingress_ports:
            yield from _of_published(now, service)


def _of_published(now: Swarm, service: Service) -> Iterator[str]:
    ids = {network.id for network in now.ingress_networks}
    if not all(ids & {*t.network_ids} for t in now.running_on(service.id)):
        yield f"{service.name} is not on the ingress"
    if not ids & {*dict(service.vips)}:
        yield f"{service.name} has no address on the ingress"


def _of_repair(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    if job.status != JobStatus.SUCCEEDED and not job.point_passed:
        yield from _of_repair_put_back(run, job, before, now)
        return
    as_before = {service.name: service for service in before.services}
    yield from _of_ingress(run, now, IngressPlan.of(job.plan()).after.subnet)
    whole = {spec["Name"]: spec for spec in stage.specs()}
    for service in now.services:
        # A port that Swarm chose, and that was taken off, comes back as the number that it had.
        if specs.ports_of(service.spec) not in {
            specs.ports_of(Spec.of(whole[service.name])),
            as_before[service.name].ports,
        }:
            yield f"{service.name} publishes {service.ports}"
        everywhere = sum(node.availability == "active" for node in now.nodes)
        replicas = whole[service.name]["Mode"].get("Replicated", {}).get("Replicas", everywhere)
        if len(now.running_on(service.id)) != replicas:
            yield f"{service.name} runs {len(now.running_on(service.id))} of {replicas}"
        if service.ingress_ports:
            yield from _of_published(now, service)


def _of_repair_put_back(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    taken_off = {row.service_id for row in job.services.exclude(strategy=Strategy.AUTOMATIC) if row.intent}
    for was in before.services:
        spec = next(service.spec for service in now.services if service.id == was.id)
        wanted = specs.pinned(was.spec, was.ports) if was.id in taken_off else was.spec
        if spec != wanted and was.name not in run.story.edited:
            yield f"{was.name} was left at {', '.join(specs.differences(was.spec, spec)) or 'bytes alone'}"
    if IngressPlan.of(job.plan()).restarts:
        return  # engines may have been restarted meanwhile, and containers come and go with them
    if gone := {network.id for network in before.ingress_networks} - {network.id for network in now.ingress_networks}:
        yield f"{gone} was removed"
    yield from of_services(run, before, now, on_ingress=True)


def _repair(content: Content, *, engine: str = "28.5") -> Stage:
    return Stage(
        kind=repair_plans.KIND,
        content=content,
        request=lambda swarm: IngressRequest(settings=repair_plans.wanted(swarm=swarm)),
        differences=_of_repair,
        engine=engine,
    )


def ingress_stays(run: "Run", before: Swarm, now: Swarm) -> Iterator[str]:
    """What is not as it must be after a job that has nothing to do with the ingress: the one before, on every node."""
    (was,) = before.ingress_networks
    if [network.id for network in now.ingress_networks] != [was.id]:
        yield f"the ingress is {now.ingress_networks}, it was {was.id}"
        return
    yield from _of_ingress(run, now, was.ipam[0].subnet)


def _beside_ingress(
    kind: str,
    request: Callable[[Swarm], Request],
    differences: "Differences",
    content: Content = overlay_stages.content,
) -> Stage:
    def all_differences(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
        yield from ingress_stays(run, before, now)
        yield from differences(run, job, before, now)

    return Stage(kind=kind, content=content, request=request, differences=all_differences)


def _replace(*, keep_name: bool) -> Stage:
    request = partial(overlay_stages.request, keep_name=keep_name)
    return _beside_ingress(replace_plans.KIND, request, overlay_stages.different)


STAGES: dict[str, Stage] = {
    "connect": _beside_ingress(
        connect_plans.KIND, connect_stages.wanted, connect_stages.connected, connect_stages.content
    ),
    "containers": replace(
        _beside_ingress(
            container_plans.KIND,
            connect_stages.boxes_wanted,
            connect_stages.boxes_moved,
            connect_stages.content_with_boxes,
        ),
        registered=("node2",),
    ),
    "create": _beside_ingress(network_plans.CREATE, overlay_stages.wanted, overlay_stages.created),
    "delete": _beside_ingress(
        network_plans.DELETE, overlay_stages.unwanted, overlay_stages.deleted, overlay_stages.content_with_spare
    ),
    "init": Stage(
        kind=init_plans.KIND,
        content=member_stages.content,
        request=lambda _swarm: member_stages.REQUEST,
        differences=member_stages.made,
        outside=True,
    ),
    "stop": _rebuild(Strategy.STOP),
    "unpublish": _rebuild(Strategy.UNPUBLISH),
    "repair": _repair(wedges.wedged),
    "repair_hanging": _repair(wedges.wedged, engine="20.10"),
    "repair_workers": _repair(wedges.workers_wedged),
    "repair_late": _repair(wedges.late),
    "repair_late_workers": _repair(wedges.late_and_workers_wedged),
    "repair_twice": _repair(wedges.twice),
    "repair_twice_unallocated": _repair(wedges.twice_unallocated),
    "repair_twice_split": _repair(wedges.twice_split),
    "repair_twice_workers": _repair(wedges.twice_and_workers_wedged),
    "replace": _replace(keep_name=False),
    "same_name": _replace(keep_name=True),
}
