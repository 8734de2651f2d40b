"""The least that a server of live streams does, for `bench.streams` to compare with: an ASGI application, no more.

``GET /stream`` stays open; ``GET /tell/N`` has every open stream get news with the number N.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

BYTES = 1200
"""About what the product sends for one line of a job's log and the state that changed with it."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class News:
    """The latest number told."""

    def __init__(self) -> None:
        self.number = 0
        self.changed = asyncio.Condition()

    async def tell(self, number: int) -> None:
        """Wake every stream."""
        async with self.changed:
            self.number = number
            self.changed.notify_all()

    async def after(self, number: int) -> int:
        """Wait for another number; that number."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.number != number)
        return self.number


_news = News()


async def application(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:  # noqa: ARG001
    """The application; a stream ends when its reader does."""
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"].startswith("/tell/"):
        await _news.tell(int(scope["path"].removeprefix("/tell/")))
        await send({"type": "http.response.body", "body": b"told"})
        return
    number = 0
    while True:
        number = await _news.after(number)
        line = f'event: log\nid: {number}\ndata: <li data-seq="{number}">{"." * BYTES}</li>\n\n'
        await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
