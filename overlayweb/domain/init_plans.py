"""The plan of making a Swarm of one engine: `docker swarm init`, with what can not be changed afterwards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from overlayweb.domain import candidates, fingerprints, membership, subnets
from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.candidates import Candidate
from overlayweb.domain.estimates import ServiceHistory, Timings
from overlayweb.domain.membership import DEFAULT_POOL, DEFAULT_SIZE, InitRequest
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.domain.swarm import DATA_PATH_PORT, Swarm

KIND = "swarm_init"
INIT_SECONDS = 2.0
INGRESS_SECONDS = 2.0
"""Until the ingress has its addresses. Both: [lab]"""


@dataclass(frozen=True, kw_only=True)
class InitPlan(Plan):
    """``name``, ``endpoint``: the cluster as which the engine is registered; ``hostname``: its machine.

    ``pools``, ``size``, ``data_path_port``: as they will be, the engine's own where none is asked for; ``room``: how
    many networks the pools have room for.
    """

    request: InitRequest
    name: str
    endpoint: str
    hostname: str
    pools: tuple[str, ...]
    size: int
    data_path_port: int
    room: int


def build(
    *,
    swarm: Swarm,
    request: InitRequest,
    candidate: Candidate,
    reserved: Sequence[ReservedRange] = (),
    timings: Timings | None = None,
    history: Iterable[ServiceHistory] = (),
) -> InitPlan:
    """The plan; the same input, the same plan. ``swarm``: what the engine has of its own, as if it were one."""
    del timings, history
    held = membership.held(swarm, reserved)
    pools = request.pools or (DEFAULT_POOL,)
    size = request.size if request.pools and request.size else DEFAULT_SIZE
    base = (*candidates.base(candidate), *_near(swarm, reserved, pools))
    steps = _steps(candidate)
    return InitPlan(
        kind=KIND,
        cluster_id=swarm.id,
        request=request,
        name=candidate.name,
        endpoint=candidate.endpoint,
        hostname=candidate.hostname,
        pools=pools,
        size=size,
        data_path_port=request.data_path_port or DATA_PATH_PORT,
        room=membership.networks_in(pools, size),
        steps=steps,
        effects=(),
        keeps_working=(
            "Containers that run on the engine now run on; none of them is in the Swarm.",
            "Its own networks stay as they are.",
        ),
        findings=(*candidates.findings(candidate), *membership.check_init(request, held=held)),
        commands=(f"{membership.init_command(request)}  # on {candidate.hostname}",),
        expected_seconds=round(sum(step.expected_seconds for step in steps), 2),
        fingerprint=fingerprints.fingerprint(base),
        base=base,
    )


def title(plan: Plan) -> str:
    """What a change request with such a plan is called."""
    return f"Make a Swarm on {InitPlan.of(plan).name}"


def _steps(candidate: Candidate) -> tuple[PlannedStep, ...]:
    host = candidate.hostname
    return (
        PlannedStep(name="check", title=f"Ask {host} whether it is in no Swarm", expected_seconds=0.5),
        PlannedStep(
            name="initialise",
            title=f"Make the Swarm: {host} is its first manager",
            expected_seconds=INIT_SECONDS,
            point_of_no_return=True,
        ),
        PlannedStep(
            name="seen", title="See the manager answer and its ingress allocated", expected_seconds=INGRESS_SECONDS
        ),
    )


def _near(swarm: Swarm, reserved: Sequence[ReservedRange], pools: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The networks of the engine and the reserved ranges that overlap the pools."""
    wanted = [found for text in pools if (found := subnets.parse_or_none(text)) is not None]
    met = [
        row for row in membership.held(swarm, reserved) if any(subnets.overlaps(row.subnet, pool) for pool in wanted)
    ]
    kinds = {"reserved": "reserved range"}
    subjects = {(f"{kinds.get(row.kind, 'network')} {row.name}", str(row.subnet)) for row in met}
    return tuple((subject, fingerprints.digest(text)) for subject, text in sorted(subjects))
