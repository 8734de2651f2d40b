"""Who may do what. Policies by cluster, kind and risk have their place here."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do here. The same on every cluster: roles by cluster come with the policies."""

    ADMIN = "admin"
    """All that a member may; adds clusters and reserved ranges, makes Swarms, invites people, gives their roles."""
    MEMBER = "member"
    """Asks for changes, approves, rejects, steers jobs."""
    READER = "reader"
    """Sees everything, changes nothing."""


ROLE_WORDS = {Role.ADMIN: "administrator", Role.MEMBER: "member", Role.READER: "reader"}
"""What people read for each role."""


class ApprovalMode(StrEnum):
    """Chosen in set-up, shown on every change."""

    TWO_PEOPLE = "two_people"
    """One person other than the author approves."""
    SOLO = "solo"
    """One person may approve their own changes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether somebody may do something, and if not, why: a sentence for that person."""

    allowed: bool
    reason: str = ""


YES = Verdict(allowed=True)


def may_administer(role: Role) -> Verdict:
    """Whether this role looks after the installation: clusters, reserved ranges, people."""
    return YES if role is Role.ADMIN else Verdict(allowed=False, reason="Only administrators do this.")


def may_ask(role: Role, *, for_admins: bool = False) -> Verdict:
    """Whether this role asks for changes. ``for_admins``: of a kind that is for administrators alone."""
    if for_admins and role is Role.MEMBER:
        return Verdict(allowed=False, reason="Only administrators ask for this.")
    return _unless_reader(role, "An administrator asks for it." if for_admins else "A member asks for it.")


def may_decide(role: Role, *, for_admins: bool = False) -> Verdict:
    """Whether this role approves and rejects what others ask for; ``for_admins`` as in :func:`may_ask`."""
    if for_admins and role is Role.MEMBER:
        return Verdict(allowed=False, reason="Only administrators approve or reject this.")
    word = "An administrator" if for_admins else "A member"
    return _unless_reader(role, f"{word} approves or rejects it.")


def may_steer(role: Role) -> Verdict:
    """Whether this role turns jobs round: cancels, restores, continues, closes them."""
    return _unless_reader(role, "A member steers the job.")


def may_approve(
    *, mode: ApprovalMode, role: Role, author_id: int, approver_id: int, for_admins: bool = False
) -> Verdict:
    """Whether ``approver_id``, who has this role, may approve a change asked for by ``author_id``."""
    allowed = may_decide(role, for_admins=for_admins)
    if not allowed.allowed:
        return allowed
    if mode is ApprovalMode.TWO_PEOPLE and author_id == approver_id:
        other = "another administrator" if for_admins else "somebody else"
        return Verdict(allowed=False, reason=f"You asked for this change; {other} has to approve it.")
    return YES


def _unless_reader(role: Role, instead: str) -> Verdict:
    if role is not Role.READER:
        return YES
    return Verdict(allowed=False, reason=f"You are a reader here: you see everything and change nothing. {instead}")
