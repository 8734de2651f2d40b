"""What a start finds at the local socket: a manager is registered, an engine that is none is told what it lacks."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.fixtures import Settings

from overlayweb.configuration import Configuration
from overlayweb.demo import start
from overlayweb.engine import connection
from overlayweb.engine.endpoints import Endpoint
from overlayweb.models import Cluster
from tests.engine.servers import engine_error, on_socket
from tests.support.simulator import simulated

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


@pytest.fixture
def given(folder: Path) -> Configuration:
    """A configuration without a DOCKER_HOST, that leaves the demo to the start."""
    configuration: Configuration = settings.OVERLAYWEB_CONFIGURATION
    return replace(configuration, data=folder, docker_host_given=False, demo=None)


def listen_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make this the machine's local socket; returns its address."""
    url = f"unix://{path}"
    monkeypatch.setattr(connection, "local_endpoint", lambda: Endpoint(url=url))
    return url


def test_a_manager_at_the_local_socket_is_registered_by_itself(
    given: Configuration, folder: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.OVERLAYWEB_DOCKER_HOST = listen_at(folder / "engine.sock", monkeypatch)
    with simulated(folder / "engine.sock", nodes=1):
        begun = start.prepare(given)
    assert (begun.socket, begun.said, begun.no_manager, begun.has_people) == (None, (), "", False)
    (cluster,) = Cluster.objects.all()
    assert (cluster.name, cluster.demo, cluster.automatic) == ("local", False, True)
    assert cluster.endpoint == settings.OVERLAYWEB_DOCKER_HOST


@pytest.mark.parametrize("refused", [False, True])
def test_an_engine_that_is_no_manager_is_said_with_what_to_do(
    given: Configuration, folder: Path, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    url = listen_at(folder / "engine.sock", monkeypatch)
    with on_socket(folder / "engine.sock") as server:
        server.script = [engine_error(503, NO_MANAGER)]
        begun = start.prepare(replace(given, demo=False if refused else None))
    (said,) = begun.said
    assert said.startswith(f"The engine at {url} is not a manager of a Swarm.")
    assert "`docker swarm init` on it" in said
    assert "Then start Overlayweb again." in said
    assert said.startswith(begun.no_manager)
    assert not Cluster.objects.filter(demo=False).exists()
    assert ("simulated" in said) == (begun.socket is not None) == (not refused)


def test_where_nothing_answers_no_engine_is_said_to_be_there(
    given: Configuration, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = listen_at(folder / "engine.sock", monkeypatch)
    begun = start.prepare(given)
    assert begun.no_manager == ""
    assert begun.said[0].startswith(f"No Swarm manager answers at {url}, so cluster “demo” is simulated")


def test_a_demo_that_is_asked_for_looks_nowhere(given: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "look", lambda: pytest.fail("it looked"))
    begun = start.prepare(replace(given, demo=True))
    assert begun.socket is not None
    assert begun.no_manager == ""
