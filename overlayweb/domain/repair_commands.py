"""The commands that would do a repair by hand, in the order of the job."""

import shlex
from collections.abc import Iterator, Sequence

from overlayweb.domain import commands, mesh
from overlayweb.domain.commands import Release
from overlayweb.domain.plans import Effect, IngressSettings, NodeRestart, Strategy
from overlayweb.domain.specs import pinned
from overlayweb.domain.swarm import Network, Swarm


def repair(
    *,
    swarm: Swarm,
    restarts: Sequence[NodeRestart],
    replaced: Sequence[Network],
    after: IngressSettings | None,
    effects: Sequence[Effect],
) -> tuple[str, ...]:
    """One line each. ``replaced``: the ingress networks that are removed first; ``after`` None: none is created."""
    lines = [line for restart in restarts for line in _restart(restart)]
    if after is not None:
        nodes = [node for node in sorted(swarm.nodes, key=lambda n: n.hostname) if node.ready]
        lines += commands.rebuild(
            removed=replaced,
            after=after,
            releases=_releases(swarm, effects),
            nodes=nodes,
        )
    return (*lines, *_publish_lost(swarm, effects))


def _restart(restart: NodeRestart) -> Iterator[str]:
    yield f"# On {restart.hostname} ({restart.address}); wait until docker node ls shows it ready again."
    yield restart.command


def _releases(swarm: Swarm, effects: Sequence[Effect]) -> list[Release]:
    services = {service.id: service for service in swarm.services}
    return [
        Release(
            service=(service := services[effect.service_id]),
            spec=pinned(service.spec, service.ports),
            strategy=effect.strategy,
            release_after_seconds=effect.release_after_seconds,
        )
        for effect in effects
        if effect.strategy is not Strategy.AUTOMATIC
    ]


def _publish_lost(swarm: Swarm, effects: Sequence[Effect]) -> Iterator[str]:
    services = {service.id: service for service in swarm.services}
    for effect in effects:
        ports = mesh.lost_ports(services[effect.service_id])
        words = [word for port in ports for word in ("--publish-add", commands.publish_word(port))]
        if words:
            yield shlex.join(["docker", "service", "update", "--detach", *words, effect.service_name])
