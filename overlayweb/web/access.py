"""Who asks. Every view behind the sign-in has a user; these say so to the types, and guard what is not for all."""

from collections.abc import Callable
from functools import partial

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from overlayweb.domain import policy
from overlayweb.domain.policy import Role, Verdict
from overlayweb.services import roles


def signed_in(request: HttpRequest) -> User:
    """The person who asks; 404 where nobody is signed in, which the middleware keeps from happening."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def admin(request: HttpRequest) -> User:
    """The administrator who asks; for others these pages do not exist: 404."""
    person = signed_in(request)
    if not policy.may_administer(roles.of(person)).allowed:
        raise Http404
    return person


def asker(request: HttpRequest, *, for_admins: bool = False) -> User:
    """Who asks for changes, or for those that are for administrators; others are told who does: 403."""
    return _allowed(request, partial(policy.may_ask, for_admins=for_admins))


def decider(request: HttpRequest, *, for_admins: bool = False) -> User:
    """Who approves and rejects; others are told who does: 403."""
    return _allowed(request, partial(policy.may_decide, for_admins=for_admins))


def steerer(request: HttpRequest) -> User:
    """Who turns jobs round; a reader is told who does: 403."""
    return _allowed(request, policy.may_steer)


def _allowed(request: HttpRequest, allows: Callable[[Role], Verdict]) -> User:
    person = signed_in(request)
    verdict = allows(roles.of(person))
    if not verdict.allowed:
        raise PermissionDenied(verdict.reason)
    return person
