"""Stages on which services are attached to overlays and detached, and what must be so in the end."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from overlayweb.domain import attaching, connect_plans
from overlayweb.domain.connect_plans import ConnectPlan, ConnectRequest
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.links import Link
from overlayweb.domain.specs import differences
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.models import Job
from tests.faults import overlay_stages

if TYPE_CHECKING:
    from tests.faults.director import Run

SIDE = "side"


def wanted(swarm: Swarm) -> ConnectRequest:
    """One that only leaves, a global one that only joins, one that joins under two names, one that does both."""
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
        )
    )


def connected(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    """Each service has the networks that were asked for and is otherwise as it was; or is as it was altogether."""
    links = ConnectPlan.of(job.plan()).request.links if job.status == JobStatus.SUCCEEDED else ()
    for was in before.services:
        service = next(row for row in now.services if row.id == was.id)
        yield from _of_service(run, before, now, was, service, links)


def _of_service(
    run: "Run", before: Swarm, now: Swarm, was: Service, service: Service, links: tuple[Link, ...]
) -> Iterator[str]:
    attach, detach = connect_plans.links_of(links, was.id)
    spec = overlay_stages.without_edit(run, service)
    expected = attaching.linked(was.spec, attach=attach, detach=detach)
    if spec != expected:
        yield f"{service.name} differs at {differences(expected, spec) or 'bytes alone'}"
    running = now.running_on(service.id)
    if len(running) != len(before.running_on(was.id)):
        yield f"{service.name} runs {len(running)}"
    if any(set(swarm_task.network_ids) != set(service.network_ids) for swarm_task in running):
        yield f"containers of {service.name} are on other networks"
