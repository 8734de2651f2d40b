"""Approving and rejecting: by the hash of the plan that was read, and only while the plan still fits."""

from datetime import datetime
from functools import partial

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from overlayweb.domain import planners, policy
from overlayweb.domain.lifecycle import ChangeEvent, ChangeStatus
from overlayweb.domain.policy import ApprovalMode, Verdict
from overlayweb.models import Approval, ChangeRequest, Job
from overlayweb.services import changes, installation, jobs, roles, seeing


class NotApprovableError(Exception):
    """Why this cannot be approved now, and what to do."""


def verdict(*, change: ChangeRequest, person: User) -> Verdict:
    """Whether the person may approve the change, and if not, why."""
    if change.status != ChangeStatus.PENDING:
        return Verdict(allowed=False, reason=f"The change is {change.status}.")
    return policy.may_approve(
        mode=installation.approval_mode(),
        role=roles.of(person),
        author_id=change.author_id,
        approver_id=person.pk,
        for_admins=planners.KINDS[change.kind].for_admins,
    )


def waits_for_nobody(*, change: ChangeRequest) -> bool:
    """Whether no account but its author's may approve the change, where the author may not."""
    if installation.approval_mode() is ApprovalMode.SOLO:
        return False
    people = roles.who_decide(for_admins=planners.KINDS[change.kind].for_admins)
    return not people.exclude(pk=change.author_id).exists()


def approve(*, change: ChangeRequest, person: User, plan_sha256: str, reason: str, now: datetime) -> Job:
    """Approve the plan of this hash and queue its job. Raises NotApprovableError.

    1. May this person? 2. Is it the plan that they read? 3. Does the plan still fit what was seen last?
    4. Approval and job in one transaction.
    """
    allowed = verdict(change=change, person=person)
    if not allowed.allowed:
        raise NotApprovableError(allowed.reason)
    if plan_sha256 != change.plan_record.sha256:
        raise NotApprovableError("The plan on this page is not the plan of the change any more. Reload the page.")
    _recheck(change, now)
    try:
        with transaction.atomic():
            if not changes.move(change, ChangeEvent.APPROVE, reason=reason, now=now):
                raise NotApprovableError(f"The change is {change.status} meanwhile.")
            _say(change, person, approved=True, reason=reason, now=now)
            return jobs.queue(change=change, now=now, approved_by=person)
    except IntegrityError as exc:
        raise NotApprovableError("You have said your word on this change already.") from exc


def reject(*, change: ChangeRequest, person: User, reason: str, now: datetime) -> bool:
    """Reject a pending change; False when it is not pending any more. Authors withdraw instead: False too.

    Raises NotAllowedError.
    """
    roles.require(person, partial(policy.may_decide, for_admins=planners.KINDS[change.kind].for_admins))
    if person.pk == change.author_id:
        return False
    with transaction.atomic():
        if not changes.move(change, ChangeEvent.REJECT, reason=reason, now=now):
            return False
        _say(change, person, approved=False, reason=reason, now=now)
    return True


def _recheck(change: ChangeRequest, now: datetime) -> None:
    frozen = change.plan_record.plan()
    why = seeing.outdated(cluster=change.cluster, kind=frozen.kind, request=frozen.request, now=now)
    if why:
        raise NotApprovableError(f"The plan cannot be checked against the cluster now. {why} Try again in a moment.")
    checked = changes.recheck(change=change)
    if checked.moved:
        reason = f"The cluster changed since the plan was made. {' '.join(checked.moved)} Plan again."
        changes.move(change, ChangeEvent.DRIFT, reason=reason, now=now)
        raise NotApprovableError(reason)
    if checked.blockers:
        raise NotApprovableError(f"The cluster is not fit for it now. {' '.join(checked.blockers)}")


def _say(change: ChangeRequest, person: User, *, approved: bool, reason: str, now: datetime) -> None:
    Approval.objects.create(
        change=change,
        plan_sha256=change.plan_record.sha256,
        person=person,
        approved=approved,
        reason=reason,
        at=now,
    )
