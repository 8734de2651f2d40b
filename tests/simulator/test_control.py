"""What the control surface orders is seen through the Engine API, by whoever uses that."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract import http as plain
from tests.support.simulator import Simulated, simulated

Order = tuple[str, dict[str, Any]]
TAKEN = "10.60.0.0/24"


@pytest.fixture(scope="module")
def running() -> Iterator[Simulated]:
    folder = Path(tempfile.mkdtemp(prefix="ow-control-"))
    with simulated(folder / "docker.sock") as found:
        yield found
    shutil.rmtree(folder)


@pytest.fixture
def swarm(running: Simulated) -> Simulated:
    """A new Swarm at rest, whose clock stands."""
    running.control("reset")
    running.control("speed", speed=0)
    running.control("skip", seconds=10)
    return running


def _ask(swarm: Simulated, path: str) -> Any:
    return plain.ask(swarm.socket, "GET", path).content


def _nodes(swarm: Simulated) -> dict[str, str]:
    return {row["Description"]["Hostname"]: row["Status"]["State"] for row in _ask(swarm, "/nodes")}


def _peers(swarm: Simulated) -> int:
    return len(_ask(swarm, "/networks/ingress")["Peers"])


def _allocated(swarm: Simulated) -> bool:
    """Whether an overlay on the taken addresses gets them within a few seconds; it is gone after that."""
    body = {"Name": "late", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": TAKEN}]}}
    made = plain.ask(swarm.socket, "POST", "/networks/create", body).content["Id"]
    swarm.control("skip", seconds=5)
    drivers = [row["Driver"] for row in _ask(swarm, "/networks") if row["Id"] == made]
    plain.ask(swarm.socket, "DELETE", f"/networks/{made}")
    swarm.control("skip", seconds=5)
    return drivers == ["overlay"]


def _task_state(swarm: Simulated) -> str:
    spec = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": "lab/web:1"}}, "Mode": {"Replicated": {}}}
    plain.ask(swarm.socket, "POST", "/services/create", spec)
    swarm.control("skip", seconds=3)
    return str(_ask(swarm, "/tasks")[0]["Status"]["State"])


def _seconds(swarm: Simulated) -> float:
    return datetime.fromisoformat(_ask(swarm, "/info")["SystemTime"]).timestamp()


def _passes_between_two_looks(swarm: Simulated) -> bool:
    return _seconds(swarm) < _seconds(swarm)


def _is_what_the_engine_says(swarm: Simulated) -> bool:
    said, seen = swarm.control("now")["seconds"], _seconds(swarm)
    swarm.control("skip", seconds=100)
    passed = (swarm.control("now")["seconds"] - said, _seconds(swarm) - seen)
    return all(seconds == pytest.approx(100) for seconds in passed)


ALL_READY = {"node1": "ready", "node2": "ready", "node3": "ready"}


@pytest.mark.parametrize(
    ("orders", "seen", "expected"),
    [
        ([("add_node", {"name": "node4"})], _nodes, {**ALL_READY, "node4": "ready"}),
        ([("cut_off_node", {"name": "node2"})], _nodes, {**ALL_READY, "node2": "down"}),
        ([("cut_off_node", {"name": "node2"}), ("reconnect_node", {"name": "node2"})], _nodes, ALL_READY),
        ([("fail_allocation", {"subnet": TAKEN})], _allocated, False),
        ([("fail_allocation", {"subnet": TAKEN}), ("allow_allocation", {"subnet": TAKEN})], _allocated, True),
        ([("hold_peers", {"name": "node2"})], _peers, 2),
        ([("hold_peers", {"name": "node2"}), ("release_peers", {"name": "node2"})], _peers, 3),
        ([("set_image", {"image": "lab/web:1", "missing": True})], _task_state, "rejected"),
        ([("set_image", {"image": "lab/web:1", "missing": False})], _task_state, "running"),
        ([("speed", {"speed": 0})], _passes_between_two_looks, False),
        ([("speed", {"speed": 1000})], _passes_between_two_looks, True),
        ([("now", {})], _is_what_the_engine_says, True),
    ],
    ids=lambda value: "-".join(verb for verb, _ in value) if isinstance(value, list) else "",
)
def test_an_order_is_seen_by_whoever_asks_the_engine(
    swarm: Simulated, orders: list[Order], seen: Callable[[Simulated], object], expected: object
) -> None:
    for verb, arguments in orders:
        swarm.control(verb, **arguments)
        swarm.control("skip", seconds=60)
    assert seen(swarm) == expected
