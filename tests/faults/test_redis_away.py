"""Redis killed, back and emptied in the middle of a job: a whole installation brings it to its end all the same."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from overlayweb.engine.connection import Endpoint
from overlayweb.engine.transport import open_session
from tests.faults import stage
from tests.support import installations, ports
from tests.support.redis_server import RedisServer
from tests.support.simulator import Simulated, simulated

pytestmark = [pytest.mark.slow, pytest.mark.requires("redis"), pytest.mark.timeout(180)]

SPEED = 5.0


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


def steps(data: Path) -> tuple[str, set[str]]:
    """The status of the job, and the steps of it that have begun."""
    with sqlite3.connect(f"file:{data / 'db.sqlite3'}?mode=ro", uri=True, timeout=10) as database:
        (status,) = database.execute("SELECT status FROM overlayweb_job").fetchone()
        rows = database.execute("SELECT name FROM overlayweb_step WHERE status != 'pending'").fetchall()
    return status, {name for (name,) in rows}


def eventually(condition: Callable[[], bool], *, limit: float) -> bool:
    until = time.monotonic() + limit
    while not (met := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    return met


def test_a_job_ends_well_without_redis_and_with_an_emptied_one(
    data: Path, swarm: Simulated, redis_server: RedisServer
) -> None:
    more = {"REDIS_URL": redis_server.url, "DOCKER_HOST": swarm.socket}
    with installations.up(data, ports.free_port(), **more) as installed:
        installed.wait_for("http://")
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
        assert eventually(lambda: "release" in steps(data)[1], limit=60), installed.logs()
        redis_server.stop()
        time.sleep(2)
        redis_server.start()
        redis_server.flush()
        installations.kill(installed, "tasks.app worker")
        assert eventually(lambda: steps(data)[0] == "succeeded", limit=90), (steps(data), installed.logs())
