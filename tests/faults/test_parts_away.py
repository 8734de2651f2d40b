"""Redis emptied, PostgreSQL restarted in the middle of a job: a whole installation ends it well all the same."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from overlayweb.engine.connection import Endpoint
from overlayweb.engine.transport import open_session
from tests.faults import stage
from tests.support import installations, ports
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.simulator import Simulated, simulated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SPEED = 5.0
LIMIT = 90.0


@pytest.fixture
def data() -> Iterator[Path]:
    yield from installations.data_folder()


@pytest.fixture
def swarm(folder: Path) -> Iterator[Simulated]:
    with simulated(folder / "engine.sock", speed=SPEED) as found:
        session, base = open_session(Endpoint(url=found.socket))
        for spec in stage.specs():
            session.post(f"{base}/services/create", json=spec).raise_for_status()
        session.close()
        found.control("skip", seconds=stage.AT_REST)
        yield found


class Office:
    """A whole installation on a simulated Swarm, with a job that somebody approved."""

    def __init__(self, data: Path, swarm: Simulated, installed: installations.Installation, url: str) -> None:
        self.installed = installed
        self._url = url
        more = {"DATABASE_URL": url, "DOCKER_HOST": swarm.socket}
        asked = subprocess.run(
            [sys.executable, "-m", "tests.faults.ask", "10.20.0.0/20"],
            cwd=settings.BASE_DIR,
            env=installations.environment(data, **more),
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert asked.returncode == 0, asked.stderr

    def status(self) -> str:
        """Of the job; "" while the database does not answer."""
        return next(iter(self._read("SELECT status FROM overlayweb_job")), "")

    def begun(self, step: str) -> bool:
        """Whether the step has begun."""
        return step in self._read("SELECT name FROM overlayweb_step WHERE status <> 'pending'")

    def eventually(self, condition: Callable[[], bool]) -> None:
        """Wait until it is so."""
        until = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < until, (self.status(), self._attention(), self.installed.logs())
            time.sleep(0.05)

    def _attention(self) -> list[str]:
        return self._read("SELECT attention FROM overlayweb_job") + self._read(
            "SELECT message FROM overlayweb_event ORDER BY seq DESC LIMIT 20"
        )

    def _read(self, query: str) -> list[str]:
        try:
            with closing(self._connected()) as database:
                return [str(row[0]) for row in database.execute(query).fetchall()]
        except (sqlite3.OperationalError, psycopg.OperationalError):
            return []

    def _connected(self) -> "sqlite3.Connection | psycopg.Connection[tuple[Any, ...]]":
        if self._url.startswith("postgres"):
            return psycopg.connect(self._url, connect_timeout=2)
        return sqlite3.connect(f"file:{self._url.removeprefix('sqlite:///')}?mode=ro", uri=True, timeout=10)


@contextmanager
def office(data: Path, swarm: Simulated, *, url: str, **more: str) -> Iterator[Office]:
    """Start it and have its job approved."""
    asked = {"DATABASE_URL": url, "DOCKER_HOST": swarm.socket, **more}
    with installations.up(data, ports.free_port(), **asked) as installed:
        installed.wait_for("http://")
        yield Office(data, swarm, installed, url)


@pytest.mark.requires("redis")
def test_without_redis_and_with_an_emptied_one(data: Path, swarm: Simulated, redis_server: RedisServer) -> None:
    with office(data, swarm, url=f"sqlite:///{data}/db.sqlite3", REDIS_URL=redis_server.url) as at:
        at.eventually(lambda: at.begun("release"))
        redis_server.stop()
        time.sleep(2)
        redis_server.start()
        redis_server.flush()
        installations.kill(at.installed, "tasks.app worker")
        at.eventually(lambda: at.status() == "succeeded")


@pytest.mark.requires("postgres")
def test_with_a_postgresql_that_is_restarted(data: Path, swarm: Simulated, postgres_server: PostgresServer) -> None:
    with office(data, swarm, url=postgres_server.new_database()) as at:
        for step in ("release", "publish"):
            at.eventually(partial(at.begun, step))
            postgres_server.stop()
            time.sleep(1)
            postgres_server.start()
        at.eventually(lambda: at.status() == "succeeded")
