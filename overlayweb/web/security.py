"""What every answer passes: the Content-Security-Policy, and what a fragment gets when its session has ended."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""Nothing from other hosts, nothing inline, no frames."""

FOUND, UNAUTHORISED = 302, 401


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: every answer carries the policy."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return middleware


def no_sign_in_page_in_fragments(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: a fragment that would be sent to the sign-in page is a bare 401 instead.

    htmx would follow the redirect and put the sign-in page into the middle of a form, over what was typed; on a 401
    it leaves the page alone, which then says that the session has ended.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        sign_in = resolve_url(settings.LOGIN_URL)
        to_sign_in = response.status_code == FOUND and response.headers["Location"].startswith(f"{sign_in}?")
        return HttpResponse(status=UNAUTHORISED) if to_sign_in and "HX-Request" in request.headers else response

    return middleware
