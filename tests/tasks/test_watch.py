"""The watcher against a simulated Swarm of its own process: events, lost connections, restarts, two at once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.utils import timezone

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import Service
from overlayweb.engine import connection
from overlayweb.models import Cluster, Job, NodeEndpoint, ServiceRow, forget_seen
from overlayweb.services import clusters
from tasks import jobs, watch
from tasks.watch import Watcher
from tests.support.simulator import Simulated, simulated
from tests.web import wedges

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIMIT = 15.0


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    with simulated(tmp_path_factory.mktemp("swarm") / "engine.sock", content="demo") as running:
        yield running


@pytest.fixture
def cluster(transactional_db: None, swarm: Simulated) -> Cluster:
    swarm.control("calls", clear=True)
    return Cluster.objects.create(name="prod", endpoint=swarm.socket, created_at=timezone.now())


@contextmanager
def watching(cluster: Cluster) -> Iterator[Watcher]:
    """A watcher of the cluster that has looked once."""
    before = cluster.revision
    watcher = Watcher(cluster.pk)
    watcher.start()
    try:
        soon(lambda: fresh(cluster).revision > before)
        yield watcher
    finally:
        watcher.stop()
        watcher.join(timeout=LIMIT)
        assert not watcher.is_alive()


def fresh(cluster: Cluster) -> Cluster:
    cluster.refresh_from_db()
    return cluster


def soon(condition: Callable[[], bool], *, limit: float = LIMIT) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def calls_of(swarm: Simulated) -> Counter[str]:
    """How often each was asked of the engine since the last time."""
    return Counter(f"{row['method']} {row['path']}" for row in swarm.control("calls", clear=True))


def row(name: str) -> ServiceRow | None:
    return ServiceRow.objects.filter(name=name).first()


def scale(swarm: Simulated, name: str, replicas: int) -> None:
    """Somebody scales a service by the command line."""
    with connection.connect(connection.Endpoint(url=swarm.socket)) as engine:
        service = next(service for service in engine.services() if service.name == name)
        engine.update_service(service_id=service.id, version=service.version, spec=_scaled(service, replicas))


def _scaled(service: Service, replicas: int) -> Spec:
    document = service.spec.document()
    document["Mode"]["Replicated"]["Replicas"] = replicas
    return Spec.of(document)


def test_an_event_brings_what_it_names_and_nothing_else(cluster: Cluster, swarm: Simulated) -> None:
    with watching(cluster):
        listed = fresh(cluster).observed_at
        assert calls_of(swarm)["GET /events"] == 1
        scale(swarm, "edge_dns", 4)
        calls_of(swarm)
        soon(lambda: (found := row("edge_dns")) is not None and (found.running, found.wanted) == (4, 4))
        asked = calls_of(swarm)
        assert set(asked) == {"GET /services", "GET /tasks"}, "no network, no node, no second stream"
        assert fresh(cluster).observed_at == listed, "no second listing"
        assert cluster.news_at is not None
        found = cluster.swarm()
        assert found is not None
        seen = next(service for service in found.services if service.name == "edge_dns")
        assert (seen.replicas, len(found.running_on(seen.id))) == (4, 4)
        assert len(found.services) == cluster.service_rows.count()
    scale(swarm, "edge_dns", 2)


def test_what_a_node_loses_and_gets_back_is_seen(cluster: Cluster, swarm: Simulated) -> None:
    with watching(cluster):
        found = fresh(cluster).swarm()
        assert found is not None
        node = next(node for node in found.nodes if node.role == "worker")

        def state() -> str:
            now = fresh(cluster).swarm()
            assert now is not None
            return next(one.state for one in now.nodes if one.id == node.id)

        swarm.control("crash_node", name=node.hostname)
        swarm.control("skip", seconds=15)
        soon(lambda: state() == "down")
        swarm.control("start_node", name=node.hostname)
        swarm.control("skip", seconds=15)
        soon(lambda: state() == "ready")


def test_an_engine_that_goes_away_and_comes_back_is_shown_so(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAUSES", (0.2,))
    path = tmp_path / "engine.sock"
    with simulated(path, content="demo") as first:
        cluster = Cluster.objects.create(name="prod", endpoint=first.socket, created_at=timezone.now())
        watcher = Watcher(cluster.pk)
        watcher.start()
        soon(lambda: fresh(cluster).revision > 0)
    try:
        soon(lambda: fresh(cluster).away_since is not None)
        away = cluster.away_since
        assert away is not None
        assert cluster.error
        assert cluster.swarm() is not None, "what was seen stays"
        with simulated(path, nodes=2) as again:
            soon(lambda: fresh(cluster).away_since is None)
            assert (cluster.error, cluster.was_away_since) == ("", away)
            assert cluster.back_at is not None
            assert cluster.back_at > away
            assert clusters.sight(cluster=cluster, now=timezone.now()).back
            assert cluster.service_rows.count() == 0, "the Swarm that came back is another one, without services"
            assert again.socket == cluster.endpoint
    finally:
        watcher.stop()
        watcher.join(timeout=LIMIT)


def test_a_lost_stream_is_opened_again_with_everything_listed(
    cluster: Cluster, swarm: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAUSES", (0.2,))
    with watching(cluster):
        first, ids = fresh(cluster).observed_at, set(cluster.service_rows.values_list("service_id"))
        swarm.control("reset", seed=5)
        soon(lambda: fresh(cluster).observed_at != first)
        assert not ids & set(cluster.service_rows.values_list("service_id")), "another Swarm answers there now"
        assert (cluster.error, cluster.away_since, cluster.back_at) == ("", None, None), "it was never away"
        scale(swarm, "edge_dns", 3)
        soon(lambda: (found := row("edge_dns")) is not None and found.running == 3)
    scale(swarm, "edge_dns", 2)


def test_of_two_watchers_one_follows_and_the_other_takes_over(cluster: Cluster, swarm: Simulated) -> None:
    first, second = Watcher(cluster.pk), Watcher(cluster.pk)
    first.start()
    soon(lambda: fresh(cluster).revision > 0)
    second.start()
    time.sleep(1.5)
    assert calls_of(swarm)["GET /events"] == 1
    first.stop()
    first.join(timeout=LIMIT)
    soon(lambda: calls_of(swarm)["GET /events"] == 1)
    scale(swarm, "edge_dns", 3)
    soon(lambda: (found := row("edge_dns")) is not None and found.running == 3)
    second.stop()
    second.join(timeout=LIMIT)
    scale(swarm, "edge_dns", 2)
    assert fresh(cluster).watched_until is None


def test_while_one_watches_the_sweep_asks_for_nothing(cluster: Cluster) -> None:
    assert clusters.look_at_due(now=timezone.now()) == 1, "never seen, and nobody watches"
    with watching(cluster):
        Cluster.objects.update(observed_at=timezone.now() - clusters.LOOK_EVERY * 2)
        assert clusters.look_at_due(now=timezone.now()) == 0
    Cluster.objects.update(asked_at=None)
    assert clusters.look_at_due(now=timezone.now()) == 1


def test_a_look_that_a_worker_took_meanwhile_is_built_upon(cluster: Cluster, swarm: Simulated) -> None:
    with watching(cluster):
        jobs.observe_cluster(cluster.pk)
        looked = fresh(cluster).observed_at
        scale(swarm, "edge_dns", 3)
        soon(lambda: (found := row("edge_dns")) is not None and found.running == 3)
        assert fresh(cluster).observed_at == looked
    scale(swarm, "edge_dns", 2)


def test_another_address_is_followed_there(cluster: Cluster, swarm: Simulated, tmp_path: Path) -> None:
    with simulated(tmp_path / "other.sock", nodes=2) as other, watching(cluster):
        Cluster.objects.filter(pk=cluster.pk).update(endpoint=other.socket)
        soon(lambda: cluster.service_rows.count() == 0)
        assert fresh(cluster).error == ""
    assert swarm.process.poll() is None


def test_while_a_repair_waits_nodes_are_asked_every_few_seconds(
    cluster: Cluster, swarm: Simulated, monkeypatch: pytest.MonkeyPatch, repair: Job
) -> None:
    monkeypatch.setattr(watch, "REPAIR_EVERY", 0.2)
    monkeypatch.setattr(watch, "RENEW_EVERY", 0.1)
    name, address = next(iter(swarm.node_sockets.items()))
    NodeEndpoint.objects.create(cluster=cluster, hostname=name, endpoint=address)
    with watching(cluster):
        first = _viewed_at(cluster)
        soon(lambda: _viewed_at(cluster) > first)
        listed = fresh(cluster).observed_at
        Job.objects.filter(pk=repair.pk).update(status=JobStatus.CANCELLED)
        time.sleep(0.5)
        last = _viewed_at(cluster)
        time.sleep(1)
        assert _viewed_at(cluster) == last, "nobody waits any more"
        assert fresh(cluster).observed_at == listed


def _viewed_at(cluster: Cluster) -> float:
    found = fresh(cluster).swarm()
    assert found is not None
    return found.node_views[0].observed_at.timestamp()


@pytest.fixture
def repair(cluster: Cluster) -> Job:
    """A repair that waits for a person at the nodes."""
    wedges.see(cluster, wedges.wedged())
    job = wedges.approved(cluster)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.RUNNING)
    forget_seen(cluster)
    return job
