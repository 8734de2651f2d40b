"""A real worker, over Redis and over files: what it does when its broker or itself goes away."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from overlayweb import processes
from tasks import app as celery_app
from tasks import jobs
from tests.support import installations
from tests.support.patience import patient
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.slow

WITHOUT_REDIS = {"OVERLAYWEB_REDIS_SERVER": "no-such-program"}
BROKERS = [pytest.param("redis", marks=pytest.mark.requires("redis")), "folder"]


class Bench:
    """A worker of its own for one test, with a file in which tasks write what they do."""

    def __init__(self, data: Path, broker: dict[str, str]) -> None:
        self.data = data
        self.environment = installations.environment(data, **broker)
        self.notes = data / "notes"
        self.log = data / "worker.log"
        self.worker: subprocess.Popen[bytes] | None = None

    def start_worker(self) -> "subprocess.Popen[bytes]":
        """Start a worker and return when it takes messages."""
        before = self._log_text().count("ready.")
        arguments = ("-A", "tasks.app", "worker", "-Q", "jobs,reads", "-c", "2", "-l", "INFO")
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--include", "tests.tasks.probe")
        with self.log.open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *arguments, *quiet],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        assert self.eventually(lambda: self._log_text().count("ready.") > before), self._log_text()
        return self.worker

    def ring(self, task: str, *arguments: object) -> bool:
        """Send a message from another process; False if the broker could not be reached."""
        words = [json.dumps(argument) for argument in (str(self.notes), *arguments)]
        command = [sys.executable, "-m", "tests.tasks.ring", task, *words]
        code = subprocess.run(command, cwd=settings.BASE_DIR, env=self.environment, check=False).returncode
        assert code in {0, 3}
        return code == 0

    def wrote(self, line: str, times: int = 1, *, limit: float = 30) -> bool:
        """Whether the line comes to stand in the notes as often as that."""
        return self.eventually(lambda: self.count(line) >= times, limit=limit)

    def count(self, line: str) -> int:
        """How often the line stands in the notes."""
        return self.lines().count(line)

    def lines(self) -> list[str]:
        """What stands in the notes."""
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def eventually(self, condition: Callable[[], bool], *, limit: float = 30) -> bool:
        """Whether the condition comes true within so many seconds."""
        deadline = time.monotonic() + patient(limit)
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        return condition()

    def stop(self) -> None:
        """End the worker, if it runs."""
        if self.worker is not None and self.worker.poll() is None:
            self.worker.kill()
            self.worker.wait()

    def _log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@contextmanager
def _bench(broker: dict[str, str]) -> Iterator[Bench]:
    for data in installations.data_folder():
        bench = Bench(data, broker)
        try:
            yield bench
        finally:
            bench.stop()


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench over the broker that the test's parameter names."""
    folder = request.param == "folder"
    with _bench(WITHOUT_REDIS if folder else {"REDIS_URL": request.getfixturevalue("redis_server").url}) as made:
        yield made


@pytest.mark.parametrize("bench", BROKERS, indirect=True)
def test_messages_of_both_queues_arrive(bench: Bench) -> None:
    bench.start_worker()

    assert bench.ring("note", "hello")
    assert bench.ring("read")
    assert bench.wrote("hello.")
    assert bench.wrote("read")


@pytest.mark.parametrize("bench", BROKERS, indirect=True)
def test_messages_wait_for_a_worker(bench: Bench) -> None:
    for number in range(3):
        assert bench.ring("note", str(number))

    bench.start_worker()

    assert all(bench.wrote(f"{number}.") for number in range(3))


@pytest.mark.parametrize("bench", BROKERS, indirect=True)
def test_a_worker_that_is_stopped_hands_its_slice_back(bench: Bench) -> None:
    worker = bench.start_worker()
    bench.ring("note", "long", 60)
    assert bench.wrote("long")

    worker.send_signal(signal.SIGQUIT)

    worker.wait(timeout=20)
    bench.start_worker()
    assert bench.wrote("long", times=2)


