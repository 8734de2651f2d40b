"""Measuring what a Swarm needs of its nodes, and what administrators do with its tokens. Ids only, like all tasks."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.utils import timezone

from overlayweb.domain import readiness
from overlayweb.domain.readiness import Answer, Check, EngineView, PortAnswer
from overlayweb.engine import connection, reachability
from overlayweb.engine.errors import EngineError
from overlayweb.engine.membership import Members
from overlayweb.models import ActionKind, Cluster, MembershipAction, NodeEndpoint, ReadinessCheck, codec
from overlayweb.models.readiness import UNTAKEN
from overlayweb.models.secrets import seal
from tasks import doorbell, engines

ASK_SECONDS = 3.0
AT_ONCE = 16
SHOWN_FOR = timedelta(minutes=5)
"""How long a token that somebody asked for is kept, encrypted, for that person."""


@doorbell.task(expires=UNTAKEN.total_seconds(), time_limit=90)
def check_readiness(cluster_id: int) -> None:
    """Ask the engines what they are, try the TCP ports of all nodes, and keep what was found."""
    cluster = Cluster.objects.filter(pk=cluster_id, removed_at=None).first()
    if cluster is None:
        return
    began = timezone.now()
    check = Check(
        checked_at=began,
        engine=_view("", lambda: engines.connect(cluster)),
        others=_others(cluster),
        ports=_ports(cluster),
    )
    ReadinessCheck.objects.filter(cluster=cluster).update(result=codec.dump(check), checked_at=timezone.now())


@doorbell.task(expires=UNTAKEN.total_seconds(), time_limit=90)
def act_on_membership(action_id: int) -> None:
    """Carry out one action, once: a message that comes twice, or late, does nothing."""
    now = timezone.now()
    open_still = MembershipAction.objects.filter(pk=action_id, kind__in=_ACTS, started_at=None, ended_at=None)
    if not open_still.filter(asked_at__gt=now - UNTAKEN).update(started_at=now):
        return
    action = MembershipAction.objects.select_related("cluster").get(pk=action_id)
    try:
        _ACTS[ActionKind(action.kind)](action)
    except EngineError as error:
        action.error = str(error)
    action.ended_at = timezone.now()
    action.save(update_fields=["error", "ended_at", "sealed", "shown_until"])


def _show(action: MembershipAction) -> None:
    with engines.connect(action.cluster) as engine:
        action.sealed = seal(Members(engine.calls).token(action.role))
    action.shown_until = timezone.now() + SHOWN_FOR


def _rotate(action: MembershipAction) -> None:
    with engines.connect(action.cluster) as engine:
        Members(engine.calls).rotate(action.role)
    # What was shown before is no token any more.
    shown = MembershipAction.objects.filter(cluster=action.cluster, role=action.role)
    shown.exclude(sealed="").update(sealed="", shown_until=None)


_ACTS: dict[ActionKind, Callable[[MembershipAction], None]] = {
    ActionKind.SHOW: _show,
    ActionKind.ROTATE: _rotate,
}


def _view(hostname: str, connect: Callable[[], connection.DockerEngine]) -> EngineView:
    try:
        with connect() as engine:
            return Members(engine.calls).view(hostname)
    except EngineError as error:
        return EngineView(hostname=hostname, error=str(error))


def _others(cluster: Cluster) -> tuple[EngineView, ...]:
    """What the nodes with an endpoint of their own tell, all at once."""
    rows = list(cluster.node_endpoints.all())
    if not rows:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(rows), AT_ONCE), thread_name_prefix="readiness") as pool:
        return tuple(pool.map(_of_endpoint, rows))


def _of_endpoint(row: NodeEndpoint) -> EngineView:
    return _view(row.hostname, lambda: connection.connect(engines.endpoint_of(row), timeout_seconds=ASK_SECONDS))


def _ports(cluster: Cluster) -> tuple[PortAnswer, ...]:
    """What answers at the TCP ports of all nodes. Nodes of the demo are none, and their addresses may be anybody's."""
    swarm = cluster.swarm()
    if swarm is None:
        return ()
    targets = readiness.to_try(swarm)
    if cluster.demo:
        return tuple(
            PortAnswer(node_id=node.id, address=node.address, port=port, answer=Answer.UNCHECKED)
            for node, port in targets
        )
    return reachability.try_ports(targets, until=time.monotonic() + reachability.ALL_SECONDS)
