"""A job's live stream: server-sent events that replay what was missed and then follow.

Each message's ``id`` is the number of the last log line sent, so a browser that comes back with ``Last-Event-ID``
gets exactly the lines in between. The state is sent whole on connecting, then only the parts that changed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from overlayweb.models import Event, Job
from overlayweb.web import access, job_frames, rights, watches
from overlayweb.web.job_board import Board
from overlayweb.web.job_frames import Part
from overlayweb.web.rights import Right
from overlayweb.web.watches import Watch

HEARTBEAT_SECONDS = 10.0
"""With ``rights.AUTHORISE_SECONDS`` before it, a stream ends within 30 s of a lost right."""
STREAMS_PER_PERSON = 20
RECONNECT_MILLISECONDS = 1000

_open: Counter[int] = Counter()
"""Open streams by person, in this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who opened a stream, by which right, and the token of their forms."""

    right: Right
    csrf_token: str


@dataclass(slots=True, kw_only=True)
class Shown:
    """What one browser has been sent: the log up to ``seq``, and all ``parts`` of a look of its watch, by element.

    ``services``: the ids of the services that its page shows, as ``job_frames.narrowed`` takes them.
    """

    seq: int
    services: Collection[str] | None = None
    look: int = 0
    parts: Mapping[str, Part] = field(default_factory=dict)

    def news(self, watch: Watch, board: Board) -> Sequence[Part]:
        """The parts that this browser does not show yet; counts them as sent.

        Compared once for all streams that were sent the same before: they are a thousand.
        """
        before = self.parts
        self.parts = watch.once(("parts", self.services), partial(_by_element, board, self.services))
        fresh = watch.once(("fresh", self.look, self.services), partial(_fresh, before, self.parts))
        self.look = watch.number
        return fresh


@require_GET
async def job_stream(request: HttpRequest, pk: int) -> HttpResponseBase:
    """``GET /jobs/<pk>/stream``: the job's events after ``Last-Event-ID`` or ``?after=``, for as long as it goes on.

    429 when the person has too many streams open.
    """
    visitor = await sync_to_async(_visitor)(request, pk)
    if _open[visitor.right.user_id] >= STREAMS_PER_PERSON:
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
        right = Right(user_id=access.signed_in(request).pk, session_key=request.session.session_key or "")
        return Visitor(right=right, csrf_token=get_token(request))
    finally:
        # This thread waits for as long as the stream is open; its connection must not.
        connections.close_all()


def _after(request: HttpRequest) -> int:
    """The last line that the browser has. The header wins: the address is as old as the page."""
    said = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(said) if said.isascii() and said.isdigit() else 0


async def _messages(job_id: int, visitor: Visitor, shown: Shown) -> AsyncIterator[bytes]:
    """All that is sent: what was missed and the whole state, then what is new, heartbeats, and why it ends."""
    with _counted(visitor.right.user_id):
        async with rights.held(visitor.right) as hold, watches.follow(job_id) as watch:
            yield f"retry: {RECONNECT_MILLISECONDS}\n\n".encode()
            while not watch.broken and not hold.unknown:
                number, said = watch.number, False
                async for messages in _news(watch, shown, visitor.csrf_token):
                    said = True
                    yield messages
                if watch.board and watch.board.ended:
                    yield _message("end", "", shown.seq)
                    return
                if await watch.next(number, seconds=HEARTBEAT_SECONDS) == number and not said:
                    yield b": still here\n" + _message("beat", _clock(), shown.seq)
                if hold.lost:
                    yield _message("signed-out", "", shown.seq)
                    return


async def _news(watch: Watch, shown: Shown, csrf_token: str) -> AsyncIterator[bytes]:
    """What this browser does not show yet: lines first, then the state that they led to.

    Both go out together, as bytes that are made once: with a thousand streams it is the sending that takes the time.
    """
    piece = b""
    while lines := await watch.lines_after(shown.seq):
        if piece:
            yield piece
        first, shown.seq = lines[0].seq, lines[-1].seq
        piece = watch.once(("log", first, shown.seq), partial(_log, lines))
    if watch.board:
        before = shown.look
        if fresh := shown.news(watch, watch.board):
            make = partial(_state, fresh, partial(_rendered, watch, csrf_token), shown.seq)
            own = any(part.form for part in fresh)
            piece += make() if own else watch.once(("state", before, shown.services, shown.seq), make)
    if piece:
        yield piece


def _by_element(board: Board, services: Collection[str] | None) -> Mapping[str, Part]:
    return {part.element: part for part in job_frames.parts(job_frames.narrowed(board, services))}


def _fresh(before: Mapping[str, Part], now: Mapping[str, Part]) -> Sequence[Part]:
    return [part for element, part in now.items() if before.get(element) != part]


def _log(lines: Sequence[Event]) -> bytes:
    return _message("log", job_frames.lines(lines), lines[-1].seq)


def _state(fresh: Sequence[Part], render: Callable[[Part], str], seq: int) -> bytes:
    return _message("state", _clock() + job_frames.html(fresh, render), seq)


def _rendered(watch: Watch, csrf_token: str, part: Part) -> str:
    if part.form:
        return part.html(csrf_token)
    return watch.once(part.element, partial(part.html, csrf_token=""))


def _message(event: str, html: str, seq: int) -> bytes:
    data = "".join(f"data: {line}\n" for line in html.splitlines() or [""])
    return f"event: {event}\nid: {seq}\n{data}\n".encode()


def _clock() -> str:
    """What time it is here: the page's clocks run by it, and a page that hears nothing knows that it is cut off."""
    return f'<i data-now="{timezone.now().isoformat()}"></i>'


@contextmanager
def _counted(user_id: int) -> Iterator[None]:
    _open[user_id] += 1
    try:
        yield
    finally:
        _open[user_id] -= 1
        if not _open[user_id]:
            del _open[user_id]
