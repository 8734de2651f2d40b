"""What a change is planned from: the latest observation of its cluster and, where it makes an engine part of a Swarm,
what that engine told at its latest check. And whether that is fresh enough to approve by."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from overlayweb.domain import candidates, planners
from overlayweb.domain.candidates import Candidate
from overlayweb.domain.plans import Request
from overlayweb.domain.readiness import EngineView, Membership
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Cluster, candidate_of
from overlayweb.services import clusters, readiness

_NOT_YET = "The cluster has not been looked at yet. Wait a moment."
_UNASKED = "Nobody has asked the engine of {name} yet what it is: choose Check now on the page Readiness of {name}."


class NotSeenError(Exception):
    """Nothing is known of the cluster, or of the engine, so nothing can be planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """``swarm``, seen ``at``; ``candidate``: the engine that is to be part of one, None for all other changes."""

    swarm: Swarm
    at: datetime
    candidate: Candidate | None = None


def seen(*, cluster: Cluster, kind: str, request: Request) -> Seen:
    """What the database knows of all that this is planned from. Raises NotSeenError."""
    other = _engine(cluster, kind, request)
    if other is None:
        return _of_cluster(cluster)
    view, at = _told(other)
    candidate = candidate_of(other, view)
    if other.pk == cluster.pk:
        return Seen(swarm=candidates.alone(view, at), at=at, candidate=candidate)
    return replace(_of_cluster(cluster), candidate=candidate)


def outdated(*, cluster: Cluster, kind: str, request: Request, now: datetime) -> str:
    """Why nothing can be approved by what is known now, "" where it is fresh. A worker is asked to look again."""
    other = _engine(cluster, kind, request)
    own = other is not None and other.pk == cluster.pk
    if not own and not clusters.sight(cluster=cluster, now=now).fresh:
        clusters.look(cluster=cluster, now=now)
        return cluster.error or "The last look at the cluster is too old."
    check = readiness.last_check(cluster=other) if other else None
    if other is None or (check and not check.engine.error and now - check.checked_at < clusters.FRESH):
        return ""
    readiness.ask_check(cluster=other, now=now)
    return check.engine.error if check and check.engine.error else f"The engine of {other.name} is asked what it is."


def _engine(cluster: Cluster, kind: str, request: Request) -> Cluster | None:
    """The cluster as which the engine is registered that the change is about; None where it is about none."""
    number_of = planners.KINDS[kind].engine
    if number_of is None:
        return None
    number = number_of(request, cluster.pk)
    if number == cluster.pk:
        return cluster
    other = Cluster.objects.filter(pk=number, removed_at=None).first()
    if other is None:
        raise NotSeenError("The engine that is to join is not registered any more.")
    return other


def _of_cluster(cluster: Cluster) -> Seen:
    swarm = cluster.swarm()
    if swarm is None:
        raise NotSeenError(cluster.error or _NOT_YET)
    return Seen(swarm=swarm, at=cluster.observed_at or swarm.observed_at)


def _told(cluster: Cluster) -> tuple[EngineView, datetime]:
    """What the engine is, and when that was known: by its latest check, or by being seen as a manager since."""
    known = readiness.standing(cluster=cluster, now=timezone.now())
    if known.membership is Membership.MANAGER:
        before = known.check.engine if known.check else EngineView(hostname=cluster.name)
        view = replace(before, membership=Membership.MANAGER, error="")
        return view, known.swarm.observed_at if known.swarm else timezone.now()
    if known.check is None:
        raise NotSeenError(_UNASKED.format(name=cluster.name))
    if known.check.engine.error:
        raise NotSeenError(known.check.engine.error)
    return known.check.engine, known.check.checked_at
