"""The worker's clock."""

import threading
import time
from datetime import UTC, datetime, timedelta

from overlayweb.workflows.clock import WALL, Clock


def test_the_walls_clock_shows_the_walls_time() -> None:
    assert abs(WALL.now() - datetime.now(UTC)) < timedelta(seconds=1)


def test_a_fast_clock_lets_its_seconds_pass_faster() -> None:
    clock, began = Clock.fast(100.0), time.monotonic()
    shown, ticks = clock.now(), clock.monotonic()
    clock.sleep(10)
    assert time.monotonic() - began < 5
    assert timedelta(seconds=10) <= clock.now() - shown
    assert clock.monotonic() - ticks >= 10


def test_a_clock_may_start_in_the_past() -> None:
    past = datetime(2020, 2, 1, tzinfo=UTC)
    clock = Clock.fast(10.0, shows=past)
    assert timedelta(0) <= clock.now() - past < timedelta(minutes=1)


def test_two_processes_with_the_same_clock_agree() -> None:
    first = Clock.fast(50.0)
    second = Clock(speed=first.speed, at=first.at, shows=first.shows)
    assert abs(first.now() - second.now()) < timedelta(seconds=10)


def test_a_wait_ends_early_when_its_event_is_set() -> None:
    event = threading.Event()
    assert not Clock.fast(1000.0).wait(event, 1.0)
    event.set()
    assert WALL.wait(event, 60.0)
