"""Where the next action of a decoded error is done: the page's address, for whoever may go there."""

from django.urls import NoReverseMatch, reverse

from overlayweb.domain import policy
from overlayweb.domain.decoding import Go
from overlayweb.domain.policy import Role
from overlayweb.models import Cluster

_FOR_ADMINISTRATORS = frozenset({"cluster-edit"})
_FOR_ASKERS = frozenset({"ingress-repair", "ingress-customise", "network-replace"})


def url_of(go: Go, *, cluster: str, role: Role, demo: bool = False) -> str:
    """The address of the page for this role, on the cluster of this name; "" where there is none."""
    if go.place in _FOR_ADMINISTRATORS and (demo or not policy.may_administer(role).allowed):
        return ""
    if go.place in _FOR_ASKERS and not policy.may_ask(role).allowed:
        return ""
    try:
        return reverse(go.place, args=[cluster, go.subject] if go.subject else [cluster])
    except NoReverseMatch:  # an id that is not one: it comes from an engine's words
        return ""


def of_job(job_id: int) -> Cluster | None:
    """The cluster of a job with its latest observation; None for one that was removed since."""
    return Cluster.objects.filter(jobs=job_id, removed_at=None).first()
