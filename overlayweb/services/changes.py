"""Change requests: preview, submit, withdraw, plan again."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice

from django.contrib.auth.models import User
from django.db import transaction

from overlayweb.domain import ingress_plans, lifecycle, planners, policy
from overlayweb.domain.lifecycle import ChangeEvent, ChangeStatus
from overlayweb.domain.plans import IngressPlan, Plan, Request
from overlayweb.domain.specs import canonical
from overlayweb.domain.swarm import Network
from overlayweb.models import ChangeRequest, Cluster, PlanRecord, codec, reserved_ranges
from overlayweb.services import roles, seeing, timings
from overlayweb.services.seeing import Seen


class BlockedError(Exception):
    """The plan has blockers; ``plan`` names them all."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("The plan has blockers.")
        self.plan = plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """A plan held against the latest observation. ``moved``: what changed since, in sentences."""

    moved: tuple[str, ...]
    blockers: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the plan still fits the cluster."""
        return not self.moved and not self.blockers


def preview(*, cluster: Cluster, request: Request, kind: str = ingress_plans.KIND) -> Plan:
    """The plan as it would be, from what was seen last; nothing is kept. Raises NotSeenError."""
    return _build(cluster, kind, request, seeing.seen(cluster=cluster, kind=kind, request=request))


def submit(
    *,
    cluster: Cluster,
    request: Request,
    author: User,
    reason: str,
    now: datetime,
    replaces: ChangeRequest | None = None,
    kind: str = ingress_plans.KIND,
) -> ChangeRequest:
    """Plan, freeze, and ask for approval. Raises NotAllowedError, NotSeenError, BlockedError."""
    roles.require(author, partial(policy.may_ask, for_admins=planners.KINDS[kind].for_admins))
    seen = seeing.seen(cluster=cluster, kind=kind, request=request)
    plan = _build(cluster, kind, request, seen)
    if plan.blockers:
        raise BlockedError(plan)
    with transaction.atomic():
        change = ChangeRequest.objects.create(
            cluster=cluster,
            kind=plan.kind,
            title=planners.title(plan),
            reason=reason,
            author=author,
            created_at=now,
            replaces=replaces,
        )
        PlanRecord.objects.create(
            change=change,
            document=codec.dump(plan),
            sha256=plan.sha256,
            fingerprint=plan.fingerprint,
            observed_at=seen.at,
            created_at=now,
        )
        if replaces is not None:
            move(replaces, ChangeEvent.WITHDRAW, reason=f"Planned again as change {change.pk}.", now=now)
    return change


def withdraw(*, change: ChangeRequest, now: datetime) -> bool:
    """Take a pending change back; False when it is not pending any more."""
    return move(change, ChangeEvent.WITHDRAW, reason="Withdrawn by its author.", now=now)


def recheck(*, change: ChangeRequest) -> Recheck:
    """Hold the frozen plan against what was seen last. Raises NotSeenError."""
    frozen = change.plan_record.plan()
    now = preview(cluster=change.cluster, request=frozen.request, kind=frozen.kind)
    return Recheck(
        moved=planners.drift(before=frozen, now=now),
        blockers=tuple(finding.message for finding in now.blockers),
    )


def of_network(*, cluster: Cluster, network: Network, most: int) -> list[ChangeRequest]:
    """The latest changes whose plans are about the network, by its name, which outlives its id; ``most`` at most."""
    kinds = [key for key, kind in planners.KINDS.items() if issubclass(kind.plan, IngressPlan) == network.ingress]
    asked = ChangeRequest.objects.filter(cluster=cluster, kind__in=kinds).select_related("author")
    if network.ingress:
        return list(asked[:most])
    # The text finds the few that may be meant on any database; the plan itself tells which are.
    likely = asked.filter(plan_record__document__contains=canonical(network.name)).select_related(
        "author", "plan_record"
    )
    meant = (row for row in likely.iterator(chunk_size=most) if network.name in row.plan_record.plan().networks)
    return list(islice(meant, most))


def move(change: ChangeRequest, event: ChangeEvent, *, reason: str, now: datetime) -> bool:
    """Compare-and-swap the status; False when somebody else moved it first or the event does not apply."""
    before = ChangeStatus(change.status)
    try:
        after = lifecycle.change_after(before, event)
    except lifecycle.InvalidTransitionError:
        return False
    moved = ChangeRequest.objects.filter(pk=change.pk, status=before).update(
        status=after, status_reason=reason, decided_at=now
    )
    if moved:
        change.refresh_from_db()
    return moved == 1


def _build(cluster: Cluster, kind: str, request: Request, seen: Seen) -> Plan:
    return planners.build(
        kind=kind,
        swarm=seen.swarm,
        request=request,
        reserved=reserved_ranges(cluster),
        timings=timings.of_cluster(cluster=cluster),
        history=timings.drains(cluster=cluster),
        candidate=seen.candidate,
    )
