"""The demo's cluster: simulated, said so on every page, and taken away again without a trace on real ones."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from overlayweb.domain import policy
from overlayweb.domain.lifecycle import ENDED
from overlayweb.models import Account, Adoption, ChangeRequest, Cluster, Job, forget_seen
from overlayweb.services import roles

NAMES = ("demo", "demo-swarm")
"""The second one where a real cluster has the first."""


class BusyError(Exception):
    """A job of the demo is under way; the message says what to do first."""


def cluster() -> Cluster | None:
    """The demo's cluster, or None."""
    return Cluster.objects.filter(demo=True).first()


def is_all_there_is() -> bool:
    """Whether there is a demo and no real cluster."""
    return cluster() is not None and not Cluster.objects.filter(demo=False).exists()


def register(*, endpoint: str, now: datetime) -> Cluster:
    """The demo's cluster, made if need be. What was seen of it is forgotten: its Swarm begins anew with each start."""
    found = cluster()
    if found is None:
        name = next(name for name in NAMES if not Cluster.objects.filter(name=name).exists())
        return Cluster.objects.create(name=name, endpoint=endpoint, demo=True, created_at=now)
    forget_seen(found, endpoint=endpoint)
    found.created_at = now  # the networks that it begins with are no drift
    found.save(update_fields=["created_at"])
    return found


def remove(*, by: User) -> None:
    """Take the demo away: cluster, changes, jobs, its people. Raises NotAllowedError, BusyError.

    People of the demo who have come in by their links stay, as people of the installation.
    """
    roles.require(by, policy.may_administer)
    with transaction.atomic():
        jobs = Job.objects.filter(cluster__demo=True)
        if jobs.exclude(status__in=ENDED).exists():
            raise BusyError("A job of the demo is under way. Let it end, or cancel it, then remove the demo.")
        jobs.delete()
        Adoption.objects.filter(cluster__demo=True).delete()
        ChangeRequest.objects.filter(cluster__demo=True).delete()
        Cluster.objects.filter(demo=True).delete()
        here = [account.pk for account in Account.objects.filter(demo=True) if account.person.has_usable_password()]
        Account.objects.filter(pk__in=here).update(demo=False)
        User.objects.filter(account__demo=True).delete()
