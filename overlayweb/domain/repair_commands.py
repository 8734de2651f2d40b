"""The commands that would do a repair by hand, in the order of the job."""

import shlex
from collections.abc import Iterator, Sequence

from overlayweb.domain import commands, mesh
from overlayweb.domain.plans import Effect, IngressSettings, NodeRestart, Strategy
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
            releases=commands.releases(swarm, [e for e in effects if e.strategy is not Strategy.AUTOMATIC]),
            nodes=nodes,
        )
    return (*lines, *_publish_lost(swarm, effects))


def _restart(restart: NodeRestart) -> Iterator[str]:
    yield f"# On {restart.hostname} ({restart.address}); wait until docker node ls shows it ready again."
    yield restart.command


def _publish_lost(swarm: Swarm, effects: Sequence[Effect]) -> Iterator[str]:
    services = {service.id: service for service in swarm.services}
    for effect in effects:
        ports = mesh.lost_ports(services[effect.service_id])
        words = [word for port in ports for word in ("--publish-add", commands.publish_word(port))]
        if words:
            yield shlex.join(["docker", "service", "update", "--detach", *words, effect.service_name])
