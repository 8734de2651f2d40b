"""The engine's own count of addresses, from API 1.52 on; older engines do not tell."""

import time
from pathlib import Path
from typing import Any

import pytest

from overlayweb.domain import capacity
from overlayweb.domain.capacity import Filling
from overlayweb.engine.connection import DockerEngine, Endpoint, connect
from tests.contract import http as plain
from tests.support.simulator import Simulated, simulated


def _ready(engine: DockerEngine, name: str) -> Filling | None:
    rows = capacity.fillings(swarm=engine.observe())
    return next((row for row in rows if row.network.name == name and row.need.containers == 3), None)


def _listed(swarm: Simulated, name: str) -> list[dict[str, Any]]:
    return [row for row in plain.ask(swarm.socket, "GET", "/networks").content if row["Name"] == name]


def _serve(swarm: Simulated) -> None:
    """An overlay of thirty addresses with a service of three on it."""
    network = {"Name": "shop", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.44.0.0/27"}]}}
    made = plain.ask(swarm.socket, "POST", "/networks/create", network).content
    until = time.monotonic() + 10
    while not any(row["Driver"] for row in _listed(swarm, "shop")) and time.monotonic() < until:
        time.sleep(0.1)  # a service that comes before the addresses waits for its next update
    spec = {
        "Name": "web",
        "TaskTemplate": {"ContainerSpec": {"Image": "lab/web:1"}, "Networks": [{"Target": made["Id"]}]},
        "Mode": {"Replicated": {"Replicas": 3}},
    }
    plain.ask(swarm.socket, "POST", "/services/create", spec)


@pytest.mark.parametrize(("version", "measures"), [("29", True), ("28.5", False)])
def test_an_engine_that_counts_is_asked(folder: Path, version: str, measures: bool) -> None:  # noqa: FBT001
    with simulated(folder / "docker.sock", engine=version) as swarm:
        _serve(swarm)
        with connect(Endpoint(url=swarm.socket)) as engine:
            until = time.monotonic() + 20
            while not (filling := _ready(engine, "shop")) and time.monotonic() < until:
                time.sleep(0.1)
            assert filling
            assert (filling.measured is not None) is measures
            inspected = engine.network(filling.network.id)
            assert inspected
            assert filling.usable == 30
            if measures:
                (figures,) = inspected.figures
                assert (figures.in_use - 2, figures.available) == (filling.used, 30 - filling.used)
                assert filling.used >= 1 + 1 + 3, "gateway, VIP or balancer, containers"
