"""The plan of a replacement: a new overlay beside the old one, services moved in two phases, the old one removed.

Docker cannot change an overlay and cannot rename one. So services go ``[old]`` → ``[old, new]`` → ``[new]``: at every
moment any two of them have a network in common. Where the name has to stay, the first new network is an interim one:
the final one can only be made when the old one with its name is gone, and everybody moves a second time. Moving onto
the old name directly would leave services without a common network in between.

Every update is by the service's own update config, so that its order, parallelism and health check hold.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from overlayweb.domain import blocks, estimates, fingerprints, replace_checks, subnets, updating
from overlayweb.domain.addresses import ReservedRange, wanted_swarm_tasks
from overlayweb.domain.estimates import Pace, ServiceHistory, Timings
from overlayweb.domain.ingress_settings import default_gateway
from overlayweb.domain.network_plans import NetworkPlan, create_line, not_there, plain, remembers
from overlayweb.domain.network_settings import NetworkSettings, of_network, resolved
from overlayweb.domain.plans import Effect, Meanwhile, Plan, PlannedStep, Request, Strategy, Term
from overlayweb.domain.specs import canonical
from overlayweb.domain.swarm import IpamConfig, Network, Service, Swarm
from overlayweb.domain.wording import counted

KIND = "network_replace"
AT_ONCE = 4
"""So many services are updated side by side: a node that starts everything at once starts everything slowly."""
MONITOR_SECONDS = 5.0
NAME_LIMIT = 63
_INTERIM = "-interim"
_NANO = 1_000_000_000
_ORDERS = {
    Meanwhile.ANSWERS: "start-first with a health check: it keeps answering",
    Meanwhile.UNPROVEN: "start-first, no health check in its spec",
    Meanwhile.SOME: "stop-first: some of its containers run all the while",
    Meanwhile.DARK: "stop-first: all its containers stop at once",
}
_NO_CONTAINERS = "By its own update config; it has no containers."


@dataclass(frozen=True, kw_only=True)
class ReplaceRequest(Request):
    """``network_id``: the overlay that is replaced, by its full id. ``keep_name``: the new one has its name.

    ``approved_labels``: those that the overlay had as it was approved, and may have again, whatever their keys.
    """

    network_id: str
    settings: NetworkSettings
    keep_name: bool = False
    approved_labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReplacePlan(NetworkPlan):
    """``interim``: the network that services are on while the final one cannot be made yet; None without that."""

    request: ReplaceRequest
    before: NetworkSettings
    after: NetworkSettings
    interim: NetworkSettings | None = None

    @property
    def made(self) -> tuple[NetworkSettings, ...]:
        """The networks that the job makes, in order."""
        return (self.interim, self.after) if self.interim else (self.after,)

    @property
    def networks(self) -> tuple[str, ...]:
        """The old one, and what is made in its place."""
        return (self.before.name, *(made.name for made in self.made))


def build(
    *,
    swarm: Swarm,
    request: ReplaceRequest,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> ReplacePlan:
    """The plan for this request on this Swarm, with every problem in ``findings``; the same input, the same plan."""
    timings = timings or Timings()
    old = next((network for network in swarm.networks if network.id == request.network_id), None)
    before = of_network(old) if old else NetworkSettings()
    after = resolved(request.settings)
    if request.keep_name:
        after = replace(after, name=before.name)
    interim = _interim(swarm, after, reserved) if request.keep_name else None
    attached = attached_to(swarm, request.network_id)
    moves = 2 if interim else 1
    effects = tuple(_effects(swarm, request.network_id, attached, moves, timings, history))
    laid = tuple(_steps(before, after, interim, effects, timings))
    base = _base(swarm, old, (after, *((interim,) if interim else ())), reserved)
    return ReplacePlan(
        kind=KIND,
        cluster_id=swarm.id,
        request=request,
        network_id=request.network_id,
        before=before,
        after=after,
        interim=interim,
        steps=laid,
        effects=effects,
        keeps_working=tuple(_keeps_working(effects)),
        findings=not_there(request.network_id)
        if old is None
        else replace_checks.find(
            swarm=swarm,
            old=old,
            before=before,
            after=after,
            keep_name=request.keep_name,
            attached=attached,
            reserved=reserved,
            approved_labels=request.approved_labels,
        ),
        commands=tuple(_commands(before, after, interim, effects)),
        expected_seconds=round(sum(step.expected_seconds for step in laid), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def title(plan: Plan) -> str:
    """What a change request with this plan is called."""
    plan = ReplacePlan.of(plan)
    rows = ", ".join(row.subnet for row in plan.after.subnets)
    return f"Replace {plan.before.name} → {plan.after.name} {rows}".strip()[:200]


def attached_to(swarm: Swarm, network_id: str) -> tuple[Service, ...]:
    """Services whose spec attaches to the network, by name."""
    return tuple(sorted((s for s in swarm.services if network_id in s.network_ids), key=lambda s: s.name))


def _interim(swarm: Swarm, after: NetworkSettings, reserved: Sequence[ReservedRange]) -> NetworkSettings:
    """The wanted settings with another name and blocks of the same sizes that nobody has, the final one neither."""
    taken = [*reserved, *(ReservedRange(name=f"final {row.subnet}", cidr=row.subnet) for row in after.subnets)]
    rows = []
    for row in after.subnets:
        wanted = subnets.parse_or_none(row.subnet)
        free = blocks.free_block(prefix_length=wanted.prefix_length, swarm=swarm, reserved=taken) if wanted else None
        text = str(free) if free else ""
        taken.append(ReservedRange(name=f"interim {text}", cidr=text))
        rows.append(IpamConfig(subnet=text, gateway=default_gateway(text)))
    names = {network.name for network in swarm.networks}
    name = f"{after.name[: NAME_LIMIT - len(_INTERIM) - 3]}{_INTERIM}"
    number = 2
    while name in names:
        name, number = f"{after.name[: NAME_LIMIT - len(_INTERIM) - 3]}{_INTERIM}{number}", number + 1
    return replace(after, name=name, subnets=tuple(rows))


def _effects(
    swarm: Swarm,
    network_id: str,
    attached: Sequence[Service],
    moves: int,
    timings: Timings,
    history: Iterable[ServiceHistory],
) -> Iterator[Effect]:
    ids = {service.id for service in attached}
    names = {network.id: network.name for network in swarm.networks}
    paces = estimates.paces(swarm=swarm, services=attached, timings=timings, history=history)
    for service in sorted(swarm.services, key=lambda s: s.name):
        if service.id in ids:
            yield _effect(swarm, paces[service.id], names, 2 * moves)
        elif remembers(service, network_id):
            yield _flushed(swarm, service, names)


def _effect(swarm: Swarm, pace: Pace, names: dict[str, str], updates: int) -> Effect:
    service = pace.service
    config = service.spec.document().get("UpdateConfig") or {}
    containers, rounds = updating.rounds(swarm=swarm, service=service)
    at_once = config.get("Parallelism", 1) or containers
    meanwhile = updating.meanwhile(swarm=swarm, service=service)
    first = config.get("Order") == "start-first"
    one = pace.start.seconds if first else pace.drain_seconds + pace.start.seconds
    delay, monitor = (config.get("Delay") or 0) / _NANO, (config.get("Monitor") or 0) / _NANO or MONITOR_SECONDS
    dark = updates * one if meanwhile is Meanwhile.DARK else 0.0
    terms = [
        Term(label=f"{updates} updates of {rounds} rounds, {one:.1f} s each", seconds=_round(updates * rounds * one),
             source="containers start, then the old ones stop" if first else "containers stop, then new ones start"),
        Term(label="Delay between rounds", seconds=_round(updates * max(rounds - 1, 0) * delay), source="its own"),
        Term(label="Watched after each update", seconds=_round(updates * monitor * bool(rounds)), source="its own"),
    ]  # fmt: skip
    why = f"By its own update config, {at_once} at a time, {_ORDERS[meanwhile]}." if rounds else _NO_CONTAINERS
    return _record(
        swarm, service, names, why=why, restarts=updates, dark=_round(dark),
        terms=tuple(term for term in terms if term.seconds), meanwhile=meanwhile,
    )  # fmt: skip


def _flushed(swarm: Swarm, service: Service, names: dict[str, str]) -> Effect:
    why = "The spec before its last update names the network: its spec is written once more. Nothing restarts."
    return _record(swarm, service, names, why=why, restarts=0, dark=0.0, terms=())


def _record(
    swarm: Swarm,
    service: Service,
    names: dict[str, str],
    *,
    why: str,
    restarts: int,
    dark: float,
    terms: tuple[Term, ...],
    meanwhile: Meanwhile = Meanwhile.UNTOLD,
) -> Effect:
    return Effect(
        service_id=service.id,
        service_name=service.name,
        stack=service.stack,
        ports=service.ingress_ports,
        host_ports=service.host_ports,
        strategy=Strategy.AUTOMATIC,
        why=why,
        restarts=restarts,
        containers=wanted_swarm_tasks(swarm=swarm, service=service),
        release_after_seconds=0.0,
        dark_seconds=dark,
        network_dark_seconds=dark,
        terms=terms,
        networks=tuple(names.get(key, key) for key in service.network_ids),
        spec_digest=service.spec.digest,
        meanwhile=meanwhile,
    )


def _steps(
    before: NetworkSettings,
    after: NetworkSettings,
    interim: NetworkSettings | None,
    effects: Sequence[Effect],
    timings: Timings,
) -> Iterator[PlannedStep]:
    count = sum(bool(effect.restarts) for effect in effects)
    yield PlannedStep(name="check", title="Check the cluster", expected_seconds=0.5)
    yield PlannedStep(name="record", title=f"Record {counted(len(effects), 'service')}", expected_seconds=0.1)
    names = [before.name, interim.name, after.name] if interim else [before.name, after.name]
    seconds = move_seconds(effects, moves=len(names) - 1)
    for number, (source, target) in enumerate(pairwise(names), start=1):
        final = "" if target != before.name or number == 1 else " with the old name"
        yield _step("create", number, f"Make {target}{final}", timings.create.seconds)
        yield _step("join", number, f"{counted(count, 'service')} onto both {source} and {target}", seconds)
        yield _step("containers", number, f"Standalone containers off {source}", 0.5)
        yield _step("leave", number, f"{counted(count, 'service')} off {source}", seconds)
        yield _step("flush", number, f"Forget {source} in what services remember", 0.5)
        remove = _step("remove", number, f"Remove {source}", timings.remove.seconds)
        yield replace(remove, point_of_no_return=number == 1)
    yield PlannedStep(name="verify", title="Verify", expected_seconds=timings.verify.seconds)


def move_seconds(effects: Sequence[Effect], *, moves: int) -> float:
    """How long one update of all services takes, AT_ONCE side by side."""
    each = [estimates.total(effect.terms) / (2 * moves) for effect in effects if effect.restarts]
    return _round(max(max(each, default=0.0), sum(each) / AT_ONCE))


def _step(name: str, number: int, title: str, seconds: float) -> PlannedStep:
    return PlannedStep(name=f"{name}-{number}", title=title, expected_seconds=_round(seconds))


def _keeps_working(effects: Sequence[Effect]) -> Iterator[str]:
    yield from updating.sentences(effects)
    yield "Any two services of the network have a network in common at every moment, so they find each other by name."
    yield "Aliases and per-network options of each service are carried over."
    yield "Services on other networks only, published ports, nodes and volumes are not touched."


def _commands(
    before: NetworkSettings, after: NetworkSettings, interim: NetworkSettings | None, effects: Sequence[Effect]
) -> Iterator[str]:
    moving = [effect for effect in effects if effect.restarts]
    source = before.name
    for made in (interim, after) if interim else (after,):
        yield create_line(made)
        yield f"# Wait until docker network ls shows a driver for {made.name}."
        yield from (_update("--network-add", made.name, effect) for effect in moving)
        yield f"# Move containers outside services: docker network connect {made.name} NAME, then disconnect {source}."
        yield from (_update("--network-rm", source, effect) for effect in moving)
        yield "# An update that changes nothing makes a service forget the spec before:"
        yield from (f"docker service update --detach {shlex.quote(effect.service_name)}" for effect in effects)
        yield f"docker network rm {shlex.quote(source)}"
        source = made.name


def _update(flag: str, name: str, effect: Effect) -> str:
    return f"docker service update --detach=false {flag} {shlex.quote(name)} {shlex.quote(effect.service_name)}"


def _base(
    swarm: Swarm, old: Network | None, made: Sequence[NetworkSettings], reserved: Sequence[ReservedRange]
) -> tuple[tuple[str, str], ...]:
    """(readable subject, digest) pairs: services on the network, the network, and what is in the way of the new."""
    if old is None:
        return ()
    wanted = [block for row in made for ipam in row.subnets if (block := subnets.parse_or_none(ipam.subnet))]
    found: list[tuple[str, object]] = [
        (f"attached service {s.name}", [s.id, s.spec.digest])
        for s in swarm.services
        if old.id in s.network_ids or remembers(s, old.id)
    ]
    for network in swarm.networks:
        taken = [block for row in network.ipam if (block := subnets.parse_or_none(row.subnet))]
        near = any(subnets.overlaps(block, other) for block in taken for other in wanted)
        if network.id == old.id or near or network.name in {row.name for row in made}:
            found.append((f"network {network.name}", [network.id, canonical(plain(of_network(network)))]))
    for row in reserved:
        block = subnets.parse_or_none(row.cidr)
        if block and any(subnets.overlaps(block, other) for other in wanted):
            found.append((f"reserved range {row.name}", row.cidr))
    return tuple((subject, fingerprints.digest(content)) for subject, content in sorted(found, key=canonical))


def _round(seconds: float) -> float:
    return round(seconds, 2)
