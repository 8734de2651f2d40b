"""What is saved of a service before the first change."""

from overlayweb.domain import specs
from overlayweb.domain.plans import Effect
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.models import JobService
from overlayweb.workflows.runner import Context


def of_service(
    context: Context,
    swarm: Swarm,
    service: Service,
    effect: Effect,
    *,
    target: Spec | None = None,
    containers: int | None = None,
) -> JobService:
    """The row that saves it whole, not written yet.

    ``target``: the spec that it gets back, by default its own with ports that Swarm chose written out.
    ``containers``: how many it has to run afterwards, by default as many as run now.
    """
    running = len(swarm.running_on(service.id))
    return JobService(
        job=context.job,
        service_id=service.id,
        name=service.name,
        stack=service.stack,
        ports=", ".join(str(port) for port in effect.ports),
        strategy=effect.strategy,
        release_after_seconds=effect.release_after_seconds,
        original=service.spec.text,
        previous=service.previous_spec.text if service.previous_spec else "",
        endpoint_ports=[str(port) for port in service.ports],
        target=(target or specs.pinned(service.spec, service.ports)).text,
        written=service.spec.text,
        containers_before=running if containers is None else containers,
        containers_now=running,
    )
