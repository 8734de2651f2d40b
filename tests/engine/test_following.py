"""A real Swarm followed: its events name what changed, and only that is read again."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from overlayweb.domain import news
from overlayweb.domain.news import Happening, Names
from overlayweb.engine.connection import DockerEngine, Endpoint, connect
from overlayweb.engine.parts import Happenings
from tests.lab.swarm import Lab

pytestmark = pytest.mark.requires("dockerd", "root")

LIMIT = 10.0


@pytest.fixture
def engine(lab: Lab, mix: dict[str, str]) -> Iterator[DockerEngine]:
    with connect(Endpoint(url=lab.manager.socket)) as made:
        yield made


@contextmanager
def following(lab: Lab) -> Iterator[list[Happening]]:
    """What happens meanwhile; closing the stream from here ends the thread that waits for more."""
    happened: list[Happening] = []
    stream = connect(Endpoint(url=lab.manager.socket)).happenings()
    reader = threading.Thread(target=_collect, args=(stream, happened), daemon=True)
    reader.start()
    yield happened
    stream.close()
    reader.join(timeout=LIMIT)
    assert not reader.is_alive()


def _collect(stream: Happenings, into: list[Happening]) -> None:
    for one in stream:
        into.append(one)  # noqa: PERF402  # each as it comes


def soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def test_events_name_nodes_networks_and_services(lab: Lab, engine: DockerEngine, mix: dict[str, str]) -> None:
    node = engine.nodes()[-1]
    with following(lab) as happened:
        made = lab.manager.request(
            "POST", "/networks/create", {"Name": "followed", "Driver": "overlay", "Scope": "swarm"}
        )["Id"]
        service = next(row for row in engine.services() if row.id == next(iter(mix.values())))
        engine.update_service(service_id=service.id, version=service.version, spec=service.spec)
        engine.label_node(node_id=node.id, key="followed", value="1")
        wanted = Names(nodes=frozenset({node.id}), networks=frozenset({made}), services=frozenset({service.id}))
        soon(lambda: wanted | news.named(happened) == news.named(happened))
        engine.remove_network(made)
        soon(lambda: any(one.action == "remove" and one.id == made for one in happened))
    engine.label_node(node_id=node.id, key="followed", value=None)


def test_only_what_is_named_is_read_and_as_a_listing_of_everything_reads_it(
    engine: DockerEngine, mix: dict[str, str]
) -> None:
    whole = engine.observe()
    ids = frozenset(list(mix.values())[:2])
    ingress = whole.ingress_networks[0]
    gone = "w" * 25
    part = engine.read_again(
        Names(
            nodes=frozenset({whole.nodes[0].id}),
            networks=frozenset({ingress.id, gone}),
            services=ids | {gone},
        )
    )
    assert [node.id for node in part.nodes] == [whole.nodes[0].id]
    assert part.networks == (ingress,), "with its peers"
    assert {service.id for service in part.services} == ids
    assert {task.id for task in part.swarm_tasks} == {task.id for key in ids for task in whole.tasks_of(key)}
    assert {task.service_id for task in news.merged(whole, part).swarm_tasks} == {
        task.service_id for task in whole.swarm_tasks
    }
