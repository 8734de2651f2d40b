"""`manage.py up` as a person uses it: one command, one line with a link, Ctrl-C, and nothing left behind."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings

from overlayweb import processes
from overlayweb.demo import start
from tests.support import installations, ports
from tests.support.patience import patient

pytestmark = pytest.mark.slow

FOLDER_ONLY = {"OVERLAYWEB_REDIS_SERVER": "no-such-program"}
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@pytest.fixture
def data() -> Iterator[Path]:
    yield from installations.data_folder()


@pytest.fixture(scope="module")
def alone() -> Iterator[installations.Installation]:
    """One that runs, without a manager and without Redis, for tests that leave it as it is."""
    for data in installations.data_folder():
        with installations.up(data, ports.free_port(), **NO_ENGINE, **FOLDER_ONLY) as running:
            running.wait_for("Overlayweb runs at")
            yield running


@pytest.fixture
def port() -> int:
    return ports.free_port()


@pytest.fixture
def no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is none; an engine in no Swarm, as a package starts it, may be there."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if start.look().manager:
        pytest.skip("this machine is a manager of a Swarm")


def status_of(url: str) -> int:
    """The status of the page after redirects."""
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310  # our own loopback address
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def eventually(condition: Callable[[], bool], *, limit: float = 20) -> bool:
    """Whether the condition comes true within a patient wait for the limit, in seconds."""
    deadline = time.monotonic() + patient(limit)
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.parametrize(
    ("more", "broker"),
    [
        pytest.param({}, "private redis-server", id="redis", marks=pytest.mark.requires("redis")),
        pytest.param(FOLDER_ONLY, "files in the data folder", id="folder"),
    ],
)
def test_one_command_starts_everything_and_ctrl_c_ends_it(
    data: Path, port: int, more: dict[str, str], broker: str
) -> None:
    with installations.up(data, port, **NO_ENGINE, **more) as running:
        running.wait_for("Overlayweb runs at")

        link = running.wait_for("/setup/").split()[-1]
        assert link.startswith(f"{running.address}/setup/")
        assert sum("/setup/" in line for line in running.lines) == 1
        assert running.wait_for(broker)
        assert status_of(link) == 200
        assert status_of(running.address) == 200
        for program in ("uvicorn", "celery", "manage.py watch", "manage.py sweep", "supervisord"):
            assert any(program in command for command in installations.processes_of(data).values()), program
        assert eventually(lambda: "ready." in running.logs()), running.logs()

        assert running.stop(signal.SIGINT) == 0
        assert installations.processes_of(data) == {}


def test_a_second_run_keeps_the_data_and_makes_a_new_link(data: Path, port: int) -> None:
    links, key = [], b""
    for _ in range(2):
        with installations.up(data, port, **NO_ENGINE, **FOLDER_ONLY) as running:
            links.append(running.wait_for("/setup/").split()[-1])
            running.wait_for("Overlayweb runs at")
            kept = (data / "secret-key").read_bytes()
            assert key in {b"", kept}
            key = kept
            assert running.stop() == 0

    assert links[0] != links[1]
    with closing(sqlite3.connect(data / "db.sqlite3")) as connection:
        assert connection.execute("SELECT count(*) FROM django_migrations").fetchone()[0] > 0


def test_two_at_once_on_the_same_data_are_refused(alone: installations.Installation) -> None:
    second = installations.run("up", data=alone.data, OVERLAYWEB_PORT=str(ports.free_port()), **FOLDER_ONLY)

    assert second.returncode == 1
    assert f"already runs with the data in {alone.data} (process {alone.process.pid})" in second.stderr
    assert alone.process.poll() is None
    assert status_of(alone.address) == 200


def test_a_taken_port_is_said_with_the_way_out(data: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with installations.up(data, port, **NO_ENGINE, **FOLDER_ONLY) as running:
            said = running.wait_for(f"Port {port} on 127.0.0.1 cannot be used")
            assert "OVERLAYWEB_PORT" in said
            assert running.process.wait(timeout=10) == 1
        assert installations.processes_of(data) == {}


@pytest.mark.skipif(not processes.ON_LINUX, reason="only Linux tells children of their parent's end")
@pytest.mark.requires("redis")
@pytest.mark.parametrize("victim", ["manage.py up", "supervisor.supervisord"])
def test_a_killed_parent_leaves_nothing(data: Path, port: int, victim: str) -> None:
    with installations.up(data, port, **NO_ENGINE) as running:
        running.wait_for("Overlayweb runs at")
        assert eventually(lambda: "ready." in running.logs()), running.logs()

        os.kill(running.process_id(victim), signal.SIGKILL)

        assert running.process.wait(timeout=20) != 0
        assert eventually(lambda: not installations.processes_of(data)), installations.processes_of(data)


@pytest.mark.requires("redis")
def test_what_dies_is_started_again(data: Path, port: int) -> None:
    with installations.up(data, port, **NO_ENGINE) as running:
        running.wait_for("Overlayweb runs at")
        assert eventually(lambda: "ready." in running.logs()), running.logs()

        for program in ("uvicorn", "celery", "manage.py watch", "manage.py sweep", "redis-server"):
            before = set(installations.processes_of(data))
            os.kill(running.process_id(program), signal.SIGKILL)

            assert eventually(partial(is_new, data, program, before)), running.logs()

        assert running.stop(signal.SIGTERM) == 0, "a plain kill is a stop like Ctrl-C"
        assert installations.processes_of(data) == {}


@pytest.mark.usefixtures("no_manager")
def test_without_a_manager_the_demo_swarm_comes_by_itself(data: Path, port: int) -> None:
    for number in range(2):
        with installations.up(data, port, **FOLDER_ONLY) as running:
            running.wait_for("Overlayweb runs at")
            assert "DOCKER_HOST=" in running.wait_for("is simulated: nothing real changes")
            assert sum("/setup/" in line for line in running.lines) == 1, "the first account's, and nobody else's"
            assert eventually(lambda: rows(data, "SELECT observation <> '' FROM overlayweb_cluster") == [(1,)])
            assert rows(data, "SELECT name, demo FROM overlayweb_cluster") == [("demo", 1)]
            assert rows(data, "SELECT count(*) FROM overlayweb_job") == [(3,)], f"start {number + 1} keeps the past"
            assert running.stop() == 0
            assert installations.processes_of(data) == {}


def test_a_given_docker_host_brings_no_demo(alone: installations.Installation) -> None:
    assert rows(alone.data, "SELECT name, demo FROM overlayweb_cluster") == [("local", 0)]
    assert not any("simulat" in line for line in alone.lines)
    assert not any("overlayweb.simulator" in line for line in installations.processes_of(alone.data).values())


def test_the_worker_starts_without_loading_a_page(alone: installations.Installation) -> None:
    told = Path(f"/proc/{alone.process_id('tasks.app worker')}/environ").read_text().rstrip("\0").split("\0")
    code = (
        "import sys; from celery.fixups.django import DjangoWorkerFixup; from tasks.app import app\n"
        "DjangoWorkerFixup(app).validate_models()\n"
        "print(sorted(name for name in sys.modules if name.startswith('overlayweb.web.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=dict(row.split("=", 1) for row in told),
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


@pytest.mark.usefixtures("no_manager")
def test_the_demo_can_be_refused(data: Path, port: int) -> None:
    with installations.up(data, port, OVERLAYWEB_DEMO="0", **FOLDER_ONLY) as running:
        running.wait_for("Overlayweb runs at")
        said = running.wait_for("Connect a real Swarm: DOCKER_HOST=")
        assert "unix:///var/run/docker.sock" in said
        assert "simulated" not in said
        assert rows(data, "SELECT count(*) FROM overlayweb_cluster") == [(0,)]


def rows(data: Path, query: str) -> list[tuple[object, ...]]:
    """What the installation's database answers."""
    with closing(sqlite3.connect(data / "db.sqlite3")) as connection:
        return connection.execute(query).fetchall()


def is_new(data: Path, program: str, before: set[int]) -> bool:
    """Whether the program runs as a process that was not there before."""
    return any(program in command and pid not in before for pid, command in installations.processes_of(data).items())
