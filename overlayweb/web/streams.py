"""A job's live stream: server-sent events that replay what was missed and then follow.

Each message's ``id`` is the number of the last log line sent, so a browser that comes back with ``Last-Event-ID``
gets exactly the lines in between. The state is sent whole on connecting, then only the parts that changed.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from asgiref.sync import sync_to_async
from django.contrib import auth
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from overlayweb.models import Job
from overlayweb.web import access, job_frames, watches
from overlayweb.web.job_frames import Part, Shown
from overlayweb.web.watches import Watch

HEARTBEAT_SECONDS = 10.0
AUTHORISE_SECONDS = 15.0
"""With a heartbeat's wait before it, a stream is authorised again within 30 s."""
STREAMS_PER_PERSON = 20
RECONNECT_MILLISECONDS = 1000

_open: Counter[int] = Counter()
"""Open streams by person, in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who opened a stream, and by which session."""

    user_id: int
    session_key: str
    csrf_token: str


@require_GET
async def job_stream(request: HttpRequest, pk: int) -> HttpResponseBase:
    """``GET /jobs/<pk>/stream``: the job's events after ``Last-Event-ID`` or ``?after=``, for as long as it goes on.

    429 when the person has too many streams open.
    """
    visitor = await sync_to_async(_visitor)(request, pk)
    if _open[visitor.user_id] >= STREAMS_PER_PERSON:
        said = f"You have {STREAMS_PER_PERSON} live pages open already. Close one of them."
        return HttpResponse(said, status=HTTPStatus.TOO_MANY_REQUESTS, content_type="text/plain; charset=utf-8")
    messages = _messages(pk, visitor, Shown(seq=_after(request), services=job_frames.services_of(request)))
    response = StreamingHttpResponse(messages, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back until its buffer is full
    return response


def _visitor(request: HttpRequest, pk: int) -> Visitor:
    try:
        get_object_or_404(Job.objects.only("pk"), pk=pk)
        return Visitor(
            user_id=access.signed_in(request).pk,
            session_key=request.session.session_key or "",
            csrf_token=get_token(request),
        )
    finally:
        # This thread waits for as long as the stream is open; its connection must not.
        connections.close_all()


def _after(request: HttpRequest) -> int:
    """The last line that the browser has. The header wins: the address is as old as the page."""
    said = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(said) if said.isascii() and said.isdigit() else 0


async def _messages(job_id: int, visitor: Visitor, shown: Shown) -> AsyncIterator[str]:
    """All that is sent: what was missed and the whole state, then what is new, heartbeats, and why it ends."""
    authorised = time.monotonic()
    with _counted(visitor.user_id):
        async with watches.follow(job_id) as watch:
            yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
            while not watch.broken:
                number, said = watch.number, False
                async for message in _news(watch, shown, visitor.csrf_token):
                    said = True
                    yield message
                if watch.board and watch.board.ended:
                    yield _message("end", "", shown.seq)
                    return
                if await watch.next(number, seconds=HEARTBEAT_SECONDS) == number and not said:
                    yield f": still here\n{_message('beat', _clock(), shown.seq)}"
                if time.monotonic() - authorised > AUTHORISE_SECONDS:
                    if not await watches.in_thread(_still_allowed, visitor):
                        yield _message("signed-out", "", shown.seq)
                        return
                    authorised = time.monotonic()


async def _news(watch: Watch, shown: Shown, csrf_token: str) -> AsyncIterator[str]:
    """What this browser does not show yet: lines first, then the state that they led to."""
    while lines := await watch.lines_after(shown.seq):
        shown.seq = lines[-1].seq
        html = watch.once((lines[0].seq, shown.seq), partial(job_frames.lines, lines))
        yield _message("log", html, shown.seq)
    if watch.board and (fresh := shown.news(watch.board)):
        render = partial(_rendered, watch, csrf_token)
        yield _message("state", _clock() + job_frames.html(fresh, render), shown.seq)


def _rendered(watch: Watch, csrf_token: str, part: Part) -> str:
    if part.form:
        return part.html(csrf_token)
    return watch.once(part.element, partial(part.html, csrf_token=""))


def _message(event: str, html: str, seq: int) -> str:
    data = "".join(f"data: {line}\n" for line in html.splitlines() or [""])
    return f"event: {event}\nid: {seq}\n{data}\n"


def _clock() -> str:
    """What time it is here: the page's clocks run by it, and a page that hears nothing knows that it is cut off."""
    return f'<i data-now="{timezone.now().isoformat()}"></i>'


def _still_allowed(visitor: Visitor) -> bool:
    """Whether the session is still this person's, read anew: signing out, new passwords and blocking end it."""
    request = HttpRequest()
    request.session = SessionStore(visitor.session_key)
    user = auth.get_user(request)
    return user.is_authenticated and user.is_active and user.pk == visitor.user_id


@contextmanager
def _counted(user_id: int) -> Iterator[None]:
    _open[user_id] += 1
    try:
        yield
    finally:
        _open[user_id] -= 1
        if not _open[user_id]:
            del _open[user_id]
