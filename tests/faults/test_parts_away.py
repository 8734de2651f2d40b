"""Redis away, PostgreSQL restarted, one of two installations stopped in the middle of a job: it ends well all the same.

Whole installations, as people start them; what must hold at the end is the same as in verdict.py.
"""

import signal
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

from overlayweb import keys
from overlayweb.domain import specs
from overlayweb.engine.connection import Endpoint
from overlayweb.engine.transport import open_session
from tests.faults import stage
from tests.faults.stages import observed
from tests.support import installations, ports
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.simulator import Simulated, simulated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SPEED = 5.0
LIMIT = 90.0
AFTER = "10.20.0.0/20"
AWAY_SECONDS = 8.0
"""Of Redis: longer than any client waits for it. The Swarm is slow meanwhile, so that the job is not over before."""
FIRST_CHANGE_SECONDS = 1.0
"""So long the first change is on its way, for somebody to look whether everything is written down already."""


@pytest.fixture
def data() -> Iterator[Path]:
    yield from installations.data_folder()


@pytest.fixture
def elsewhere() -> Iterator[Path]:
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
        self._swarm = swarm
        self._before = observed(swarm.socket)
        first = {"kind": "slow", "method": "POST", "seconds": FIRST_CHANGE_SECONDS, "path": "/(update|create)$"}
        swarm.control("faults", rules=[first])
        more = {"DATABASE_URL": url, "DOCKER_HOST": swarm.socket}
        asked = subprocess.run(
            [sys.executable, "-m", "tests.faults.ask", AFTER],
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

    def owner(self) -> int:
        """The process that has the job; 0 for none."""
        return next((int(owner.split(":")[-2]) for owner in self._read("SELECT owner FROM overlayweb_job") if owner), 0)

    def snapshots_come_first(self) -> None:
        """Wait for the first change: while it is on its way, what every service was like is written down."""
        self.eventually(lambda: bool(self._swarm.control("faults")[0]["struck"]))
        names = {service.name for service in self._before.published_services}
        assert set(self._read("SELECT name FROM overlayweb_jobservice WHERE original <> ''")) == names

    def ends_as_promised(self) -> None:
        """Wait for the end: one ingress, made once, every service as it was and whole, a story without gaps."""
        self.eventually(lambda: self.status() == "succeeded")
        now = observed(self._swarm.socket)
        assert [block.subnet for network in now.ingress_networks for block in network.ipam] == [AFTER]
        calls = [(call["method"], call["path"]) for call in self._swarm.control("calls")]
        assert sum(method == "POST" and path.endswith("/networks/create") for method, path in calls) == 1
        before = {service.name: service for service in self._before.services}
        assert {service.name for service in now.services} == set(before)
        for service in now.services:
            was = before[service.name]
            assert service.spec in {was.spec, specs.pinned(was.spec, was.ports)}, service.name
            assert len(now.running_on(service.id)) == len(self._before.running_on(was.id)), service.name
        seqs = [int(seq) for seq in self._read("SELECT seq FROM overlayweb_event ORDER BY seq")]
        assert seqs == [*range(1, len(seqs) + 1)]
        assert self._read("SELECT last_seq FROM overlayweb_job") == [str(len(seqs))]

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
        at.snapshots_come_first()
        at.eventually(lambda: at.begun("release"))
        swarm.control("speed", speed=0.5)
        redis_server.stop()
        time.sleep(AWAY_SECONDS)
        redis_server.start()
        redis_server.flush()
        assert at.status() == "running"
        swarm.control("speed", speed=SPEED)
        installations.kill(at.installed, "tasks.app worker")
        at.ends_as_promised()


@pytest.mark.requires("postgres")
def test_with_a_postgresql_that_is_restarted(data: Path, swarm: Simulated, postgres_server: PostgresServer) -> None:
    with office(data, swarm, url=postgres_server.new_database()) as at:
        at.snapshots_come_first()
        for step in ("release", "publish"):
            at.eventually(partial(at.begun, step))
            postgres_server.stop()
            time.sleep(1)
            postgres_server.start()
        at.ends_as_promised()


@pytest.mark.requires("postgres", "redis")
def test_one_of_two_installations_is_stopped_and_the_other_goes_on(
    data: Path, elsewhere: Path, swarm: Simulated, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    """Two machines with a data folder each share the keys, the database and Redis."""
    shared = {
        "REDIS_URL": redis_server.url,
        "OVERLAYWEB_SECRET_KEY": keys.new_secret_key(),
        "OVERLAYWEB_ENCRYPTION_KEYS": keys.new_encryption_key(),
    }
    url = postgres_server.new_database()
    with (
        installations.up(data, ports.free_port(), DATABASE_URL=url, DOCKER_HOST=swarm.socket, **shared) as first,
        office(elsewhere, swarm, url=url, **shared) as at,
    ):
        first.wait_for("http://")
        at.snapshots_come_first()
        at.eventually(lambda: at.begun("release") and at.owner() > 0)
        swarm.control("speed", speed=0.5)
        both = (first, at.installed)
        stopped = next(one for one in both if at.owner() in installations.processes_of(one.data))
        (other,) = (one for one in both if one is not stopped)
        assert stopped.stop(signal.SIGTERM) == 0
        assert at.status() == "running"
        at.eventually(lambda: at.owner() in installations.processes_of(other.data))
        swarm.control("speed", speed=SPEED)
        at.ends_as_promised()
