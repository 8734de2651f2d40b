"""The plan of giving services other networks or other published ports: each by one update, by its own update config.

Services are updated one after the other, in the order of their names; the next begins when the one before is at full
strength again. Either change restarts every container of the service (lab: engine-facts, service updates).
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain import connect_checks, estimates, fingerprints, reach, updating
from overlayweb.domain.addresses import ReservedRange, starts_first, wanted_swarm_tasks
from overlayweb.domain.commands import publish_words
from overlayweb.domain.estimates import Pace, ServiceHistory, Timings
from overlayweb.domain.links import Link, Publication
from overlayweb.domain.plans import Effect, Plan, PlannedStep, Request, Strategy, Term
from overlayweb.domain.specs import Document
from overlayweb.domain.swarm import Network, Service, Swarm
from overlayweb.domain.wording import counted

KIND = "network_connect"
MONITOR_SECONDS = 5.0
"""What Docker takes where the update config names none."""
_NANO = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ConnectRequest(Request):
    """``links``: what is attached and detached. ``publications``: which ports come and go, each service once."""

    links: tuple[Link, ...]
    publications: tuple[Publication, ...] = ()

    @property
    def service_ids(self) -> frozenset[str]:
        """The services that are updated."""
        return frozenset(link.service_id for link in self.links) | {row.service_id for row in self.publications}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewiring:
    """What changes for one service, in names. ``attached``: (network, aliases) pairs. ``cut``: who it loses.

    ``publication``: the ports that come and go, where some do.
    """

    service_id: str
    service_name: str
    attached: tuple[tuple[str, tuple[str, ...]], ...]
    detached: tuple[str, ...]
    cut: tuple[str, ...]
    update: str
    publication: Publication | None = None


@dataclass(frozen=True, kw_only=True)
class ConnectPlan(Plan):
    """``rewirings``: one for each service, in the order in which they are updated."""

    request: ConnectRequest
    rewirings: tuple[Rewiring, ...] = ()

    @property
    def networks(self) -> tuple[str, ...]:
        """Those that a service is attached to or detached from."""
        attached = {name for row in self.rewirings for name, _ in row.attached}
        return tuple(sorted(attached | {name for row in self.rewirings for name in row.detached}))


def build(
    *,
    swarm: Swarm,
    request: ConnectRequest,
    reserved: Sequence[ReservedRange] = (),  # noqa: ARG001  # every kind is built with the same arguments
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> ConnectPlan:
    """The plan for this request on this Swarm, with every problem in ``findings``; the same input, the same plan."""
    timings = timings or Timings()
    services = sorted((s for s in swarm.services if s.id in request.service_ids), key=lambda s: s.name)
    names = {network.id: network.name for network in swarm.networks}
    paces = estimates.paces(swarm=swarm, services=services, timings=timings, history=history)
    effects = tuple(_effect(swarm, paces[service.id], names) for service in services)
    rewirings = tuple(_rewirings(swarm, services, request, names))
    steps = tuple(_steps(effects, timings))
    base = _base(swarm, services, request.links)
    return ConnectPlan(
        kind=KIND,
        cluster_id=swarm.id,
        request=request,
        rewirings=rewirings,
        steps=steps,
        effects=effects,
        keeps_working=tuple(_keeps_working(effects, rewirings)),
        findings=connect_checks.find(
            swarm=swarm,
            links=request.links,
            publications=request.publications,
            cuts={row.service_id: row.cut for row in rewirings},
        ),
        commands=tuple(_commands(rewirings, effects)),
        expected_seconds=round(sum(step.expected_seconds for step in steps), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def title(plan: Plan) -> str:
    """What a change request with this plan is called."""
    plan = ConnectPlan.of(plan)
    rows = plan.rewirings
    if len(rows) == 1:
        words = [f"attach {', '.join(name for name, _ in rows[0].attached)}"] if rows[0].attached else []
        words += [f"detach {', '.join(rows[0].detached)}"] if rows[0].detached else []
        words += _port_words(rows[0].publication) if rows[0].publication else []
        return f"{rows[0].service_name}: {', '.join(words)}"[:200]
    return f"Connect {len(rows)} services: {', '.join(plan.networks)}"[:200]


def _port_words(publication: Publication) -> list[str]:
    found = [("publish", publication.publish), ("unpublish", publication.unpublish)]
    return [f"{verb} {', '.join(map(str, ports))}" for verb, ports in found if ports]


def _rewirings(
    swarm: Swarm, services: Sequence[Service], request: ConnectRequest, names: dict[str, str]
) -> Iterator[Rewiring]:
    after = {service.id: _after(service, request.links) for service in services}
    for service in services:
        own = [link for link in request.links if link.service_id == service.id]
        yield Rewiring(
            service_id=service.id,
            service_name=service.name,
            attached=tuple((names.get(k.network_id, k.network_id), k.aliases) for k in own if k.attach),
            detached=tuple(names.get(k.network_id, k.network_id) for k in own if not k.attach),
            cut=reach.cut(swarm=swarm, service_id=service.id, before=service.network_ids, after=after),
            update=_update_words(swarm, service),
            publication=publication_of(request, service.id),
        )


def _after(service: Service, links: Sequence[Link]) -> frozenset[str]:
    own = [link for link in links if link.service_id == service.id]
    gone = {link.network_id for link in own if not link.attach}
    return frozenset(({*service.network_ids} - gone) | {link.network_id for link in own if link.attach})


def _effect(swarm: Swarm, pace: Pace, names: dict[str, str]) -> Effect:
    service = pace.service
    containers, rounds = updating.rounds(swarm=swarm, service=service)
    first = starts_first(service)
    one = pace.start.seconds if first else pace.drain_seconds + pace.start.seconds
    terms = [
        Term(label=f"{rounds} round{'' if rounds == 1 else 's'} of {one:.1f} s", seconds=round(rounds * one, 2),
             source="containers start, then the old ones stop" if first else "containers stop, then new ones start"),
        Term(label="Delay between rounds", seconds=round(max(rounds - 1, 0) * _seconds(service, "Delay"), 2),
             source="its own update config"),
        Term(label="Watched after the update", seconds=_monitor(service) if rounds else 0.0,
             source="its own update config, or Docker's 5 s"),
    ]  # fmt: skip
    dark = round(one, 2) if rounds == 1 and not first else 0.0
    return Effect(
        service_id=service.id,
        service_name=service.name,
        stack=service.stack,
        ports=service.ingress_ports,
        host_ports=service.host_ports,
        strategy=Strategy.AUTOMATIC,
        why=_update_words(swarm, service),
        restarts=1,
        containers=containers,
        release_after_seconds=0.0,
        dark_seconds=dark,
        network_dark_seconds=dark,
        terms=tuple(term for term in terms if term.seconds),
        networks=tuple(names.get(key, key) for key in service.network_ids),
        spec_digest=service.spec.digest,
        meanwhile=updating.meanwhile(swarm=swarm, service=service),
    )


def _update_words(swarm: Swarm, service: Service) -> str:
    containers = wanted_swarm_tasks(swarm=swarm, service=service)
    at_once = min(_config(service).get("Parallelism", 1) or containers, containers)
    order = "start-first" if starts_first(service) else "stop-first"
    delay = _seconds(service, "Delay")
    pause = f", {delay:g} s between rounds" if delay else ""
    failure = _config(service).get("FailureAction") or "pause"
    return f"{order}, {at_once} at a time{pause}, watched for {_monitor(service):g} s, on failure {failure}"


def _config(service: Service) -> Document:
    found: Document = service.spec.document().get("UpdateConfig") or {}
    return found


def _seconds(service: Service, key: str) -> float:
    return float(_config(service).get(key) or 0) / _NANO


def _monitor(service: Service) -> float:
    return _seconds(service, "Monitor") or MONITOR_SECONDS


def _steps(effects: Sequence[Effect], timings: Timings) -> Iterator[PlannedStep]:
    seconds = round(sum(estimates.total(effect.terms) for effect in effects), 2)
    count = counted(len(effects), "service")
    what = f"{count}, one after the other" if len(effects) > 1 else effects[0].service_name if effects else count
    yield PlannedStep(name="check", title="Check the cluster", expected_seconds=0.5)
    yield PlannedStep(name="record", title=f"Record {count}", expected_seconds=0.1)
    yield PlannedStep(name="connect", title=f"Update {what}", expected_seconds=seconds)
    yield PlannedStep(name="verify", title="Verify", expected_seconds=timings.verify.seconds)


def _keeps_working(effects: Sequence[Effect], rewirings: Iterable[Rewiring]) -> Iterator[str]:
    yield from updating.sentences(effects)
    ports = "all other published ports" if any(row.publication for row in rewirings) else "published ports"
    yield f"Every other service, {ports}, volumes and the networks themselves are not touched."


def _commands(rewirings: Iterable[Rewiring], effects: Iterable[Effect]) -> Iterator[str]:
    for row, effect in zip(rewirings, effects, strict=True):
        words = ["docker", "service", "update", "--detach=false"]
        for name in row.detached:
            words += ["--network-rm", name]
        for name, aliases in row.attached:
            given = ",".join([f"name={name}", *(f"alias={alias}" for alias in aliases)])
            words += ["--network-add", given if aliases else name]
        if row.publication:
            words += publish_words(row.publication, now=(*effect.ports, *effect.host_ports))
        yield " ".join(shlex.quote(word) for word in (*words, row.service_name))


def _base(swarm: Swarm, services: Sequence[Service], links: Sequence[Link]) -> tuple[tuple[str, str], ...]:
    """(readable subject, digest) pairs: the services that are written and the networks that they come onto or leave."""
    wanted = {link.network_id for link in links}
    found: list[tuple[str, object]] = [(f"connected service {s.name}", [s.id, s.spec.digest]) for s in services]
    found += [(f"connected network {n.name}", _network(n)) for n in swarm.networks if n.id in wanted]
    return tuple((subject, fingerprints.digest(content)) for subject, content in sorted(found, key=lambda row: row[0]))


def _network(network: Network) -> object:
    return [network.id, network.allocated, network.encrypted, [ipam.subnet for ipam in network.ipam]]


def links_of(links: Iterable[Link], service_id: str) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """What one service is attached to (aliases by the network's full id), and detached from."""
    own = [link for link in links if link.service_id == service_id]
    attach = {link.network_id: link.aliases for link in own if link.attach}
    return attach, tuple(link.network_id for link in own if not link.attach)


def things(plan: Plan) -> str:
    """What the services get others of."""
    request = ConnectPlan.of(plan).request
    return " and ".join(filter(None, ("networks" * bool(request.links), "ports" * bool(request.publications))))


def publication_of(request: ConnectRequest, service_id: str) -> Publication | None:
    """Which ports of one service come and go, if any."""
    return next((row for row in request.publications if row.service_id == service_id), None)
