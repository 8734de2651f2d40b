"""The plan of an ingress rebuild: pure arithmetic on one observation of the Swarm and one request.

1. Resolve the settings before and after.
2. Find every problem.
3. Work out what happens to each published service, and how long it is dark.
4. Lay the steps, the commands by hand, and what keeps working beside it.
5. Sign it with a fingerprint of what it depends on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from overlayweb.domain import commands, estimates, fingerprints, ingress_checks, turns
from overlayweb.domain.addresses import ReservedRange, wanted_swarm_tasks
from overlayweb.domain.estimates import Outage, Pace, ServiceHistory, Timings
from overlayweb.domain.fingerprints import drift
from overlayweb.domain.ingress_settings import resolved, settings_of
from overlayweb.domain.ingress_steps import steps
from overlayweb.domain.plans import Effect, IngressPlan, IngressRequest, IngressSettings, Strategy, Term
from overlayweb.domain.ports import INGRESS_MODE, PublishedPort
from overlayweb.domain.specs import ports_of
from overlayweb.domain.swarm import Network, Service, Swarm

__all__ = ["KIND", "build", "drift", "effective_ports", "release_effects", "resolved", "settings_of"]

KIND = "ingress_rebuild"

NO_INGRESS = IngressSettings(name="")


def build(
    *,
    swarm: Swarm,
    request: IngressRequest,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> IngressPlan:
    """The plan for this request on this Swarm, with every problem in ``findings``; the same input, the same plan.

    ``after`` holds the settings as they will be created: blanks cut, an empty gateway filled in. A plan with
    blockers is complete all the same, so that a person sees both.
    """
    timings = timings or Timings()
    ingress = next(iter(sorted(swarm.ingress_networks, key=lambda n: n.id)), None)
    after = resolved(request.settings)
    effects = release_effects(swarm=swarm, strategies=request.strategies, timings=timings, history=history)
    laid = steps(swarm=swarm, effects=effects, after=after, timings=timings, has_ingress=ingress is not None)
    base = fingerprints.parts(swarm=swarm, after=after, reserved=reserved)
    return IngressPlan(
        kind=KIND,
        cluster_id=swarm.id,
        request=request,
        before=settings_of(ingress) if ingress else NO_INGRESS,
        after=after,
        ingress_id=ingress.id if ingress else "",
        steps=laid,
        effects=effects,
        keeps_working=keeps_working(swarm=swarm, effects=effects),
        findings=ingress_checks.find(swarm=swarm, request=request, reserved=reserved),
        commands=_commands(swarm, ingress, after, effects),
        expected_seconds=round(sum(step.expected_seconds for step in laid), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def effective_ports(service: Service) -> tuple[PublishedPort, ...]:
    """Its ports with what Swarm chose; those of the spec while Swarm has not allocated the service."""
    return service.ports or ports_of(service.spec)


def keeps_working(*, swarm: Swarm, effects: Sequence[Effect]) -> tuple[str, ...]:
    """What the rebuild does not touch, in plain sentences."""
    touched = {effect.service_id for effect in effects}
    others = [s for s in swarm.services if s.id not in touched]
    host_ports = sum(len(s.host_ports) for s in others)
    held = [e for e in effects if e.strategy is Strategy.STOP]
    unpublished = [e for e in effects if e.strategy is Strategy.UNPUBLISH]
    lines = [
        _count(
            len(others),
            "service publishes nothing through the ingress and keeps running.",
            "services publish nothing through the ingress and keep running.",
        ),
        _count(host_ports, "host-mode port of those keeps answering.", "host-mode ports of those keep answering."),
        _overlay_traffic(held),
        "Unpublished services keep working on their other networks, apart from two restarts." if unpublished else "",
        "Volumes and containers outside Swarm are not touched; of each node only a label, for a moment.",
    ]
    return tuple(line for line in lines if line)


@dataclass(frozen=True, slots=True)
class _Choice:
    pace: Pace
    outage: Outage
    why: str


def release_effects(
    *,
    swarm: Swarm,
    strategies: tuple[tuple[str, Strategy], ...],
    timings: Timings,
    history: Iterable[ServiceHistory],
) -> tuple[Effect, ...]:
    """What taking every published service off the ingress and putting it back does to each."""
    return swarm.lately(_effects, strategies, timings, tuple(history))


def _effects(
    swarm: Swarm,
    strategies: tuple[tuple[str, Strategy], ...],
    timings: Timings,
    history: tuple[ServiceHistory, ...],
) -> tuple[Effect, ...]:
    services = swarm.published_services
    wanted = dict(strategies)
    names = {network.id: network.name for network in swarm.networks}
    paces = estimates.paces(swarm=swarm, services=services, timings=timings, history=history).values()
    both = [(pace, *estimates.outages(pace=pace, count=len(services), swarm=swarm, timings=timings)) for pace in paces]
    slowest = _slowest(_chosen(wanted, both))
    both = [(pace, unpublish.ahead(slowest), stop.ahead(slowest)) for pace, unpublish, stop in both]
    late = _turns(_chosen(wanted, both))
    # Each way of a service waits for the same turn, so that the choice stays what it was.
    both = [
        (p, unpublish.later(late.get(p.service.id)), stop.later(late.get(p.service.id))) for p, unpublish, stop in both
    ]
    return tuple(_effect(swarm, choice, slowest, names) for choice in _chosen(wanted, both))


def _slowest(choices: Iterable[_Choice]) -> float:
    """Seconds in which the last service has left."""
    return max((choice.outage.drain_seconds for choice in choices), default=0.0)


def _chosen(wanted: Mapping[str, Strategy], both: Iterable[tuple[Pace, Outage, Outage]]) -> list[_Choice]:
    return [
        _Choice(
            pace,
            *estimates.choose(wanted=wanted.get(pace.service.id, Strategy.AUTOMATIC), unpublish=unpublish, stop=stop),
        )
        for pace, unpublish, stop in both
    ]


def _turns(choices: Sequence[_Choice]) -> Mapping[str, Term]:
    """How long each service that comes back in turns waits for its own, by service id."""
    slowest = _slowest(choices)
    turn = turns.in_turns(
        (choice, round(slowest - choice.outage.drain_seconds, 2), choice.pace.service.spec) for choice in choices
    )
    ready = max((choice.pace.start.seconds for choice in turn.slow), default=0.0)
    each = min(ready, turns.TURNS_SECONDS) / max(len(turn.others), 1)
    return {
        choice.pace.service.id: Term(
            label="Slow stoppers start first",
            seconds=round(number * each, 2),
            source=f"{number} of {len(turn.others)} in turn until they run",
            step="publish",
        )
        for number, choice in enumerate(turn.others, 1)
    }


def _effect(swarm: Swarm, choice: _Choice, slowest: float, names: dict[str, str]) -> Effect:
    service, outage = choice.pace.service, choice.outage
    ports = effective_ports(service)
    return Effect(
        service_id=service.id,
        service_name=service.name,
        stack=service.stack,
        ports=tuple(port for port in ports if port.publish_mode == INGRESS_MODE),
        host_ports=tuple(port for port in ports if port.publish_mode != INGRESS_MODE),
        strategy=outage.strategy,
        why=choice.why,
        restarts=outage.restarts,
        containers=wanted_swarm_tasks(swarm=swarm, service=service),
        release_after_seconds=round(slowest - outage.drain_seconds, 2),
        dark_seconds=outage.dark_seconds,
        network_dark_seconds=outage.network_dark_seconds,
        terms=outage.terms,
        networks=tuple(names.get(network_id, network_id) for network_id in service.network_ids),
        spec_digest=service.spec.digest,
    )


def _commands(
    swarm: Swarm, ingress: Network | None, after: IngressSettings, effects: Sequence[Effect]
) -> tuple[str, ...]:
    return commands.rebuild(
        removed=(ingress,) if ingress else (),
        after=after,
        releases=commands.releases(swarm, effects),
        nodes=[node for node in sorted(swarm.nodes, key=lambda n: n.hostname) if node.ready],
    )


def _overlay_traffic(held: Sequence[Effect]) -> str:
    if not held:
        return "Traffic between services on overlay networks keeps flowing."
    return (
        "Traffic between services on overlay networks keeps flowing, except to and from the "
        f"{_count(len(held), 'service that is stopped.', 'services that are stopped.')}"
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}" if number else ""
