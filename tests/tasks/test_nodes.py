"""Looking at a cluster asks the engines of its nodes too, where they are registered."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from overlayweb.domain.addresses import holdings
from overlayweb.domain.mesh import Presence
from overlayweb.models import Cluster, NodeEndpoint
from tasks import jobs
from tests.support.simulator import Simulated, simulated


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    with simulated(tmp_path_factory.mktemp("swarm") / "engine.sock", nodes=3) as running:
        yield running


@pytest.fixture
def cluster(db: None, swarm: Simulated) -> Cluster:
    return Cluster.objects.create(name="prod", endpoint=swarm.socket, created_at=timezone.now())


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """An address that takes calls and never answers."""
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        taken: list[socket.socket] = []
        threading.Thread(target=lambda: taken.append(server.accept()[0]), daemon=True).start()
        yield f"unix://{path}"
        for connection in taken:
            connection.close()


def ask(cluster: Cluster, hostname: str, address: str) -> None:
    NodeEndpoint.objects.create(cluster=cluster, hostname=hostname, endpoint=address)


def look(cluster: Cluster) -> dict[str, tuple[Presence, bool, str]]:
    """What a look finds of each node: its presence, whether exactly, and why its engine could not be asked."""
    jobs.observe_cluster(cluster.pk)
    cluster.refresh_from_db()
    assert cluster.error == ""
    swarm, mesh = cluster.swarm(), cluster.mesh()
    assert swarm is not None
    assert mesh is not None
    errors = {view.node_id: view.error for view in swarm.node_views}
    return {node.hostname: (node.presence, node.exact, errors.get(node.node_id, "")) for node in mesh.nodes}


def test_nodes_that_are_asked_say_it_exactly(cluster: Cluster, swarm: Simulated) -> None:
    names = sorted(swarm.node_sockets)
    for name in names[1:]:
        ask(cluster, name, swarm.node_sockets[name])
    seen = look(cluster)
    assert [seen[name] for name in names[1:]] == [(Presence.PRESENT, True, "")] * 2
    assert not seen[names[0]][1]


def test_a_nodes_own_networks_are_in_the_way_of_a_subnet(cluster: Cluster, swarm: Simulated) -> None:
    for name, address in swarm.node_sockets.items():
        ask(cluster, name, address)
    look(cluster)
    seen = cluster.swarm()
    assert seen is not None
    assert len(seen.node_views) == 3
    for view in seen.node_views:
        assert {"bridge", "docker_gwbridge"} <= {network.name for network in view.local_networks}
    elsewhere = [row for row in holdings(swarm=seen, reserved=()) if row.node]
    assert not elsewhere, "what every node has alike is named as the manager's"


def test_one_that_is_away_or_silent_costs_the_others_nothing(cluster: Cluster, swarm: Simulated, silent: str) -> None:
    first, second, third = sorted(swarm.node_sockets)
    ask(cluster, first, "unix:///nowhere/docker.sock")
    ask(cluster, second, silent)
    ask(cluster, third, swarm.node_sockets[third])
    began = time.monotonic()
    seen = look(cluster)
    assert time.monotonic() - began < 8
    assert "Could not ask the engine" in seen[first][2]
    assert "Could not ask the engine" in seen[second][2]
    assert seen[third] == (Presence.PRESENT, True, "")


def test_since_when_one_is_away_and_when_it_came_back_is_kept(cluster: Cluster, swarm: Simulated) -> None:
    name, address = next(iter(swarm.node_sockets.items()))
    ask(cluster, name, "unix:///nowhere/docker.sock")
    look(cluster)
    since = NodeEndpoint.objects.get(hostname=name).away_since
    assert since is not None
    look(cluster)
    assert NodeEndpoint.objects.get(hostname=name).away_since == since, "the first time counts"
    NodeEndpoint.objects.update(endpoint=address)
    look(cluster)
    back = NodeEndpoint.objects.get(hostname=name)
    assert (back.away_since, back.was_away_since) == (None, since)
    assert back.back_at is not None


def test_another_nodes_engine_says_nothing_of_this_one(cluster: Cluster, swarm: Simulated) -> None:
    first, second, _ = sorted(swarm.node_sockets)
    ask(cluster, first, swarm.node_sockets[second])
    ask(cluster, "left-the-swarm", swarm.node_sockets[first])
    seen = look(cluster)
    assert "Another engine than that of" in seen[first][2]
    assert "left-the-swarm" not in seen


def test_a_removed_cluster_is_not_looked_at(cluster: Cluster) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(removed_at=timezone.now())
    jobs.observe_cluster(cluster.pk)
    cluster.refresh_from_db()
    assert cluster.swarm() is None
