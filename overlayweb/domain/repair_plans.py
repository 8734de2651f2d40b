"""The plan of a repair of the routing mesh: pure arithmetic on one observation and one request.

1. Recognise what is wrong.
2. Name the engines that a person has to restart: the holders of a removed ingress, and the leader, last.
3. Say what happens to each service: nothing, published again, or taken off and put back.
4. Lay the steps: record, restarts, take off and remove what is unusable, create what is missing, publish, verify.
5. Sign it with a fingerprint of what it depends on.

All restarts come first: until the last one is done the job can be cancelled for free, and no ingress can be made while
the manager's own node holds the removed one (409). Source: lab, engines 20.10.24, 26.1.5 and 28.5.2.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from overlayweb.domain import (
    estimates,
    fingerprints,
    ingress_plans,
    ingress_steps,
    mesh,
    repair_checks,
    repair_commands,
)
from overlayweb.domain.addresses import ReservedRange, wanted_swarm_tasks
from overlayweb.domain.checks import addressing, overlap
from overlayweb.domain.checks.case import case_of
from overlayweb.domain.estimates import Pace, ServiceHistory, Timings
from overlayweb.domain.ingress_settings import resolved, settings_of
from overlayweb.domain.mesh import Mesh, NodeMesh
from overlayweb.domain.plans import (
    Effect,
    IngressPlan,
    IngressRequest,
    IngressSettings,
    NodeRestart,
    PlannedStep,
    Strategy,
    Term,
)
from overlayweb.domain.ports import INGRESS_MODE
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.domain.wording import counted

KIND = "mesh_repair"
RESTART_STEP = "restart-"
RESTART_SECONDS = 30.0
DEFAULT = IngressSettings(subnet="10.0.0.0/24")
"""What Docker makes by itself."""


def wanted(
    *, swarm: Swarm, last_known: IngressSettings | None = None, reserved: Sequence[ReservedRange] = ()
) -> IngressSettings:
    """The settings that the ingress shall have after: those of the one that is there, or was there last.

    In this order: the Swarm's own, of several the one that services use; the removed one that a node still holds;
    ``last_known`` from the history; Docker's default, or the next free subnet of its size where that overlaps
    something.
    """
    known = [n for n in (*mesh.by_use(swarm), *swarm.stale_ingress_networks) if n.allocated]
    if known:
        return settings_of(known[0])
    if last_known is not None and last_known.subnet:
        return last_known
    case = case_of(swarm=swarm, request=IngressRequest(settings=DEFAULT), reserved=reserved)
    if case.subnet is None or not any(overlap.overlaps(case)):
        return resolved(DEFAULT)
    free = addressing.next_free_text(case, case.subnet.prefix_length, case.subnet.first)
    return resolved(replace(DEFAULT, subnet=free))


def build(
    *,
    swarm: Swarm,
    request: IngressRequest,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> IngressPlan:
    """The plan of a repair, with every problem in ``findings``; the same input, the same plan.

    Where the Swarm's ingress can stay, ``after`` holds its settings, whatever the request says.
    """
    timings = timings or Timings()
    found = mesh.recognise(swarm)
    kept = found.ingress if not found.replaced else None
    after = settings_of(kept) if kept else resolved(request.settings)
    restarts = _restarts(found)
    effects = swarm.lately(_effects, request.strategies, timings, tuple(history))
    laid = _steps(swarm, found, effects, after, timings, restarts)
    base = fingerprints.repair_parts(swarm=swarm, after=after, reserved=reserved)
    return IngressPlan(
        kind=KIND,
        cluster_id=swarm.id,
        request=request,
        before=settings_of(found.ingress) if found.ingress else ingress_plans.NO_INGRESS,
        after=after,
        ingress_id=found.ingress.id if found.ingress else "",
        other_ingress_ids=tuple(network.id for network in found.replaced[:-1]),
        steps=laid,
        effects=effects,
        keeps_working=tuple(_keeps_working(swarm, effects)),
        findings=repair_checks.find(
            swarm=swarm,
            mesh=found,
            restarts=restarts,
            request=replace(request, settings=after),
            reserved=reserved,
        ),
        commands=repair_commands.repair(
            swarm=swarm,
            restarts=restarts,
            replaced=found.replaced,
            after=None if kept else after,
            effects=effects,
        ),
        expected_seconds=round(sum((step.expected_seconds for step in laid), 0.0), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
        restarts=restarts,
    )


def _restarts(found: Mesh) -> tuple[NodeRestart, ...]:
    """Of every holder, and of the leader in any case.

    A leader that removed the ingress under running containers loses track of them: until it is restarted, containers
    on healed nodes hang while they are prepared, whether it holds the ingress itself or not. [lab, engine 28.5.2]
    """
    stale = [restart_of(node) for node in found.stale_nodes if node.ready]
    leaders = [node for node in found.nodes if node.leader and node.ready and not node.stale]
    return tuple(stale + [restart_of_leader(node) for node in leaders]) if stale else ()


def restart_of_leader(node: NodeMesh) -> NodeRestart:
    """The same of a leader that holds no removed ingress itself."""
    return replace(restart_of(node), why=_LEADER)


_LEADER = "It is the leader, which has lost track of the addresses of the removed ingress."


def restart_of(node: NodeMesh) -> NodeRestart:
    """What a person does about a node that does not let go of a removed ingress."""
    return NodeRestart(
        node_id=node.node_id,
        hostname=node.hostname,
        address=node.address,
        leader=node.leader,
        why=" ".join(node.evidence) or "It does not join the ingress.",
        command=mesh.RESTART_COMMAND,
    )


def _effects(
    swarm: Swarm,
    strategies: tuple[tuple[str, Strategy], ...],
    timings: Timings,
    history: tuple[ServiceHistory, ...],
) -> tuple[Effect, ...]:
    found = mesh.recognise(swarm)
    released = (
        ingress_plans.release_effects(swarm=swarm, strategies=strategies, timings=timings, history=history)
        if found.replaced
        else ()
    )
    services = [s for s in swarm.services if s.id in found.lost]
    services += [] if found.replaced else swarm.published_services
    paces = estimates.paces(swarm=swarm, services=services, timings=timings, history=history)
    names = {network.id: network.name for network in swarm.networks}
    others = (_effect(swarm, found, pace, names) for pace in paces.values())
    return tuple(sorted((*released, *others), key=lambda effect: effect.service_name))


def _effect(swarm: Swarm, found: Mesh, pace: Pace, names: Mapping[str, str]) -> Effect:
    service = pace.service
    lost = service.id in found.lost
    terms = _terms(found, pace)
    dark = estimates.total(terms)
    ports = mesh.lost_ports(service) if lost else ingress_plans.effective_ports(service)
    return Effect(
        service_id=service.id,
        service_name=service.name,
        stack=service.stack,
        ports=tuple(port for port in ports if port.publish_mode == INGRESS_MODE),
        host_ports=service.host_ports,
        strategy=Strategy.AUTOMATIC,
        why=_why(found, service),
        restarts=1 if lost else 0,
        containers=wanted_swarm_tasks(swarm=swarm, service=service),
        release_after_seconds=0.0,
        dark_seconds=dark,
        network_dark_seconds=dark if lost else 0.0,
        terms=terms,
        networks=tuple(names.get(network_id, network_id) for network_id in service.network_ids),
        spec_digest=service.spec.digest,
    )


def _terms(found: Mesh, pace: Pace) -> tuple[Term, ...]:
    if pace.service.id in found.lost:
        return (*pace.stop, pace.start)
    return (pace.start,) if pace.service.id in found.waiting else ()


def _why(found: Mesh, service: Service) -> str:
    if service.id in found.lost:
        ports = ", ".join(map(str, mesh.lost_ports(service)))
        return f"Its last update took its ports off ({ports}). The job puts back the spec that it had before."
    if service.id in found.waiting:
        return "It hangs in NEW. The job publishes it again, unless it starts by itself once the nodes are whole."
    return "The job does not touch it: it comes back to full strength as the nodes do."


def _steps(
    swarm: Swarm,
    found: Mesh,
    effects: Sequence[Effect],
    after: IngressSettings,
    timings: Timings,
    restarts: Sequence[NodeRestart],
) -> tuple[PlannedStep, ...]:
    laid = ingress_steps.steps(swarm=swarm, effects=effects, after=after, timings=timings, has_ingress=True)
    by_name = {step.name: step for step in laid}
    by_name["record"] = replace(by_name["record"], title=f"Record {counted(len(effects), 'service')}")
    # Where there is nothing to remove, making the ingress is what cannot be taken back.
    by_name["create"] = replace(by_name["create"], point_of_no_return=not found.replaced)
    if (number := len(found.replaced)) > 1:
        by_name["remove"] = replace(by_name["remove"], title=f"Remove the {number} ingress networks")
    takes_off = ("release", "drain", "remove") if found.replaced else ()
    creates = ("create",) if found.replaced or found.ingress is None else ()
    names = ("check", "record", *takes_off, *creates, "publish", "verify")
    steps = [by_name[name] for name in names]
    asked = [
        PlannedStep(
            name=f"{RESTART_STEP}{number}",
            title=f"Restart Docker on {restart.hostname}",
            expected_seconds=RESTART_SECONDS,
        )
        for number, restart in enumerate(restarts, start=1)
    ]
    return (*steps[:2], *asked, *steps[2:])


def _keeps_working(swarm: Swarm, effects: Sequence[Effect]) -> Iterator[str]:
    yield from ingress_plans.keeps_working(swarm=swarm, effects=effects)[:-1]
    yield "Volumes and containers on other nodes are not touched."
