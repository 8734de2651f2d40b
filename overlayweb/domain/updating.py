"""What callers of a service still find while its update config replaces its containers.

Source: swarmkit's updater. Start-first stops an old container once the new one is RUNNING, which with a health check
means healthy and without one only that its process has started. Stop-first stops as many at once as ``Parallelism``.
"""

from collections.abc import Iterable, Iterator
from math import ceil

from overlayweb.domain import specs
from overlayweb.domain.addresses import starts_first, wanted_swarm_tasks
from overlayweb.domain.plans import Effect, Meanwhile
from overlayweb.domain.specs import Document
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.domain.wording import counted


def rounds(*, swarm: Swarm, service: Service) -> tuple[int, int]:
    """How many containers are replaced, and in how many rounds."""
    containers = wanted_swarm_tasks(swarm=swarm, service=service)
    at_once = int((service.spec.document().get("UpdateConfig") or {}).get("Parallelism", 1) or containers)
    return containers, ceil(containers / at_once) if containers else 0


def meanwhile(*, swarm: Swarm, service: Service) -> Meanwhile:
    """What runs of the service at the worst moment of an update."""
    _, times = rounds(swarm=swarm, service=service)
    if not times:
        return Meanwhile.NOTHING
    if starts_first(service):
        return Meanwhile.ANSWERS if specs.has_health_check(service.spec) else Meanwhile.UNPROVEN
    return Meanwhile.SOME if times > 1 else Meanwhile.DARK


def container_of(service: Service) -> Document:
    """The ContainerSpec."""
    found: Document = (service.spec.document().get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return found


def sentences(effects: Iterable[Effect]) -> Iterator[str]:
    """What of the updated services goes on, one sentence for each way of it."""
    kinds = [effect.meanwhile for effect in effects if effect.restarts]
    if count := kinds.count(Meanwhile.ANSWERS):
        yield (
            f"{counted(count, 'service')} keep{'s' if count == 1 else ''} answering: "
            "a new container is healthy before an old one stops."
        )
    if count := kinds.count(Meanwhile.UNPROVEN):
        services = counted(count, "service")
        yield f"{services}: a new container runs before an old one stops, and nobody checks that it answers."
    if count := kinds.count(Meanwhile.SOME):
        yield f"{counted(count, 'service')}: some containers of each run all the while, not all."
