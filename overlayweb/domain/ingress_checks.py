"""Every problem of an ingress rebuild at once, each beside its field, service, node or network."""

from collections.abc import Iterator, Sequence

from overlayweb.domain.addresses import ReservedRange
from overlayweb.domain.checks import addressing, cluster, fields, overlap, services
from overlayweb.domain.checks.case import Case, case_of
from overlayweb.domain.plans import Finding, IngressRequest, Level
from overlayweb.domain.swarm import Swarm

_CHECKS = (
    fields.name,
    addressing.subnet,
    overlap.overlaps,
    overlap.room,
    overlap.pools,
    addressing.gateway,
    fields.mtu,
    addressing.ip_range,
    fields.labels,
    cluster.change,
    cluster.ingress,
    cluster.wedged,
    cluster.versions,
    cluster.networks,
    cluster.nodes,
    services.services,
    services.strategies,
    services.leftovers,
)

_WEIGHT = {Level.BLOCKER: 0, Level.WARNING: 1, Level.NOTICE: 2}


def find(*, swarm: Swarm, request: IngressRequest, reserved: Sequence[ReservedRange] = ()) -> tuple[Finding, ...]:
    """All findings, blockers first, then warnings, then notices; within a level in the order of the form.

    ``reserved``: ranges that admins keep free. Nothing is raised: what cannot be read is a finding too.
    """
    case = case_of(swarm=swarm, request=request, reserved=reserved)
    return tuple(sorted(_all(case), key=lambda finding: _WEIGHT[finding.level]))


def _all(case: Case) -> Iterator[Finding]:
    for check in _CHECKS:
        yield from check(case)
