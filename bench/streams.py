"""How soon all who watch a job see what was committed.

``python -m bench.streams [--streams N …] [--commits N] [--json FILE] [--markdown]`` needs Redis and takes about two
minutes. One web process serves a job to so many open streams; a worker's ledger commits news of the job. Beside it, in
the same run, a bare ASGI application behind the same server sends about as many bytes to as many.
"""

import argparse
import asyncio
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import machine
from bench.machine import Machine
from tests.support import ports
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from tests.web.job_stories import Story

STREAMS = (100, 1000)
COMMITS = 40
REST_SECONDS = 0.5
"""Between two commits: each is on its own."""
TARGET_MS = 100.0
ANSWER_SECONDS = 30.0
_OPENING = 50
"""Streams that are opened at once."""
_MOST_A_PERSON = 20
_COMMAND = "`python -m bench.streams --markdown`"

Tell = Callable[[int], Awaitable[None]]
"""Commits, or sends, the news of this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server with so many streams: milliseconds from just before a commit until a stream has its news."""

    server: str
    streams: int
    median: float
    p95: float
    slowest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. ``commits``: how many were told to every stream."""

    machine: Machine
    load: float
    commits: int
    rows: tuple[Row, ...]


class Readers:
    """So many open streams, and when news came to each."""

    def __init__(self, streams: int) -> None:
        self.streams = streams
        self._came: dict[int, list[float]] = {}
        self._all = asyncio.Event()
        self._wanted = -1

    def expect(self, number: int) -> None:
        """From now on the news of this number is waited for."""
        self._came[number] = []
        self._wanted = number
        self._all.clear()

    async def all_came(self) -> list[float]:
        """When each stream had it, on the monotonic clock. Raises TimeoutError."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._all.wait()
        return self._came[self._wanted]

    async def follow(self, reader: asyncio.StreamReader) -> None:
        """Read one stream to its end; each piece of news once."""
        seen = b""
        noted = -1
        while chunk := await reader.read(65536):
            seen = seen[-64:] + chunk
            if noted != self._wanted and _mark(self._wanted) in seen:
                noted = self._wanted
                came = self._came[noted]
                came.append(time.monotonic())
                if len(came) == self.streams:
                    self._all.set()


def main() -> None:
    """Measure; print the table."""
    options = _options()
    looked = machine.look(now=datetime.now(UTC))
    with _data():
        rows = asyncio.run(_measure(tuple(options.streams), options.commits))
    report = Report(machine=looked, load=machine.load(), commits=options.commits, rows=tuple(rows))
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n")
    text = markdown(report)
    print(text if options.markdown else text.replace("*", "").replace("`", ""))


def markdown(report: Report) -> str:
    """The section for docs/benchmarks.md."""
    lines = [
        "## Live progress",
        "",
        f"{report.machine}; load average {report.load}; {report.commits} commits each. {_COMMAND}",
        "",
        "Milliseconds from just before a worker's ledger commits news of a job until an open stream has them, over all",
        "streams and commits. One web process, Redis, SQLite; the reader of all streams runs on the same machine.",
        "*Bare*: about as many bytes from an ASGI application without Django, database or Redis, in the same server.",
        f"Target: p95 at most {TARGET_MS:.0f} ms with 1,000 streams.",
        "",
        "| Server | Streams | Median, ms | p95, ms | Slowest, ms |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {row.server} | {row.streams:,} | {row.median:.0f} | {row.p95:.0f} | {row.slowest:.0f} |"
            for row in report.rows
        ),
    ]
    return "\n".join(lines)


async def _measure(streams: tuple[int, ...], commits: int) -> list[Row]:
    rows = []
    for number in streams:
        rows.append(await _row("Overlayweb", number, commits, _of_a_job))
        rows.append(await _row("Bare", number, commits, _of_bare))
    return rows


async def _row(name: str, streams: int, commits: int, server: Callable[[Readers], Any]) -> Row:
    readers = Readers(streams)
    took: list[float] = []
    async with server(readers) as (first, tell):
        for number in range(first, first + commits):
            await asyncio.sleep(REST_SECONDS)
            readers.expect(number)
            began = time.monotonic()
            await tell(number)
            took += [(came - began) * 1000 for came in await readers.all_came()]
    return Row(
        server=name,
        streams=streams,
        median=statistics.median(took),
        p95=sorted(took)[math.ceil(0.95 * len(took)) - 1],
        slowest=max(took),
    )


