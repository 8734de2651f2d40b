"""Who may approve what. Policies by cluster, kind and risk have their place here."""

from dataclasses import dataclass
from enum import StrEnum


class ApprovalMode(StrEnum):
    """Chosen in set-up, shown on every change."""

    TWO_PEOPLE = "two_people"
    """One person other than the author approves."""
    SOLO = "solo"
    """One person may approve their own changes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether somebody may approve, and if not, why: a sentence for that person."""

    allowed: bool
    reason: str = ""


def may_approve(*, mode: ApprovalMode, author_id: int, approver_id: int) -> Verdict:
    """Whether ``approver_id`` may approve a change asked for by ``author_id``."""
    if mode is ApprovalMode.TWO_PEOPLE and author_id == approver_id:
        return Verdict(allowed=False, reason="You asked for this change; somebody else has to approve it.")
    return Verdict(allowed=True)
