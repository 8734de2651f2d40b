"""The docker command on a simulated Swarm: people will try it, and it reads more than this product does."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.contract import deeds
from tests.contract.engines import FACTS, number
from tests.contract.grounds import SimulatedGround
from tests.lab import services
from tests.support.simulator import simulated

pytestmark = [pytest.mark.slow, pytest.mark.requires("docker")]

SPEED = 20.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each engine; for what takes a `ground`, those that talk to a command as old as the installed one."""
    if "engine" in metafunc.fixturenames:
        old = "ground" in metafunc.fixturenames and shutil.which("docker") is not None
        names = [name for name, facts in FACTS.items() if not old or _newest_api() >= number(facts.oldest_api)]
        metafunc.parametrize("engine", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[SimulatedGround]:
    """A simulated Swarm with a published service `web` and a global one `agent`."""
    folder = Path(tempfile.mkdtemp(prefix="ow-command-"))
    with simulated(folder / "docker.sock", engine=request.param, speed=SPEED) as running:
        made = SimulatedGround(running, FACTS[request.param], speed=SPEED)
        deeds.web(made)
        deeds.create(made, services.everywhere("agent"))
        yield made
    shutil.rmtree(folder)


@pytest.fixture
def ground(engine: SimulatedGround) -> SimulatedGround:
    """The Swarm, for a command that its engine talks to; what the others get is the first test's matter."""
    return engine


@cache
def _newest_api() -> tuple[int, ...]:
    """The newest API version that the installed command speaks; it says so without an engine too."""
    asked = ["docker", "--host", "unix:///nowhere", "version", "--format", "{{.Client.DefaultAPIVersion}}"]
    return number(subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30).stdout)


def _run(ground: SimulatedGround, *arguments: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DOCKER_")}
    return subprocess.run(
        ["docker", "--host", ground.simulated.socket, *arguments],
        env={**clean, "DOCKER_CONFIG": str(ground.simulated.path.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def _docker(ground: SimulatedGround, *arguments: str) -> str:
    """What the command prints. AssertionError with its words if it fails."""
    done = _run(ground, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _table(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()[1:]]


def test_a_command_is_answered_or_told_that_it_is_too_old(engine: SimulatedGround) -> None:
    oldest, done = engine.facts.oldest_api, _run(engine, "service", "ls")
    if _newest_api() >= number(oldest):
        assert done.returncode == 0, done.stderr
    else:
        spoken = ".".join(str(part) for part in _newest_api())
        words = f"client version {spoken} is too old. Minimum supported API version is {oldest}"
        assert (done.returncode, words in done.stderr) == (1, True), done.stderr


def test_service_ls(ground: SimulatedGround) -> None:
    rows = {row[1]: row[2:] for row in _table(_docker(ground, "service", "ls"))}
    assert rows["web"] == ["replicated", "3/3", "lab/web:1", "*:8001->80/tcp"]
    assert rows["agent"] == ["global", "3/3", "lab/web:1"]


def test_service_ps(ground: SimulatedGround) -> None:
    printed = _docker(ground, "service", "ps", "web", "--format", "{{.Name}} {{.Node}} {{.DesiredState}}")
    assert sorted(line.split()[0] for line in printed.splitlines()) == ["web.1", "web.2", "web.3"]
    assert {line.split()[1] for line in printed.splitlines()} == {"node1", "node2", "node3"}


def test_service_inspect(ground: SimulatedGround) -> None:
    printed = _docker(ground, "service", "inspect", "--pretty", "web")
    assert "PublishedPort = 8001" in printed


def test_network_ls(ground: SimulatedGround) -> None:
    rows = {row[1]: row[2:] for row in _table(_docker(ground, "network", "ls"))}
    assert rows["ingress"] == ["overlay", "swarm"]
    assert rows["docker_gwbridge"] == ["bridge", "local"]


def test_network_inspect(ground: SimulatedGround) -> None:
    printed = _docker(
        ground, "network", "inspect", "ingress", "--format", "{{.Ingress}} {{(index .IPAM.Config 0).Subnet}}"
    )
    assert printed.split() == ["true", "10.0.0.0/24"]


def test_node_ls(ground: SimulatedGround) -> None:
    printed = _docker(
        ground, "node", "ls", "--format", "{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}"
    )
    assert sorted(printed.splitlines()) == ["node1 Ready Active Leader", "node2 Ready Active ", "node3 Ready Active "]


def test_node_ps(ground: SimulatedGround) -> None:
    printed = _docker(ground, "node", "ps", "node2", "--format", "{{.Name}}")
    assert len(printed.splitlines()) == 2


def test_info(ground: SimulatedGround) -> None:
    printed = _docker(ground, "info")
    assert "Swarm: active" in printed
    assert "Is Manager: true" in printed
    assert "Nodes: 3" in printed


def test_scale_and_update(ground: SimulatedGround) -> None:
    _docker(ground, "service", "scale", "--detach", "web=2")
    assert deeds.service(ground, "web")["Spec"]["Mode"] == {"Replicated": {"Replicas": 2}}
    _docker(ground, "service", "update", "--detach", "--label-add", "a=b", "web")
    assert deeds.service(ground, "web")["Spec"]["Labels"] == {"a": "b"}
    _docker(ground, "service", "scale", "--detach", "web=3")


def test_network_create_and_rm(ground: SimulatedGround) -> None:
    _docker(ground, "network", "create", "--driver", "overlay", "--subnet", "10.88.0.0/24", "backend")
    assert "10.88.0.0/24" in _docker(ground, "network", "inspect", "backend")
    assert _docker(ground, "network", "rm", "backend").strip() == "backend"


def test_events(ground: SimulatedGround) -> None:
    until = ground.get("/info")["SystemTime"]
    assert "service create" in _docker(ground, "events", "--since", "2020-01-01", "--until", until)
