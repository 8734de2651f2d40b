"""The demo: taking it away."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from overlayweb.services import demo
from overlayweb.web import access


@require_POST
def demo_remove(request: HttpRequest) -> HttpResponse:
    """Take the demo's cluster and its story away. Administrators only."""
    try:
        demo.remove(by=access.admin(request))
    except demo.BusyError as error:
        messages.error(request, str(error))
    else:
        messages.info(request, "The demo is removed. It does not come back by itself.")
    return redirect("overview")
