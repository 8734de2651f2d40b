"""No room for the database: said in one clear sentence, nothing is half-written, and with room all goes on."""

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.faults import catalogue, disks
from tests.faults.nursery import RemoteNursery
from tests.faults.scenario import Deed
from tests.support.installations import environment

pytestmark = [pytest.mark.slow, pytest.mark.requires("root"), pytest.mark.timeout(180)]

SETTLES = 1.5
"""Seconds, more than one tick of the sweep."""
POINTS = ["done forward check", "after POST /services/*/update", "before DELETE /networks/*", "done forward create"]


@pytest.mark.parametrize("label", POINTS)
def test_a_full_disk_stops_the_job_and_room_lets_it_go_on(nursery: RemoteNursery, label: str) -> None:
    way = catalogue.way(nursery, stage="stop", ending="forward")
    scenario = way.scenario(Deed(kind="full", after=way.points.index(label)))
    report = nursery.run(scenario.to_json())
    assert (report.problems, report.status) == ([], "succeeded")
    assert "a worker said whose disk is full, and what to do" in report.done


def test_a_heartbeat_says_it_too_while_its_worker_only_waits(nursery: RemoteNursery) -> None:
    """Having said that it waits for containers to stop, it writes nothing until one has."""
    way = catalogue.way(nursery, stage="stop", ending="forward")
    drains = way.points.index("begin forward drain")
    scenario = way.scenario(Deed(kind="full", after=way.points.index("committed progress", drains)))
    report = nursery.run(scenario.to_json())
    assert (report.problems, report.status) == ([], "succeeded")
    assert "a heartbeat said so, too" in report.done


@pytest.fixture
def disk(folder: Path) -> Iterator[disks.SmallDisk]:
    """A data folder of its own on a small disk, with a new database."""
    (folder / "data").mkdir()
    made = disks.SmallDisk(folder / "data")
    made.mount()
    _manage(folder, "migrate").wait(timeout=60)
    yield made
    made.unmount()


def _manage(folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    """Start a command of manage.py in that data folder, its log beside it."""
    told = environment(folder / "data", OVERLAYWEB_REDIS_SERVER="none", DOCKER_HOST="unix:///nowhere/docker.sock")
    with (folder / "log").open("ab") as log:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *words]
        return subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, stderr=log)


@pytest.mark.parametrize(("command", "who"), [("sweep", "sweep"), ("watch", "watch: cluster 1")])
def test_who_runs_for_ever_says_it_in_one_sentence_and_goes_on_with_room(
    folder: Path, disk: disks.SmallDisk, command: str, who: str
) -> None:
    """A cluster that nobody looks at is asked for every few seconds, and an engine that is away tried, both written."""
    with _running(folder, "sweep"):
        _until(lambda: list((folder / "data").rglob("*.msg")), "the cluster to be registered, and asked for")
    with _running(folder, command):
        _until(lambda: command == "sweep" or _tried(folder), "the engine to be tried")
        _until(lambda: _is_said(folder, disk, who), "it to meet the full disk")
        disk.make_room()
        time.sleep(SETTLES)
        said = (folder / "log").read_text()
        before = _tried(folder)
        time.sleep(SETTLES)
        assert (folder / "log").read_text() == said, "with room it goes on"
        _until(lambda: command == "sweep" or _tried(folder) > before, "the engine to be tried once more")
    file = folder / "data" / "db.sqlite3"
    assert f"{who}: the disk of its database {file} is full. Free room there; it goes on by itself." in said
    assert "Traceback" not in said


@contextlib.contextmanager
def _running(folder: Path, command: str) -> Iterator[None]:
    process = _manage(folder, command)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def _tried(folder: Path) -> str:
    """When the engine, which is not there, was tried last, as the database has it; "" before the first time."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'data' / 'db.sqlite3'}?mode=ro", uri=True)) as database:
        return str(database.execute("SELECT max(coalesce(error_at, '')) FROM overlayweb_cluster").fetchone()[0])


def _is_said(folder: Path, disk: disks.SmallDisk, who: str) -> bool:
    """Fill the disk again, too: a connection that is closed gives the room of its journal back."""
    disk.fill()
    return f"{who}: the disk" in (folder / "log").read_text()


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.1)
