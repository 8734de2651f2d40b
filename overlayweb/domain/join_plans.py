"""The plan of letting a registered engine join a Swarm, as a worker or a manager. The token is no part of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from overlayweb.domain import candidates, fingerprints, membership, readiness, subnets
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.candidates import Candidate, of_engine
from overlayweb.domain.checks.case import on_network
from overlayweb.domain.estimates import ServiceHistory, Timings
from overlayweb.domain.membership import JoinRequest
from overlayweb.domain.plans import Finding, Level, Plan, PlannedStep, Request
from overlayweb.domain.swarm import Mode, Network, Node, Swarm

KIND = "swarm_join"
JOIN_SECONDS = 4.0
"""Until a new node has its certificate, and until the managers list it as ready."""
READY_SECONDS = 2.0
"""[lab]"""
MANAGER = "manager"
_PAIR = 2


@dataclass(frozen=True, kw_only=True)
class EngineJoin(Request):
    """``joins``: the number of the cluster as which the engine is registered. ``how``: role and addresses."""

    joins: int
    how: JoinRequest


@dataclass(frozen=True, kw_only=True)
class JoinPlan(Plan):
    """``name``, ``endpoint``, ``hostname``: the engine that joins, as it is registered, and its machine.

    ``managers``, ``managers_after``: how many there are. ``ports``: what has to be open between it and the others.
    ``global_services``: those that start a container on it at once.
    """

    request: EngineJoin
    name: str
    endpoint: str
    hostname: str
    managers: int
    managers_after: int
    ports: tuple[str, ...]
    global_services: tuple[str, ...]

    @property
    def other_clusters(self) -> tuple[int, ...]:
        """The cluster as which the engine is registered."""
        return (self.request.joins,)

    @property
    def as_manager(self) -> bool:
        """Whether it joins as a manager."""
        return self.request.how.role == MANAGER


def build(
    *,
    swarm: Swarm,
    request: EngineJoin,
    candidate: Candidate,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> JoinPlan:
    """The plan; the same input, the same plan."""
    del reserved, timings, history
    managers = [node for node in swarm.nodes if node.role == MANAGER]
    met = _met(swarm, candidate)
    base = (*candidates.base(candidate), *_base(request.how, managers, met))
    steps = _steps(request.how, candidate)
    return JoinPlan(
        kind=KIND,
        cluster_id=swarm.id,
        request=request,
        name=candidate.name,
        endpoint=candidate.endpoint,
        hostname=candidate.hostname,
        managers=len(managers),
        managers_after=len(managers) + (request.how.role == MANAGER),
        ports=tuple(f"{port}: {port.what}" for port in _ports(swarm, request.how.role)),
        global_services=tuple(sorted(row.name for row in swarm.services if row.mode is Mode.GLOBAL)),
        steps=steps,
        effects=(),
        keeps_working=(
            "Nothing restarts: services, nodes and networks of the Swarm stay as they are.",
            "Containers that run on the engine now run on; none of them is in the Swarm.",
        ),
        findings=(
            *candidates.findings(candidate),
            *membership.check_join(request.how, managers=_addresses(managers)),
            *_of_node(swarm, candidate),
            *_of_managers(candidate, request.how, len(managers)),
            *_of_networks(candidate, met),
            *_afterwards(candidate, request.how),
        ),
        commands=(
            f"docker swarm join-token --quiet {request.how.role}  # on a manager: this is the TOKEN",
            f"{membership.join_command(request.how)}  # on {candidate.hostname}",
        ),
        expected_seconds=round(sum(step.expected_seconds for step in steps), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def joins(request: Request) -> int:
    """The number of the cluster whose engine is to join. Raises TypeError for a request of another kind."""
    if not isinstance(request, EngineJoin):
        raise TypeError(f"{type(request).__name__} lets no engine join")
    return request.joins


def title(plan: Plan) -> str:
    """What a change request with such a plan is called."""
    made = JoinPlan.of(plan)
    return f"Let {made.name} join as {made.request.how.role}"


def _steps(how: JoinRequest, candidate: Candidate) -> tuple[PlannedStep, ...]:
    host = candidate.hostname
    return (
        PlannedStep(name="check", title=f"Ask {host} whether it is in no Swarm", expected_seconds=0.5),
        PlannedStep(
            name="join",
            title=f"Hand {host} the {how.role}'s token: it joins by {how.remote}"[:120],
            expected_seconds=JOIN_SECONDS,
            point_of_no_return=True,
        ),
        PlannedStep(name="seen", title=f"See the managers list {host} as ready", expected_seconds=READY_SECONDS),
    )


def _addresses(managers: Iterable[Node]) -> list[str]:
    rows = sorted(managers, key=lambda node: (not node.leader, node.hostname))
    return [membership.joined(row.address) for row in rows if row.address not in readiness.NOWHERE]


def _ports(swarm: Swarm, role: str) -> tuple[readiness.Port, ...]:
    wanted = readiness.ports(swarm.data_path_port)
    return tuple(port for port in wanted if role == MANAGER or not port.managers_only)


def _met(swarm: Swarm, candidate: Candidate) -> list[tuple[Network, Network]]:
    """(network of the engine's own, overlay of the Swarm) that share addresses."""
    own = [row for row in candidate.view.networks if row.scope == "local"]
    overlays = [row for row in swarm.networks if row.scope == "swarm"]
    return [(mine, theirs) for mine in own for theirs in overlays if _overlap(mine, theirs)]


def _overlap(one: Network, other: Network) -> bool:
    blocks = [[subnets.parse_or_none(ipam.subnet) for ipam in network.ipam] for network in (one, other)]
    return any(a and b and subnets.overlaps(a, b) for a in blocks[0] for b in blocks[1])


def _base(
    how: JoinRequest, managers: Iterable[Node], met: Iterable[tuple[Network, Network]]
) -> Iterator[tuple[str, str]]:
    """The manager by which it joins; all of them where their number changes; the overlays that it meets."""
    rows = sorted(managers, key=lambda node: node.hostname)
    asked = [row for row in rows if how.role != MANAGER and membership.joined(row.address) == how.remote] or rows
    for row in asked:
        yield f"node {row.hostname}", fingerprints.digest([row.id, row.address, row.role])
    for name, content in sorted({(row.name, row.id) for _, row in met}):
        yield f"network {name}", fingerprints.digest(content)


def _of_node(swarm: Swarm, candidate: Candidate) -> Iterator[Finding]:
    """What readiness says of the Swarm with it that it does not say without; and a node of the same name."""
    view = candidate.view
    new = Node(
        id="",
        hostname=candidate.hostname,
        role="worker",
        state="ready",
        availability="active",
        address="",
        os=view.os,
        engine_version=view.engine_version,
    )
    told = readiness.findings(replace(swarm, nodes=(*swarm.nodes, new)))
    if view.engine_version not in {node.engine_version for node in swarm.nodes}:
        yield from (row for row in told if row.code == "versions-differ")
    yield from (row for row in told if (row.code, row.subject) == ("windows-node", new.id))
    if any(node.hostname == candidate.hostname for node in swarm.nodes):
        yield of_engine(
            Level.WARNING,
            "hostname-taken",
            candidate,
            f"There is a node called {candidate.hostname} in the Swarm already.",
            "If it is this machine before it left, remove the old row: `docker node rm NODE`.",
        )


def _of_managers(candidate: Candidate, how: JoinRequest, managers: int) -> Iterator[Finding]:
    if how.role != MANAGER:
        return
    yield of_engine(
        Level.NOTICE,
        "manager-may-all",
        candidate,
        f"A manager holds all keys and secrets of the Swarm: who is root on {candidate.hostname} may do everything.",
    )
    after = managers + 1
    if after == _PAIR:
        message = "With two managers nothing in the Swarm can change while either is away: with one that is rarer."
        yield of_engine(Level.WARNING, "two-managers", candidate, message, "Let a third join soon after.")
    elif after % 2 == 0:
        message = f"{after} managers bear as few losses as {managers} do."
        yield of_engine(Level.NOTICE, "even-managers", candidate, message, "Let one more join, or join as worker.")


def _of_networks(candidate: Candidate, met: Iterable[tuple[Network, Network]]) -> Iterator[Finding]:
    for mine, theirs in met:
        yield on_network(
            level=Level.WARNING,
            code="overlaps-overlay",
            network=theirs,
            message=f"{candidate.hostname}'s own network {mine.name} overlaps overlay {theirs.name}: there its "
            "containers do not reach each other.",
            remedy=f"Remove or move {mine.name} on {candidate.hostname} first.",
        )


def _afterwards(candidate: Candidate, how: JoinRequest) -> Iterator[Finding]:
    as_manager = how.role == MANAGER
    yield of_engine(
        Level.NOTICE,
        "registered-twice",
        candidate,
        f"Afterwards {candidate.name} is a node of this Swarm, and stays registered as a cluster of its own"
        f"{', which shows the same Swarm' if as_manager else ''}.",
        f"Remove cluster {candidate.name}, and register its engine on this cluster's page Nodes.",
    )
