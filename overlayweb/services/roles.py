"""Roles: what somebody may do here, and giving them another one."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from overlayweb.domain import policy
from overlayweb.domain.policy import Role, Verdict
from overlayweb.models import Account


class NotAllowedError(Exception):
    """This person's role does not allow it; the message says so to that person."""


class LastAdministratorError(Exception):
    """Somebody has to administer the installation: make another person an administrator first."""


def of(person: User) -> Role:
    """The role of a person."""
    role = Account.objects.filter(person=person).values_list("role", flat=True).first()
    return Role(role) if role else Role.MEMBER


def who_decide(*, for_admins: bool) -> QuerySet[User]:
    """The people who may approve and reject changes; ``for_admins``: those of a kind that is for administrators."""
    people = User.objects.filter(is_active=True)
    return people.filter(account__role=Role.ADMIN) if for_admins else people.exclude(account__role=Role.READER)


def require(person: User, allows: Callable[[Role], Verdict]) -> None:
    """Go on only if the person's role allows it. Raises NotAllowedError."""
    verdict = allows(of(person))
    if not verdict.allowed:
        raise NotAllowedError(verdict.reason)


def give(*, person: User, role: Role, by: User) -> None:
    """Give somebody a role, which holds from their next request on. Raises NotAllowedError, LastAdministratorError."""
    require(by, policy.may_administer)
    with transaction.atomic():
        # Locked: of two administrators who take each other's role at the same time, one remains.
        admins = Account.objects.select_for_update().filter(role=Role.ADMIN, person__is_active=True)
        if role is not Role.ADMIN and {account.person_id for account in admins} == {person.pk}:
            raise LastAdministratorError(
                f"{person.get_full_name() or person.get_username()} is the only administrator. "
                "Make somebody else an administrator first."
            )
        Account.objects.update_or_create(person=person, defaults={"role": role})
