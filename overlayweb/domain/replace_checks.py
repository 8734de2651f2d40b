"""Every problem of a replacement at once: of the wanted settings, of the services, of the network that goes."""

from collections.abc import Iterator, Sequence

from overlayweb.domain import attaching, network_checks, network_settings, standalone, subnets, updating
from overlayweb.domain.addresses import ReservedRange, ingress_need
from overlayweb.domain.checks import services, start_first
from overlayweb.domain.checks.case import on_network, on_service
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Finding, Level, Meanwhile
from overlayweb.domain.swarm import DEFAULT_IPAM, SELF_LABEL, STACK_LABEL, IpamConfig, Mode, Network, Service, Swarm

_TOLD_ELSEWHERE = frozenset({"own-service", "service-plugin", "service-job", "service-port-pinned"})
_JOBS = frozenset({Mode.REPLICATED_JOB, Mode.GLOBAL_JOB})
_WEIGHT = {Level.BLOCKER: 0, Level.WARNING: 1, Level.NOTICE: 2}
_OVERLAY_OPTIONS = "com.docker.network."


def find(
    *,
    swarm: Swarm,
    old: Network,
    before: NetworkSettings,
    after: NetworkSettings,
    keep_name: bool,
    attached: Sequence[Service],
    reserved: Sequence[ReservedRange] = (),
    approved_labels: Sequence[tuple[str, str]] = (),
) -> tuple[Finding, ...]:
    """All findings, blockers first. With ``keep_name`` the old network's addresses are free for the final one.

    ``approved_labels``: those that it may have beside its own, whatever their keys.
    """
    leaves = (old,) if keep_name else ()
    found = [
        *_of_old(swarm, old, before, after),
        *network_checks.of_settings(
            swarm,
            after,
            leaves=leaves,
            attached=attached,
            reserved=reserved,
            kept=(*before.labels, *approved_labels),
        ),
        *network_checks.of_nodes(swarm, after),
        *_of_services(swarm, old, attached),
        *_of_room(swarm, old, attached),
    ]
    return tuple(sorted(found, key=lambda finding: _WEIGHT[finding.level]))


def _of_old(swarm: Swarm, old: Network, before: NetworkSettings, after: NetworkSettings) -> Iterator[Finding]:
    if old.ingress or old.scope != "swarm":
        kind = "the ingress, which is customised on its own page" if old.ingress else "no network of the Swarm"
        yield on_network(
            level=Level.BLOCKER,
            code="not-an-overlay",
            network=old,
            message=f"{old.name} is {kind}.",
            remedy="Choose an overlay.",
        )
    if before == after:
        yield on_network(
            level=Level.BLOCKER,
            code="no-change",
            network=old,
            message=f"{old.name} has these settings already.",
            remedy="Change a setting.",
        )
    yield from _of_ipam(old)
    yield from _of_standalone(swarm, old, after)
    stack = dict(old.labels).get(STACK_LABEL)
    if stack:
        yield on_network(
            level=Level.WARNING,
            code="stack-network",
            network=old,
            message=f"Stack {stack} makes {old.name} by its own file, which the job does not change.",
            remedy="Change the file too: its next deployment would make the old network again.",
        )
    elif before.name != after.name:
        yield on_network(
            level=Level.NOTICE,
            code="name-changes",
            network=old,
            message=f"The network is called {after.name} afterwards. Stack files and scripts that say {old.name} fail.",
            remedy="Change them, or ask for the same name: every container then restarts four times and not twice.",
        )