@asynccontextmanager
async def _of_a_job(readers: Readers) -> AsyncIterator[tuple[int, Tell]]:
    """Streams of a job that a worker is at; the number of its next event, and what commits it."""
    from overlayweb.models import Job

    story, sessions = await asyncio.to_thread(_story, readers.streams)
    step = await asyncio.to_thread(story.begin)
    with _served("overlayweb.asgi:application") as port:
        paths = [(f"/jobs/{story.job.pk}/stream", session) for session in sessions]
        async with _opened(readers, port, paths):

            async def tell(number: int) -> None:
                said = f"Waiting for node1 ({number} containers), node2 (7 containers)"
                await asyncio.to_thread(story.ledger.progress, step, said)

            job = await asyncio.to_thread(Job.objects.get, pk=story.job.pk)
            yield job.last_seq + 1, tell


@asynccontextmanager
async def _of_bare(readers: Readers) -> AsyncIterator[tuple[int, Tell]]:
    """Streams of the bare application, and what has it send."""
    with _served("bench.bare:application") as port:
        async with _opened(readers, port, [("/stream", "")] * readers.streams):

            async def tell(number: int) -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(_asked(f"/tell/{number}", ""))
                await writer.drain()
                await reader.read(1)
                writer.close()

            yield 1, tell


def _story(streams: int) -> tuple["Story", list[str]]:
    """A job in its third step, and the cookie of a session for each stream."""
    from django.conf import settings

    from tests.web import job_stories, live

    where = job_stories.cluster(f"with-{streams}", len(job_stories.SERVICES))
    story = job_stories.recorded(job_stories.queued(where))
    people = [job_stories.person(f"of-{streams}-{n}") for n in range(math.ceil(streams / _MOST_A_PERSON))]
    sessions = [f"{settings.SESSION_COOKIE_NAME}={live.session_of(person)}" for person in people]
    return story, [sessions[n // _MOST_A_PERSON] for n in range(streams)]


@asynccontextmanager
async def _opened(readers: Readers, port: int, paths: list[tuple[str, str]]) -> AsyncIterator[None]:
    """All streams open and followed."""
    following: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []
    gate = asyncio.Semaphore(_OPENING)

    async def enter(path: str, session: str) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            writer.write(_asked(path, session))
            async with asyncio.timeout(ANSWER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise RuntimeError(f"{path} answers {head!r}")
            writers.append(writer)
            following.append(asyncio.create_task(readers.follow(reader)))

    await asyncio.gather(*(enter(path, session) for path, session in paths))
    await asyncio.sleep(3)  # what they are told at first comes before anything is measured
    try:
        yield
    finally:
        for writer in writers:
            writer.close()
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


def _asked(path: str, session: str) -> bytes:
    cookie = f"Cookie: {session}\r\n" if session else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}Accept: text/event-stream\r\n\r\n".encode()


def _mark(number: int) -> bytes:
    return f'data-seq="{number}"'.encode()


@contextmanager
def _served(application: str) -> Iterator[int]:
    """One server process that logs no requests, as with ``make up``; its port."""
    port = ports.free_port()
    quiet = ("--no-access-log", "--log-level", "error", "--lifespan", "off", "--timeout-graceful-shutdown", "1")
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), *quiet]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + ANSWER_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{application} does not start")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=ANSWER_SECONDS)


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _data() -> Iterator[None]:
    """The product with an empty database and a Redis in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="ow-bench-") as name:
        redis = RedisServer(Path(name))
        redis.start()
        try:
            os.environ.update(OVERLAYWEB_DATA=name, DJANGO_SETTINGS_MODULE="overlayweb.settings", REDIS_URL=redis.url)
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            yield
        finally:
            redis.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=STREAMS, help="how many are open (100 and 1000)")
    parser.add_argument("--commits", type=int, default=COMMITS, help="how many are told to each (40)")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument("--markdown", action="store_true", help="print the section for docs/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
