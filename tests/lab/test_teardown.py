"""A lab leaves nothing behind, however it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, services, states
from tests.lab.daemon import wait_until
from tests.lab.traces import network_names, traces

pytestmark = pytest.mark.requires("dockerd", "root")

_REPOSITORY = Path(__file__).parents[2]
_NAME = re.compile(r"overlayweb-lab-[0-9a-f]+")


class _BodyError(Exception):
    """What the body of a `with` block fails with."""


@pytest.fixture
def own_labs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place for labs that nobody else looks into; labs still in it at the end are taken down."""
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    for state in list(states.states()):
        states.take_down(state)


def _start_by_hand(log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Run `python -m tests.lab up` with one node; return it, once it is up, with the lab's name."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab", "up", "--nodes", "1"],
            cwd=_REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    wait_until(lambda: "Ctrl-C" in log.read_text(), what="a lab made by hand", timeout=30)
    match = _NAME.search(log.read_text())
    assert match is not None
    return process, match.group()


def test_a_lab_with_containers_and_a_frozen_engine_leaves_no_trace_when_its_block_fails() -> None:
    before = network_names()
    lab = Lab(nodes=2)
    with pytest.raises(_BodyError):
        _fail_inside(lab)
    assert traces(lab.name) == []
    assert network_names() == before


def _fail_inside(lab: Lab) -> None:
    with lab:
        services.create(lab.manager, services.slow_stopping("legacy", services.ingress_port(8008)))
        lab.wait_running()
        lab.nodes[1].pause()
        assert [kind for kind in ("process", "control group", "folder") if not _has(lab.name, kind)] == []
        raise _BodyError


def test_a_lab_that_does_not_come_up_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(nodes=1)
    monkeypatch.setattr(lab, "_join", lambda: (_ for _ in ()).throw(_BodyError()))
    with pytest.raises(_BodyError), lab:
        pytest.fail("the lab must not come up")
    assert traces(lab.name) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_lab_goes_with_the_process_that_made_it(number: signal.Signals, tmp_path: Path) -> None:
    process, name = _start_by_hand(tmp_path / "log")
    assert _has(name, "process")
    process.send_signal(number)
    process.wait(30)
    wait_until(lambda: traces(name) == [], what=f"{name} to go", timeout=20)


def test_down_takes_a_lab_made_by_hand_and_spares_one_in_a_test(own_labs: None, tmp_path: Path) -> None:
    by_hand, name = _start_by_hand(tmp_path / "log")
    with Lab(nodes=1) as lab:
        said = _down()
        assert by_hand.wait(20) == 0
        assert traces(name) == []
        assert lab.name in said
        assert lab.manager.running
    assert list(states.states()) == []


def test_down_cleans_up_after_a_keeper_that_was_killed(own_labs: None, tmp_path: Path) -> None:
    process, name = _start_by_hand(tmp_path / "log")
    (state,) = states.states()
    os.kill(state.keeper.pid, signal.SIGKILL)
    process.wait(20)
    assert _has(name, "process")
    _down()
    time.sleep(0.2)
    assert traces(name) == []


def _has(name: str, kind: str) -> bool:
    return any(trace.startswith(kind) for trace in traces(name))


def _down() -> str:
    command = [sys.executable, "-m", "tests.lab", "down"]
    return subprocess.run(command, cwd=_REPOSITORY, check=True, capture_output=True, text=True, timeout=60).stdout
