"""Who asks."""

from django.contrib.auth.models import User
from django.http import HttpRequest


def signed_in(request: HttpRequest) -> User:
    """The person of this request. Views are reached only by people who are signed in; anything else is a bug."""
    if not isinstance(request.user, User):
        raise TypeError("a view was reached without a sign-in")
    return request.user
