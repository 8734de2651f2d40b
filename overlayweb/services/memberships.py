"""Who may be in a Swarm: the tokens, shown and rotated for administrators by a worker and kept as a trace; and the
changes by which engines become part of one."""

from datetime import datetime
from itertools import islice

from django.contrib.auth.models import User
from django.db import transaction

from overlayweb.domain import planners
from overlayweb.models import ActionKind, ChangeRequest, Cluster, MembershipAction
from overlayweb.models.secrets import UnreadableSecretError
from tasks import readiness as celery_tasks

LAST = 20


def show(*, cluster: Cluster, person: User, role: str, now: datetime) -> MembershipAction:
    """Have a worker fetch the token of this role, for this person alone and for a few minutes."""
    return _ask(cluster=cluster, person=person, kind=ActionKind.SHOW, role=role, now=now)


def rotate(*, cluster: Cluster, person: User, role: str, now: datetime) -> MembershipAction:
    """Have the token of this role made anew: the one of before lets nobody join any more."""
    return _ask(cluster=cluster, person=person, kind=ActionKind.ROTATE, role=role, now=now)


def joinable(*, cluster: Cluster) -> list[Cluster]:
    """Registered engines of which none was ever seen to be a manager: they may join this Swarm."""
    others = Cluster.objects.filter(removed_at=None, demo=False, observed_at=None).exclude(pk=cluster.pk)
    return [] if cluster.demo else list(others)


def about(*, cluster: Cluster) -> list[ChangeRequest]:
    """The latest changes that make or made this engine part of a Swarm, or others part of its; newest first."""
    kinds = [key for key, kind in planners.KINDS.items() if kind.engine is not None]
    rows = ChangeRequest.objects.filter(kind__in=kinds).select_related("author", "plan_record", "job", "cluster")
    rows = rows.defer("cluster__observation")
    meant = (row for row in rows if cluster.pk in (row.cluster_id, *row.plan_record.plan().other_clusters))
    return list(islice(meant, LAST))


def last(*, cluster: Cluster) -> list[MembershipAction]:
    """The latest actions, newest first."""
    return list(cluster.membership_actions.select_related("person").defer("sealed")[:LAST])


def token_for(*, cluster: Cluster, person: User, role: str, now: datetime) -> tuple[str, MembershipAction | None]:
    """The token of this role that this person asked to see, "" where there is none, with the action that got it."""
    mine = cluster.membership_actions.filter(person=person, kind=ActionKind.SHOW, role=role)
    action = mine.exclude(sealed="").filter(shown_until__gt=now).first()
    try:
        return (action.secret(now), action) if action else ("", None)
    except UnreadableSecretError:
        return "", None


def forget_tokens(*, now: datetime) -> int:
    """Take away the tokens whose time is over; returns how many."""
    old = MembershipAction.objects.filter(shown_until__lte=now)
    return old.update(sealed="", shown_until=None)


def hide(*, cluster: Cluster, person: User) -> None:
    """Take away what this person was shown, before its time."""
    cluster.membership_actions.filter(person=person).exclude(sealed="").update(sealed="", shown_until=None)


def _ask(*, cluster: Cluster, person: User, kind: ActionKind, now: datetime, role: str) -> MembershipAction:
    with transaction.atomic():
        action = MembershipAction.objects.create(cluster=cluster, person=person, kind=kind, role=role, asked_at=now)
        celery_tasks.act_on_membership.delay_on_commit(action.pk)
    return action
