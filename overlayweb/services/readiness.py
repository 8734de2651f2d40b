"""Whether a cluster has what a Swarm needs: what was seen, what was measured, and asking for a new measurement."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from overlayweb.domain import gateway_bridge, init_plans, membership, mtu_advice, readiness
from overlayweb.domain.addresses import Holding
from overlayweb.domain.gateway_bridge import BridgeRequest
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.domain.plans import Finding
from overlayweb.domain.readiness import Check, EngineView, Membership
from overlayweb.domain.swarm import Node, Swarm
from overlayweb.models import Cluster, ReadinessCheck, reserved_ranges
from overlayweb.services import clusters
from tasks import readiness as celery_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a cluster's part in a Swarm.

    ``membership`` None: nobody could ask its engine. ``swarm`` None: its engine shows none now, or a job has made one
    since anybody looked. ``waits``: a check is under way. ``untaken``: one was asked for, and nobody carried it out.
    """

    membership: Membership | None
    swarm: Swarm | None
    check: Check | None
    error: str
    waits: bool
    untaken: bool

    @property
    def promote(self) -> tuple[str, ...]:
        """What makes this worker a manager, on one that is."""
        return (f"docker node promote {self.check.engine.node_id if self.check else 'NODE'}",)

    @property
    def unlock(self) -> tuple[str, ...]:
        """What unlocks it."""
        return ("docker swarm unlock",)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What stands in the way, as the nodes tell."""
        return readiness.findings(self.swarm) if self.swarm else ()

    @property
    def unanswered(self) -> tuple[EngineView, ...]:
        """Engines of nodes that the last check asked at their own address, and that did not answer."""
        return tuple(view for view in self.check.others if view.error) if self.check else ()

    @property
    def mtu_advice(self) -> tuple[Finding, ...]:
        """What does not fit of the MTUs."""
        return mtu_advice.advice(self.swarm, self.check) if self.swarm else ()

    @property
    def managers(self) -> tuple[str, ...]:
        """Addresses (host:port) at which a Swarm is joined, the leader's first."""
        if self.swarm is None:
            return self.check.engine.managers if self.check else ()
        rows = sorted(self.swarm.nodes, key=lambda node: (not node.leader, node.hostname))
        known = (row.address for row in rows if row.role == "manager" and row.address not in readiness.NOWHERE)
        return tuple(membership.joined(address) for address in known)


def standing(*, cluster: Cluster, now: datetime) -> Standing:
    """What the database knows: the latest look, or where that failed the latest check."""
    row = ReadinessCheck.objects.filter(cluster=cluster).first()
    check = row.check_of() if row else None
    seen = None if _left(cluster, check) else cluster.swarm()
    made = seen is None and _made(cluster, check)
    return Standing(
        membership=Membership.MANAGER if made else _membership(seen if not cluster.error else None, check),
        swarm=seen,
        check=check,
        error=cluster.error,
        waits=row.waits(now) if row else False,
        untaken=row is not None and not row.ended and not row.waits(now),
    )


def last_check(*, cluster: Cluster) -> Check | None:
    """What was found when the engines were asked last, None where they never were."""
    row = ReadinessCheck.objects.filter(cluster=cluster).first()
    return row.check_of() if row else None


def ask_due(*, now: datetime) -> int:
    """Have the engines asked again that show no Swarm: nobody follows their events. Returns how many.

    What they are is what a Swarm on them, or their joining one, is planned from and approved by.
    """
    asked = ReadinessCheck.objects.filter(cluster=OuterRef("pk"), asked_at__gt=now - clusters.LOOK_EVERY)
    outside = Cluster.objects.filter(removed_at=None, observed_at=None).exclude(error="")
    due = list(outside.exclude(Exists(asked)))
    for cluster in due:
        ask_check(cluster=cluster, now=now)
    return len(due)


def ask_check(*, cluster: Cluster, now: datetime) -> None:
    """Have a worker ask the engines and try the ports."""
    ReadinessCheck.objects.update_or_create(cluster=cluster, defaults={"asked_at": now})
    celery_tasks.check_readiness.delay_on_commit(cluster.pk)


def check_init(*, cluster: Cluster, check: Check | None, request: InitRequest) -> tuple[Finding, ...]:
    """What is wrong with a Swarm that is to be made of the cluster's engine."""
    return membership.check_init(request, held=_held(cluster, _alone(check)))


def check_join(*, managers: tuple[str, ...], request: JoinRequest) -> tuple[Finding, ...]:
    """What is wrong with the way in which an engine is to join."""
    return membership.check_join(request, managers=managers)


def check_bridge(*, cluster: Cluster, swarm: Swarm, node: Node | None, request: BridgeRequest) -> tuple[Finding, ...]:
    """What is wrong with settings for docker_gwbridge on this node, None while it is not known which."""
    found = gateway_bridge.check(request, held=_held(cluster, swarm))
    return (*gateway_bridge.check_node(node, swarm=swarm), *found) if node else found


def _left(cluster: Cluster, check: Check | None) -> bool:
    """Whether the engine told, after it was last seen as a manager, that it is none any more."""
    if check is None or check.engine.error or check.engine.membership is Membership.MANAGER:
        return False
    return cluster.observed_at is None or cluster.observed_at < check.checked_at


def _made(cluster: Cluster, check: Check | None) -> bool:
    """Whether a job has made a Swarm of its engine since anybody looked: a worker is about to."""
    looks = [clusters.last_look(cluster), check.checked_at if check else None]
    since = max(filter(None, looks), default=cluster.created_at)
    made = cluster.jobs.filter(kind=init_plans.KIND, status=JobStatus.SUCCEEDED, finished_at__gt=since)
    return made.exists()


def _membership(seen: Swarm | None, check: Check | None) -> Membership | None:
    if seen is not None:
        return Membership.MANAGER
    return check.engine.membership if check and not check.engine.error else None


def _alone(check: Check | None) -> Swarm | None:
    """What an engine without a Swarm has of its own, as if it were one."""
    if check is None or check.engine.error:
        return None
    return Swarm(id="", observed_at=check.checked_at, networks=check.engine.networks)


def _held(cluster: Cluster, swarm: Swarm | None) -> tuple[Holding, ...]:
    nothing = Swarm(id="", observed_at=cluster.created_at)
    return membership.held(swarm or nothing, reserved_ranges(cluster))
