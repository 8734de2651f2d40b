"""Plans about one overlay: making it, and taking it away. What replacing it shares with them."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from overlayweb.domain import attaching, fingerprints, network_checks, standalone, subnets
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.checks.case import on_network, on_service
from overlayweb.domain.estimates import ServiceHistory, Timings
from overlayweb.domain.ingress_settings import MTU_OPTION
from overlayweb.domain.network_settings import NetworkSettings, of_network, resolved
from overlayweb.domain.plans import Finding, Level, Plan, PlannedStep, Request
from overlayweb.domain.specs import canonical
from overlayweb.domain.swarm import Network, Service, Swarm

CREATE, DELETE = "network_create", "network_delete"
_STACK_LABEL = "com.docker.stack.namespace"


@dataclass(frozen=True, kw_only=True)
class NetworkPlan(Plan):
    """``network_id``: the overlay that there is, by its full id; "" for one that is only to be made."""

    network_id: str = ""

    @property
    def made(self) -> tuple[NetworkSettings, ...]:
        """The networks that the job makes, in order."""
        return ()


@dataclass(frozen=True, kw_only=True)
class CreateRequest(Request):
    """An overlay with these settings.

    ``approved_labels``: those that a network of this name had as it was approved. It may have them again, whatever
    their keys: by the mark of its stack, the stack knows it as its own.
    """

    settings: NetworkSettings
    approved_labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class CreatePlan(NetworkPlan):
    """``after``: the settings as they will be asked of the engine."""

    request: CreateRequest
    after: NetworkSettings

    @property
    def made(self) -> tuple[NetworkSettings, ...]:
        """The one network."""
        return (self.after,)

    @property
    def networks(self) -> tuple[str, ...]:
        """The one network."""
        return (self.after.name,)


@dataclass(frozen=True, kw_only=True)
class DeleteRequest(Request):
    """The overlay with this full id is to go."""

    network_id: str


@dataclass(frozen=True, kw_only=True)
class DeletePlan(NetworkPlan):
    """``before``: the settings of the network that goes."""

    request: DeleteRequest
    before: NetworkSettings

    @property
    def networks(self) -> tuple[str, ...]:
        """The one network."""
        return (self.before.name,)


def create(
    *,
    swarm: Swarm,
    request: CreateRequest,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> CreatePlan:
    """The plan that makes an overlay; the same input, the same plan. No service is touched by it."""
    del history
    timings, after = timings or Timings(), resolved(request.settings)
    found = (
        *network_checks.of_settings(swarm, after, reserved=reserved, kept=request.approved_labels),
        *network_checks.of_nodes(swarm, after),
    )
    steps = (
        PlannedStep(name="check", title="Check the cluster", expected_seconds=0.5),
        PlannedStep(name="create-1", title=f"Make {after.name}", expected_seconds=timings.create.seconds),
    )
    base = _around(swarm, after, reserved)
    return CreatePlan(
        kind=CREATE,
        cluster_id=swarm.id,
        request=request,
        after=after,
        steps=steps,
        effects=(),
        keeps_working=("No service, node or other network is touched.",),
        findings=tuple(sorted(found, key=lambda finding: finding.level is not Level.BLOCKER)),
        commands=(create_line(after),),
        expected_seconds=round(sum(step.expected_seconds for step in steps), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def delete(
    *,
    swarm: Swarm,
    request: DeleteRequest,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> DeletePlan:
    """The plan that takes an overlay away. A blocker for each that still uses it, with what to do about it."""
    del reserved, history
    timings = timings or Timings()
    network = next((row for row in swarm.networks if row.id == request.network_id), None)
    before = of_network(network) if network else NetworkSettings()
    steps = (
        PlannedStep(name="check", title="Check the cluster", expected_seconds=0.5),
        PlannedStep(
            name="remove",
            title=f"Remove {before.name}",
            expected_seconds=timings.remove.seconds,
            point_of_no_return=True,
        ),
    )
    base = ((f"network {before.name}", fingerprints.digest(plain(before))),) if network else ()
    return DeletePlan(
        kind=DELETE,
        cluster_id=swarm.id,
        request=request,
        network_id=request.network_id,
        before=before,
        steps=steps,
        effects=(),
        keeps_working=("No service, node or other network is touched.",),
        findings=tuple(in_the_way(swarm, network)) if network else not_there(request.network_id),
        commands=(f"docker network rm {shlex.quote(before.name)}",),
        expected_seconds=round(sum(step.expected_seconds for step in steps), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def create_title(plan: Plan) -> str:
    """What a change request with such a plan is called."""
    after = CreatePlan.of(plan).after
    return f"Create {after.name} {', '.join(row.subnet for row in after.subnets)}".strip()[:200]


def delete_title(plan: Plan) -> str:
    """What a change request with such a plan is called."""
    return f"Delete {DeletePlan.of(plan).before.name}"[:200]


def remembers(service: Service, network_id: str) -> bool:
    """Whether only the spec before its last update names the network: that one keeps it from being removed."""
    before = service.previous_spec
    return before is not None and network_id in attaching.networks_of(before)


def not_there(network_id: str) -> tuple[Finding, ...]:
    """What is said of a network that is gone."""
    return (
        Finding(
            level=Level.BLOCKER,
            code="network-gone",
            about="network",
            subject=network_id,
            message="The network is not there any more.",
            remedy="Look at the list of networks.",
        ),
    )


def in_the_way(swarm: Swarm, network: Network) -> Iterator[Finding]:
    """Everything that keeps a network from being removed, and what makes its removal a bad idea."""
    if network.ingress or network.scope != "swarm":
        word = "the ingress: repair or customise it on its own page" if network.ingress else "no network of the Swarm"
        yield on_network(
            level=Level.BLOCKER,
            code="not-an-overlay",
            network=network,
            message=f"{network.name} is {word}.",
            remedy="Choose an overlay.",
        )
    attached = {service.id for service in swarm.services if network.id in service.network_ids}
    for service in sorted(swarm.services, key=lambda row: row.name):
        yield from _of_service(network, service, attached=service.id in attached)
    leaving = [t for t in swarm.swarm_tasks if t.may_be_on(network.id) and t.service_id not in attached]
    if leaving:
        yield on_network(
            level=Level.NOTICE,
            code="tasks-leaving",
            network=network,
            message=f"{len(leaving)} container{'s are' if len(leaving) > 1 else ' is'} leaving {network.name} still.",
            remedy="The job waits for the last one.",
        )
    for box in standalone.seen_on(swarm, network):
        yield on_network(
            level=Level.BLOCKER,
            code="standalone-container",
            network=network,
            message=f"Standalone container {box.key} on {box.hostname} is connected to {network.name}.",
            remedy=f"Run there: `docker network disconnect {network.name} {box.key}`",
        )
    stack = dict(network.labels).get(_STACK_LABEL)
    if stack:
        yield on_network(
            level=Level.WARNING,
            code="stack-network",
            network=network,
            message=f"Stack {stack} makes {network.name} by its own file, which the job does not change.",
            remedy="Take it out of the file too: its next deployment would make it again.",
        )


def _of_service(network: Network, service: Service, *, attached: bool) -> Iterator[Finding]:
    if attached:
        yield on_service(
            level=Level.BLOCKER,
            code="network-in-use",
            service=service,
            message=f"{service.name} is attached to {network.name}.",
            remedy="Detach it first.",
        )
    elif remembers(service, network.id):
        yield on_service(
            level=Level.BLOCKER,
            code="network-remembered",
            service=service,
            message=f"The spec that {service.name} had before its last update names {network.name}.",
            remedy=f"Run docker service update --detach {service.name}: an update that changes nothing forgets it.",
        )


def create_line(settings: NetworkSettings) -> str:
    """``docker network create`` for these settings."""
    words = ["docker", "network", "create", "--driver", "overlay"]
    flags = {"--attachable": settings.attachable, "--internal": settings.internal}
    words += [flag for flag, on in flags.items() if on]
    for row in settings.subnets:
        pairs = {"--subnet": row.subnet, "--gateway": row.gateway, "--ip-range": row.ip_range}
        words += [word for flag, value in pairs.items() if value for word in (flag, value)]
    options = [*settings.options]
    options += [(MTU_OPTION, str(settings.mtu))] if settings.mtu is not None else []
    words += [word for key, value in options for word in ("--opt", f"{key}={value}")]
    words += ["--opt", "encrypted"] if settings.encrypted else []
    words += [word for key, value in settings.labels for word in ("--label", f"{key}={value}")]
    return " ".join(shlex.quote(word) for word in (*words, settings.name))


def plain(settings: NetworkSettings) -> list[object]:
    """The settings as a list, for a digest."""
    rows = [[row.subnet, row.gateway, row.ip_range] for row in settings.subnets]
    flags = [settings.attachable, settings.internal, settings.encrypted]
    return [settings.name, rows, settings.mtu, flags, list(settings.labels), list(settings.options)]


def _around(swarm: Swarm, made: NetworkSettings, reserved: Sequence[ReservedRange]) -> tuple[tuple[str, str], ...]:
    """(readable subject, digest) pairs of what is in the way of a new network."""
    wanted = [block for row in made.subnets if (block := subnets.parse_or_none(row.subnet))]
    found: list[tuple[str, object]] = []
    for network in swarm.networks:
        taken = [block for row in network.ipam if (block := subnets.parse_or_none(row.subnet))]
        near = any(subnets.overlaps(block, other) for block in taken for other in wanted)
        if near or network.has_name(made.name):
            found.append((f"network {network.name}", [network.id, canonical(plain(of_network(network)))]))
    for row in reserved:
        block = subnets.parse_or_none(row.cidr)
        if block and any(subnets.overlaps(block, other) for other in wanted):
            found.append((f"reserved range {row.name}", row.cidr))
    return tuple((subject, fingerprints.digest(content)) for subject, content in sorted(found, key=canonical))
