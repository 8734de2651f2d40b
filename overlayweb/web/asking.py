"""Asking for a change: what every form does once nothing is left to mend."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.plans import Request
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes, seeing
from overlayweb.web.access import asker


def submit(
    request: HttpRequest,
    cluster: Cluster,
    *,
    kind: str,
    asked: Request,
    reason: str,
    replaces: ChangeRequest | None,
) -> HttpResponse | None:
    """Make the change request and go to its page. None: the cluster moved in this moment, so read the form anew.

    Planning one's own pending change again withdraws it. Somebody else's stays as it is, the new one stands beside it:
    its author may well want it still.
    """
    person = asker(request)
    others = replaces is not None and replaces.status == ChangeStatus.PENDING and replaces.author_id != person.pk
    try:
        change = changes.submit(
            cluster=cluster,
            kind=kind,
            request=asked,
            author=person,
            reason=reason,
            now=timezone.now(),
            replaces=None if others else replaces,
        )
    except (changes.BlockedError, seeing.NotSeenError):
        return None
    return redirect("change", change.pk)