def _of_standalone(swarm: Swarm, old: Network, after: NetworkSettings) -> Iterator[Finding]:
    boxes = standalone.seen_on(swarm, old)
    if not boxes:
        return
    named = ", ".join(f"{box.key} on {box.hostname}" for box in boxes)
    if not after.attachable:
        yield on_network(
            level=Level.BLOCKER,
            code="standalone-not-attachable",
            network=old,
            message=f"Standalone containers are connected to {old.name} and cannot join a network that is not "
            f"attachable: {named}.",
            remedy="Keep it attachable, or take those containers off the network first.",
        )
        return
    yield on_network(
        level=Level.WARNING,
        code="standalone-containers",
        network=old,
        message=f"Standalone containers are connected to {old.name}: {named}. The job waits until each has moved.",
        remedy="Have somebody with a shell on its node at hand, or stop those containers first.",
    )


def _of_ipam(old: Network) -> Iterator[Finding]:
    """What of the old network's addresses has no field here."""
    left = [f"IPAM driver {old.ipam_driver}"] if old.ipam_driver not in ("", DEFAULT_IPAM) else []
    left += [f"IPAM option {key}={value}" for key, value in old.ipam_options]
    left += [f"auxiliary address {name} {address}" for name, address in old.auxiliary]
    if left:
        yield on_network(
            level=Level.WARNING,
            code="ipam-left-behind",
            network=old,
            message=f"This does not come along to the new network: {', '.join(left)}.",
            remedy="Give the new network an IP range that leaves out what must stay free; the rest has no field here.",
        )


def _of_services(swarm: Swarm, old: Network, attached: Sequence[Service]) -> Iterator[Finding]:
    case = network_checks.case_of(swarm, network_settings.of_network(old), IpamConfig(subnet=""), (), attached, ())
    yield from (finding for finding in services.services(case) if finding.code not in _TOLD_ELSEWHERE)
    for service in attached:
        yield from _untouchable(swarm, service)
        yield from start_first.start_first(swarm, service)
        yield from _dark(swarm, service)


def _untouchable(swarm: Swarm, service: Service) -> Iterator[Finding]:
    blocked = [
        (
            service.id in swarm.own_service_ids or SELF_LABEL in dict(service.labels),
            "own-service",
            f"{service.name} is Overlayweb itself, which would restart in the middle of its job.",
            "Run it outside of this network, then plan again.",
        ),
        (
            service.runtime != "container",
            "service-plugin",
            f"{service.name} runs a {service.runtime}, whose spec the engine does not give back whole.",
            "Take it off the network by hand first.",
        ),
        (
            service.mode in _JOBS,
            "service-job",
            f"{service.name} is a job: any change of it runs it once more.",
            "Remove the job, or take it off the network when one more run does no harm.",
        ),
        (
            attaching.in_old_place(service.spec),
            "service-old-spec",
            f"{service.name} names its networks where clients before 2017 wrote them; an engine refuses changes there.",
            "Update it once with docker service update --network-add and --network-rm, then plan again.",
        ),
    ]
    for applies, code, message, remedy in blocked:
        if applies:
            yield on_service(level=Level.BLOCKER, code=code, service=service, message=message, remedy=remedy)


def _dark(swarm: Swarm, service: Service) -> Iterator[Finding]:
    if updating.meanwhile(swarm=swarm, service=service) is Meanwhile.DARK:
        yield on_service(
            level=Level.WARNING,
            code="service-dark",
            service=service,
            message=f"{service.name} stops all its containers at once in each update (stop-first).",
            remedy="Set its update order to start-first, or its parallelism below its replicas, to keep it answering.",
        )


def _of_room(swarm: Swarm, old: Network, attached: Sequence[Service]) -> Iterator[Finding]:
    blocks = [block for row in old.ipam if (block := subnets.parse_or_none(row.ip_range or row.subnet))]
    need = ingress_need(swarm=swarm, services=attached).total
    usable = sum(subnets.usable(block) for block in blocks)
    if blocks and need > usable:
        yield on_network(
            level=Level.WARNING,
            code="old-full",
            network=old,
            message=f"{old.name} has room for {usable} addresses; {need} are in use while every service updates.",
            remedy="Scale services down first: a container that gets no address hangs in NEW, and the job turns back.",
        )
