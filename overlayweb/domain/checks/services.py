"""Checks of the services that publish through the ingress, and of tasks that are still on it."""

from collections import Counter
from collections.abc import Iterator

from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.checks.case import Case, on_service
from overlayweb.domain.plans import Finding, Level, Strategy
from overlayweb.domain.ports import INGRESS_MODE
from overlayweb.domain.specs import ports_of
from overlayweb.domain.swarm import SELF_LABEL, Mode, Service, Swarm

_JOBS = frozenset({Mode.REPLICATED_JOB, Mode.GLOBAL_JOB})

_BUSY = {
    "updating": ("service-updating", "is being updated", "Wait until the update has ended"),
    "paused": ("service-update-paused", "has a paused update, which any change would set going", "Finish or roll back"),
    "rollback_started": ("service-rolling-back", "is being rolled back", "Wait until the rollback has ended"),
    "rollback_paused": ("service-rollback-paused", "has a paused rollback", "Finish the rollback"),
}
"""Docker's update states in which a service must not be touched: code, what is, what to do."""


def services(case: Case) -> Iterator[Finding]:
    """Everything about the services of the case, one after the other."""
    yield from case.swarm.lately(_services, case.services)


def _services(swarm: Swarm, services: tuple[Service, ...]) -> tuple[Finding, ...]:
    return tuple(
        finding
        for service in services
        for found in (_untouchable(swarm, service), _busy(service), _strength(swarm, service), _pins(service))
        for finding in found
    )


def strategies(case: Case) -> Iterator[Finding]:
    """Strategies for services that the plan does not touch have no effect; the person should know."""
    published = {service.id for service in case.services}
    asked = [row for row in case.request.strategies if row[0] not in published]
    known = {service.id: service for service in case.swarm.services} if asked else {}
    for service_id, strategy in asked:
        if strategy is not Strategy.AUTOMATIC:
            name = known[service_id].name if service_id in known else service_id
            yield Finding(
                level=Level.WARNING,
                code="strategy-unused",
                about="service",
                subject=service_id,
                subject_name=name,
                message=f"“{strategy}” is chosen for {name}, which does not publish through the ingress.",
                remedy="Nothing happens to it. Look whether it was the service you meant.",
            )


def leftovers(case: Case) -> Iterator[Finding]:
    """Tasks that may be attached to the ingress although their service does not publish through it any more."""
    if case.ingress is not None:
        yield from case.swarm.lately(_leftovers, case.ingress.id)


def _leftovers(swarm: Swarm, ingress_id: str) -> tuple[Finding, ...]:
    published = {service.id for service in swarm.published_services}
    left = (t for t in swarm.swarm_tasks if t.service_id not in published and t.may_be_on(ingress_id))
    counted = sorted(Counter(swarm_task.service_id for swarm_task in left).items())
    names = {service.id: service.name for service in swarm.services} if counted else {}
    return tuple(_left(key, names.get(key, key), count) for key, count in counted)


def _left(service_id: str, name: str, count: int) -> Finding:
    tasks = "1 task" if count == 1 else f"{count} tasks"
    return Finding(
        level=Level.WARNING,
        code="swarm-tasks-left",
        about="service",
        subject=service_id,
        subject_name=name,
        message=f"{tasks} of {name} may still be on the ingress, which the service no longer uses.",
        remedy="The job waits until they have left. On a node that is gone they never do: remove the node first.",
    )


def _untouchable(swarm: Swarm, service: Service) -> Iterator[Finding]:
    if service.id in swarm.own_service_ids or SELF_LABEL in dict(service.labels):
        yield on_service(
            level=Level.BLOCKER,
            code="own-service",
            service=service,
            message=f"{service.name} is Overlayweb itself, behind the ingress that it would take down.",
            remedy="Publish it with a host-mode port, or run it outside the Swarm, then plan again.",
        )
    if service.runtime != "container":
        yield on_service(
            level=Level.BLOCKER,
            code="service-plugin",
            service=service,
            message=f"{service.name} runs a {service.runtime}, whose spec the engine does not give back whole.",
            remedy="Take its published ports off by hand first.",
        )
    if service.mode in _JOBS:
        yield on_service(
            level=Level.BLOCKER,
            code="service-job",
            service=service,
            message=f"{service.name} is a job: any change of it runs it once more.",
            remedy="Remove the job, or take its published ports off when a run more does no harm.",
        )


def _busy(service: Service) -> Iterator[Finding]:
    if service.update_state in _BUSY:
        code, what, remedy = _BUSY[service.update_state]
        said = f" Docker says: {service.update_message}." if service.update_message else ""
        yield on_service(
            level=Level.BLOCKER,
            code=code,
            service=service,
            message=f"{service.name} {what}.{said}",
            remedy=f"{remedy}, then plan again.",
        )


def _strength(swarm: Swarm, service: Service) -> Iterator[Finding]:
    wanted = wanted_swarm_tasks(swarm=swarm, service=service)
    running = len(swarm.running_on(service.id))
    if running < wanted:
        yield on_service(
            level=Level.WARNING,
            code="service-weak",
            service=service,
            message=f"{service.name} runs {running} of {wanted}. Verifying compares with this, not with full strength.",
            remedy="Look at docker service ps first: what hinders it now may hinder it after the rebuild.",
        )


def _pins(service: Service) -> Iterator[Finding]:
    left_open = [p for p in ports_of(service.spec) if p.publish_mode == INGRESS_MODE and not p.published_port]
    if not left_open:
        return
    written = ports_of(service.spec)
    chosen = [str(p.published_port) for p in service.ingress_ports if p not in written and p.published_port]
    numbers = ", ".join(chosen)
    yield on_service(
        level=Level.NOTICE,
        code="service-port-pinned",
        service=service,
        message=f"Swarm chose published ports of {service.name}. The rebuild writes them into its spec: {numbers}."
        if chosen
        else f"Swarm is to choose published ports of {service.name} and has not yet. They are new afterwards.",
        remedy="Nothing to do: an open port would otherwise come back as another number."
        if chosen
        else "Write the ports down in the service if they must be known.",
    )
