"""The HTTP side of the simulated Swarm: calls that go wrong on purpose, its clock, its sockets."""

import http.client
import json
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from overlayweb.simulator.clock import Clock
from tests.contract import http as plain
from tests.support.simulator import ControlError, Simulated, simulated

SPEC = {
    "Name": "web",
    "TaskTemplate": {"ContainerSpec": {"Image": "lab/web:1"}},
    "Mode": {"Replicated": {"Replicas": 0}},
}


@pytest.fixture
def swarm(folder: Path) -> Iterator[Simulated]:
    with simulated(folder / "docker.sock") as running:
        yield running


def _fault(swarm: Simulated, kind: str, **more: object) -> None:
    swarm.control("faults", rules=[{"kind": kind, "path": "^/services/create", **more}])


def _create(swarm: Simulated, *, timeout: float = 5.0) -> int:
    connection = plain.Connection(swarm.socket, timeout=timeout)
    try:
        connection.request("POST", "/services/create", body=json.dumps(SPEC))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _made(swarm: Simulated) -> bool:
    return bool(plain.ask(swarm.socket, "GET", "/services").content)


@pytest.mark.parametrize(
    ("kind", "error", "made"),
    [
        ("reset", ConnectionError, False),
        ("lost", ConnectionError, True),
        ("cut", http.client.IncompleteRead, True),
        ("timeout", TimeoutError, False),
        ("lost_timeout", TimeoutError, True),
    ],
)
def test_a_call_without_a_whole_answer(swarm: Simulated, kind: str, error: type[Exception], made: bool) -> None:  # noqa: FBT001
    _fault(swarm, kind)
    with pytest.raises(error):
        _create(swarm, timeout=0.5)
    assert _made(swarm) is made
    assert swarm.control("faults")[0]["struck"] == 1


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("503", 503)])
def test_a_call_that_the_engine_fails(swarm: Simulated, kind: str, status: int) -> None:
    _fault(swarm, kind)
    assert (_create(swarm), _made(swarm)) == (status, False)


def test_a_slow_call_is_carried_out_and_answered(swarm: Simulated) -> None:
    _fault(swarm, "slow", seconds=0.3)
    began = time.monotonic()
    assert _create(swarm) == 201
    assert time.monotonic() - began >= 0.3


def test_a_rule_strikes_from_the_nth_call_on_as_often_as_it_says(swarm: Simulated) -> None:
    swarm.control("faults", rules=[{"kind": "500", "method": "GET", "path": "^/nodes$", "nth": 2, "times": 2}])
    found = [
        plain.ask(swarm.socket, "GET", path).status for path in ("/nodes", "/tasks", "/nodes", "/v1.51/nodes", "/nodes")
    ]
    assert found == [200, 200, 500, 500, 200]
    (rule,) = swarm.control("faults")
    assert (rule["matched"], rule["struck"]) == (4, 2)
    assert [call["fault"] for call in swarm.control("calls")] == ["", "", "500", "500", ""]


@pytest.mark.parametrize("rules", [[{"kind": "nope"}], [{"kind": "500", "nope": 1}]])
def test_what_is_no_rule_is_refused(swarm: Simulated, rules: list[dict[str, Any]]) -> None:
    with pytest.raises(ControlError):
        swarm.control("faults", rules=rules)


def test_a_verb_that_is_none_is_refused_with_those_there_are(swarm: Simulated) -> None:
    with pytest.raises(ControlError, match="crash_node"):
        swarm.control("nope")


def test_only_the_owner_may_use_the_sockets(swarm: Simulated) -> None:
    paths = [swarm.path, *(Path(url.removeprefix("unix://")) for url in swarm.node_sockets.values())]
    assert len(paths) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_a_node_that_is_down_has_no_socket_until_it_starts(swarm: Simulated) -> None:
    swarm.control("crash_node", name="node1")
    assert (sorted(swarm.node_sockets), swarm.path.exists()) == (["node2", "node3"], False)
    swarm.control("start_node", name="node1")
    swarm.control("skip", seconds=10)
    assert plain.ask(swarm.socket, "GET", "/_ping").status == 200


def test_without_leave_there_is_no_control(folder: Path) -> None:
    with simulated(folder / "docker.sock", control=False) as swarm:
        assert plain.ask(swarm.socket, "POST", "/_control/reset", {}).status == 404
        assert not (folder / "docker.sock.control").exists()


def test_a_reset_begins_anew(swarm: Simulated) -> None:
    _create(swarm)
    swarm.control("reset", seed=7, nodes=2)
    assert (_made(swarm), len(plain.ask(swarm.socket, "GET", "/nodes").content)) == (False, 2)


@pytest.mark.parametrize(
    "end",
    [lambda swarm: swarm.process.terminate(), lambda swarm: swarm.process.stdin.close()],
    ids=["SIGTERM", "stdin"],
)
def test_nothing_is_left_at_the_end(folder: Path, end: Callable[[Simulated], None]) -> None:
    with simulated(folder / "docker.sock") as swarm:
        end(swarm)
        assert swarm.process.wait(10) == 0
        assert list(folder.iterdir()) == []


def test_the_clock_runs_faster_stands_and_leaps() -> None:
    wall = [100.0]
    clock = Clock(speed=10, wall=lambda: wall[0])
    wall[0] += 2
    assert clock.now() == 20
    clock.set_speed(0)
    wall[0] += 5
    assert clock.now() == 20
    clock.skip(30)
    assert clock.now() == 50
    with pytest.raises(ValueError, match="time does not go back"):
        clock.skip(-1)
