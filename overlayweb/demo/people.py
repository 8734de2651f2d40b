"""The four people of the demo: every role there is, and two members, since one asks and another approves."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from overlayweb.domain.policy import Role
from overlayweb.models import Account
from overlayweb.services import installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Somebody of the story."""

    username: str
    name: str
    role: Role


ANA = Part(username="demo-ana", name="Ana Ferreira", role=Role.ADMIN)
BRUNO = Part(username="demo-bruno", name="Bruno Costa", role=Role.MEMBER)
CARLA = Part(username="demo-carla", name="Carla Nunes", role=Role.MEMBER)
DORA = Part(username="demo-dora", name="Dora Lima", role=Role.READER)
PARTS = (ANA, BRUNO, CARLA, DORA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """How somebody of the demo comes in. ``path`` "": by the password that they have chosen already."""

    name: str
    username: str
    role: Role
    path: str


def enrol(*, may_come_in: bool, since: datetime) -> dict[Part, User]:
    """Accounts for all of them, without passwords. ``may_come_in`` False: they are names in the history, no more."""
    return {part: _account(part, may_come_in=may_come_in, since=since) for part in PARTS}


def may_come_in() -> bool:
    """Whether the demo's people are people of this installation, and not only names in its history."""
    return Account.objects.filter(demo=True, person__is_active=True).exists()


def invitations(*, now: datetime) -> list[Invitation]:
    """A fresh link for everybody of the demo who has not come in yet; those made before open nothing any more."""
    rows = Account.objects.filter(demo=True, person__is_active=True).select_related("person").order_by("pk")
    return [
        Invitation(
            name=row.person.get_full_name(),
            username=row.person.get_username(),
            role=Role(row.role),
            path="" if row.person.has_usable_password() else installation.opening_link(person=row.person, now=now),
        )
        for row in rows
    ]


def _account(part: Part, *, may_come_in: bool, since: datetime) -> User:
    person = User.objects.create_user(part.username, first_name=part.name, is_active=may_come_in, date_joined=since)
    Account.objects.create(person=person, role=part.role, demo=True)
    return person
