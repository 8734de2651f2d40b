"""One look at a job for all its streams: however many pages are open, the database is read once per change.

A watch lives as long as somebody follows it. Nothing is held while it waits: each look opens a connection and
closes it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections

from overlayweb import wakeups
from overlayweb.models import Event
from overlayweb.web import job_board, job_frames
from overlayweb.web.job_board import Board

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""Wake-ups may be lost, so the database is looked at this often without any."""
REST_SECONDS = 0.05
"""Between two looks: a burst of commits is one look."""
KEPT_LINES = 1000


@dataclass(eq=False)
class Watch:
    """One job, watched in this process. ``lines`` are the newest ones, without a gap up to the board's."""

    job_id: int
    followers: int = 0
    board: Board | None = None
    lines: list[Event] = field(default_factory=list)
    number: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: "asyncio.Task[None] | None" = None
    made: dict[object, Any] = field(default_factory=dict)

    async def next(self, number: int, *, seconds: float) -> int:
        """Wait until there is something newer than look ``number``, at most ``seconds``; the number of that look."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self.changed:
                await self.changed.wait_for(lambda: self.number > number)
        return self.number

    async def lines_after(self, seq: int) -> Sequence[Event]:
        """The story after ``seq``: from memory, or from the database for whoever comes late."""
        ahead = seq + 1 - self.lines[0].seq if self.lines else -1
        kept = self.lines[ahead : ahead + job_frames.BATCH] if ahead >= 0 else []
        if kept and kept[0].seq == seq + 1:
            return kept
        known = max(self.board.last_seq if self.board else 0, self.lines[-1].seq if self.lines else 0)
        if seq >= known:
            return []
        return await in_thread(job_frames.read_events, job_id=self.job_id, after=seq)

    def once(self, key: object, make: Callable[[], T]) -> T:
        """What ``make`` makes of this look, made for the first stream that asks and the same for all others."""
        if key not in self.made:
            self.made[key] = make()
        made: T = self.made[key]
        return made

    @property
    def broken(self) -> bool:
        """Whether nobody looks any more although the job goes on."""
        return self.task is not None and self.task.done() and not (self.board and self.board.ended)

    async def run(self) -> None:
        """Look whenever the bell rings, for as long as anybody follows."""
        bell = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            ringing = group.create_task(_ring(bell, self.job_id))
            try:
                await self._look_on(bell)
            finally:
                ringing.cancel()

    async def _look_on(self, bell: asyncio.Event) -> None:
        while self.board is None or not self.board.ended:
            bell.clear()
            try:
                await self._look()
            except DatabaseError:
                # A database that is away comes back; the page says meanwhile that nothing new is known.
                logger.warning("job %s: cannot be read for its pages", self.job_id, exc_info=True)
            await asyncio.sleep(REST_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await bell.wait()

    async def _look(self) -> None:
        board = await in_thread(job_board.read, job_id=self.job_id)
        known = self.lines[-1].seq if self.lines else max(board.last_seq - KEPT_LINES, 0)
        lines = await in_thread(job_frames.read_events, job_id=self.job_id, after=known)
        if board == self.board and not lines:
            return
        async with self.changed:
            self.board, self.lines = board, [*self.lines, *lines][-KEPT_LINES:]
            self.number += 1
            self.made.clear()
            self.changed.notify_all()


_watches: dict[tuple[int, int], Watch] = {}
"""By event loop and job: a process that serves has one loop, a test run has many."""


@asynccontextmanager
async def follow(job_id: int) -> AsyncIterator[Watch]:
    """Follow a job; the first one starts the watch and the last one ends it."""
    key = (id(asyncio.get_running_loop()), job_id)
    watch = _watches.setdefault(key, Watch(job_id))
    watch.followers += 1
    if watch.task is None:
        watch.task = asyncio.create_task(watch.run(), name=f"watch-{job_id}")
    try:
        yield watch
    finally:
        watch.followers -= 1
        if not watch.followers:
            del _watches[key]
            watch.task.cancel()


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work that asks the database in a thread, and leave no connection behind."""

    def call() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False)()


async def _ring(bell: asyncio.Event, job_id: int) -> None:
    async for _ in wakeups.listen(job_id):
        bell.set()
