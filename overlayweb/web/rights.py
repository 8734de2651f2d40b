"""Whether those who follow live pages may still do so: asked for all sessions together, every few seconds.

A thousand open streams that each asked for themselves would keep the process from sending what is new.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from django.contrib import auth
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from overlayweb.web import watches

logger = logging.getLogger(__name__)

AUTHORISE_SECONDS = 15.0
ANSWER_SECONDS = 4.0
"""A database that takes longer cannot tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """By which session a person follows."""

    user_id: int
    session_key: str


@dataclass(eq=False)
class Round:
    """All who follow in one event loop, which of their rights are ``lost``, and how often nobody could tell."""

    followers: Counter[Right] = field(default_factory=Counter)
    lost: frozenset[Right] = frozenset()
    failures: int = 0
    task: "asyncio.Task[None] | None" = None

    async def run(self) -> None:
        """Ask again and again, for as long as anybody follows."""
        while True:
            await asyncio.sleep(AUTHORISE_SECONDS)
            asked = frozenset(self.followers)
            try:
                asking = asyncio.create_task(watches.in_thread(_allowed, asked))
                await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
                self.lost = asked - asking.result()  # InvalidStateError where the answer is not there yet
            except Exception:  # whatever it was, nobody can tell, and the asking goes on
                logger.warning("sessions cannot be read for live pages", exc_info=True)
                self.failures += 1


@dataclass(frozen=True, slots=True)
class Hold:
    """One open page and its right. ``opened_after``: the failures before it."""

    round: Round
    right: Right
    opened_after: int

    @property
    def lost(self) -> bool:
        """Whether the session is this person's no more."""
        return self.right in self.round.lost

    @property
    def unknown(self) -> bool:
        """Whether nobody could tell: what is open ends then, and comes back by itself where it may."""
        return self.round.failures > self.opened_after


_rounds: dict[int, Round] = {}
"""By event loop, as watches are."""


@asynccontextmanager
async def held(right: Right) -> AsyncIterator[Hold]:
    """Follow by this right; what is yielded tells whether it still holds. The first one starts the asking."""
    key = id(asyncio.get_running_loop())
    mine = _rounds.setdefault(key, Round())
    mine.followers[right] += 1
    if mine.task is None:
        mine.task = asyncio.create_task(mine.run(), name="rights")
    try:
        yield Hold(mine, right, mine.failures)
    finally:
        mine.followers[right] -= 1
        mine.followers += Counter()  # without those that nobody holds any more
        if not mine.followers:
            del _rounds[key]
            mine.task.cancel()


def _allowed(rights: frozenset[Right]) -> frozenset[Right]:
    """Those whose session is still this person's, read anew: signing out, new passwords and blocking end it."""
    return frozenset(filter(_is_allowed, rights))


def _is_allowed(right: Right) -> bool:
    request = HttpRequest()
    request.session = SessionStore(right.session_key)
    user = auth.get_user(request)
    return user.is_authenticated and user.is_active and user.pk == right.user_id