@pytest.mark.parametrize("bench", BROKERS, indirect=True)
def test_a_slice_whose_process_is_killed_is_run_again(bench: Bench) -> None:
    worker = bench.start_worker()
    bench.ring("note_process", 60)
    assert bench.eventually(lambda: len(bench.lines()) == 1)
    first = int(bench.lines()[0])
    assert first != worker.pid

    os.kill(first, signal.SIGKILL)

    assert bench.eventually(lambda: len(bench.lines()) == 2), bench.log.read_text()
    assert int(bench.lines()[1]) not in {first, worker.pid}
    assert worker.poll() is None, "it is the same worker"


@pytest.mark.parametrize("bench", BROKERS, indirect=True)
def test_no_slice_waits_behind_a_busy_process(bench: Bench) -> None:
    bench.start_worker()
    bench.ring("note", "long", 60)
    assert bench.wrote("long")

    for number in range(4):
        assert bench.ring("note", str(number))

    assert all(bench.wrote(f"{number}.") for number in range(4))
    assert bench.count("long.") == 0


def test_messages_are_given_back_until_their_slice_is_done() -> None:
    """Late acknowledgement, a message given back with its process, and none fetched ahead: see the architecture."""
    conf = celery_app.app.conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
    assert conf.worker_prefetch_multiplier == 1
    for task in (jobs.advance_job, jobs.observe_cluster):
        assert (task.acks_late, task.reject_on_worker_lost) == (True, True), task.name


@pytest.mark.skipif(not processes.ON_LINUX, reason="only Linux tells children of their parent's end")
@pytest.mark.parametrize("bench", ["folder"], indirect=True)
def test_a_killed_worker_leaves_no_process_that_goes_on(bench: Bench) -> None:
    worker = bench.start_worker()
    bench.ring("note", "long", 60)
    assert bench.wrote("long")

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()

    assert bench.eventually(lambda: not installations.processes_of(bench.data), limit=5)


@pytest.mark.requires("redis")
def test_a_worker_outlives_its_redis_and_is_back_soon(redis_server: RedisServer) -> None:
    with _bench({"REDIS_URL": redis_server.url}) as bench:
        worker = bench.start_worker()
        bench.ring("note", "slow", 4)
        assert bench.wrote("slow")

        redis_server.stop()
        assert not bench.ring("note", "lost")
        assert bench.wrote("slow."), "the slice goes on without a broker"
        redis_server.start()

        assert bench.ring("note", "later")
        assert bench.wrote("later.", limit=10), bench.log.read_text()
        assert worker.poll() is None, "it is the same worker"
        assert bench.count("lost") == 0


@pytest.mark.requires("redis")
def test_a_flushed_redis_delivers_what_comes_after(redis_server: RedisServer) -> None:
    with _bench({"REDIS_URL": redis_server.url}) as bench:
        bench.start_worker()
        redis_server.flush()

        assert bench.ring("note", "after")
        assert bench.wrote("after.")


@pytest.mark.requires("redis")
def test_ringing_a_frozen_redis_gives_up_soon(redis_server: RedisServer) -> None:
    with _bench({"REDIS_URL": redis_server.url}) as bench:
        bench.ring("read")  # also loads everything from disk, so that the next one measures the wait
        redis_server.freeze()
        started = time.monotonic()

        assert not bench.ring("note", "unheard")

        assert time.monotonic() - started < patient(8)  # 3 s for the answer, the rest for a process to start


@pytest.mark.parametrize("bench", ["folder"], indirect=True)
def test_several_at_once_lose_and_double_nothing_in_the_folder(bench: Bench) -> None:
    bench.start_worker()
    code = (
        "import django, sys; django.setup(); from tests.tasks import probe;"
        "[probe.note.ring(sys.argv[1], f'{sys.argv[2]}-{n}') for n in range(20)]"
    )
    ringers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(bench.notes), str(number)], cwd=settings.BASE_DIR, env=bench.environment
        )
        for number in range(4)
    ]
    assert [ringer.wait(timeout=60) for ringer in ringers] == [0] * 4

    expected = {f"{number}-{n}." for number in range(4) for n in range(20)}
    assert bench.eventually(lambda: expected <= set(bench.notes.read_text().splitlines()))
    assert all(bench.count(line) == 1 for line in expected)
    assert list((bench.data / "messages").iterdir()) == []
