"""What administrators do to who may be in a Swarm: each is asked for here, done by a worker, and kept as a trace."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.models import ActionKind, Cluster, MembershipAction, codec
from overlayweb.models.secrets import UnreadableSecretError
from tasks import readiness as celery_tasks

LAST = 20


def show(*, cluster: Cluster, person: User, role: str, now: datetime) -> MembershipAction:
    """Have a worker fetch the token of this role, for this person alone and for a few minutes."""
    return _ask(cluster=cluster, person=person, kind=ActionKind.SHOW, role=role, now=now)


def rotate(*, cluster: Cluster, person: User, role: str, now: datetime) -> MembershipAction:
    """Have the token of this role made anew: the one of before lets nobody join any more."""
    return _ask(cluster=cluster, person=person, kind=ActionKind.ROTATE, role=role, now=now)


def initialise(*, cluster: Cluster, person: User, request: InitRequest, now: datetime) -> MembershipAction:
    """Have a Swarm made of the cluster's engine."""
    arguments = codec.dump(request)
    return _ask(cluster=cluster, person=person, kind=ActionKind.INITIALISE, arguments=arguments, now=now)


def join(*, cluster: Cluster, person: User, other: Cluster, request: JoinRequest, now: datetime) -> MembershipAction:
    """Have the engine by which ``other`` is registered join the Swarm of ``cluster``."""
    return _ask(
        cluster=cluster,
        person=person,
        kind=ActionKind.JOIN,
        role=request.role,
        arguments=codec.dump({"joins": other.pk, "request": request}),
        told=f"{other.name} at {other.endpoint}",
        now=now,
    )


def joinable(*, cluster: Cluster) -> list[Cluster]:
    """Registered engines of which none was ever seen to be a manager: they may join this Swarm."""
    others = Cluster.objects.filter(removed_at=None, demo=False, observation="").exclude(pk=cluster.pk)
    return [] if cluster.demo else list(others)


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


def _ask(
    *,
    cluster: Cluster,
    person: User,
    kind: ActionKind,
    now: datetime,
    role: str = "",
    arguments: str = "",
    told: str = "",
) -> MembershipAction:
    with transaction.atomic():
        action = MembershipAction.objects.create(
            cluster=cluster, person=person, kind=kind, role=role, arguments=arguments, told=told[:255], asked_at=now
        )
        celery_tasks.act_on_membership.delay_on_commit(action.pk)
    return action
