"""Who asks. Every view behind the sign-in has a user; these say so to the types, and guard what is for few."""

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest


def signed_in(request: HttpRequest) -> User:
    """The person who asks; 404 where nobody is signed in, which the middleware keeps from happening."""
    if not isinstance(request.user, User):
        raise Http404
    return request.user


def admin(request: HttpRequest) -> User:
    """The administrator who asks; for others these pages do not exist: 404."""
    person = signed_in(request)
    if not person.is_staff:
        raise Http404
    return person
