"""Events: hints of what changed, the last of which are told again to who asks."""

import contextlib
import json
import threading
from datetime import datetime

import pytest

from tests.contract import deeds
from tests.contract.grounds import Document, Ground
from tests.contract.http import Connection
from tests.lab.services import replicated


def _told(ground: Ground, **filters: str) -> list[Document]:
    """All events that still are kept."""
    until = datetime.fromisoformat(ground.get("/info")["SystemTime"]).timestamp() + 0.001
    target = f"/v{ground.facts.api}/events?since=0&until={until:.9f}"
    target += f"&filters={json.dumps({name: [value] for name, value in filters.items()}, separators=(',', ':'))}"
    with contextlib.closing(Connection(ground.url("node1"))) as connection:
        connection.request("GET", target.replace('"', "%22"))
        return [json.loads(line) for line in connection.getresponse().read().splitlines()]


def _of(ground: Ground, key: str, **filters: str) -> list[tuple[str, str]]:
    return [(row["Type"], row["Action"]) for row in _told(ground, **filters) if row["Actor"]["ID"] == key]


@pytest.fixture(scope="module")
def made(ground: Ground) -> dict[str, str]:
    """A network and a service that were made, changed and removed."""
    ground.reset()
    network = deeds.create_overlay(ground, "short")
    service = deeds.create(ground, replicated("short", replicas=0), wait=False)
    deeds.change(ground, service, Labels={"n": "1"})
    ground.do("DELETE", f"/services/{service}")
    ground.do("DELETE", f"/networks/{network}")
    return {"network": network, "service": service}


def test_a_service_is_created_updated_and_removed(ground: Ground, made: dict[str, str]) -> None:
    told = _of(ground, made["service"], type="service")
    assert (told[0], told[-1]) == (("service", "create"), ("service", "remove"))
    assert ("service", "update") in told


def test_a_network_is_created_and_removed(ground: Ground, made: dict[str, str]) -> None:
    told = _of(ground, made["network"], type="network", scope="swarm")
    assert (told[0], told[-1]) == (("network", "create"), ("network", "remove"))


def test_an_event_is_told_whole(ground: Ground, made: dict[str, str]) -> None:
    (event,) = [row for row in _told(ground, event="create") if row["Actor"]["ID"] == made["service"]]
    assert event["Actor"] == {"ID": made["service"], "Attributes": {"name": "short"}}
    assert (event["scope"], event["timeNano"] // 1_000_000_000) == ("swarm", event["time"])


@pytest.mark.parametrize(("key", "value"), [("type", "node"), ("event", "update"), ("service", "other")])
def test_events_are_filtered(ground: Ground, made: dict[str, str], key: str, value: str) -> None:
    told = _told(ground, **{key: value})
    assert all((row["Type"], row["Action"], "other")[["type", "event", "service"].index(key)] == value for row in told)
    assert ("service", "create") not in _of(ground, made["service"], **{key: value})


def test_there_are_none_of_tasks(ground: Ground, made: dict[str, str]) -> None:
    assert "task" not in {row["Type"] for row in _told(ground)}


def test_a_stream_tells_what_happens_while_it_is_open(ground: Ground, made: dict[str, str]) -> None:
    lines: list[str] = []
    with contextlib.closing(Connection(ground.url("node1"))) as connection:
        connection.request("GET", f"/v{ground.facts.api}/events")
        stream = connection.getresponse()
        reader = threading.Thread(target=lambda: lines.append(stream.readline().decode()))
        reader.start()
        service = deeds.create(ground, replicated("streamed", replicas=0), wait=False)
        reader.join(5)
        assert [json.loads(line)["Actor"]["ID"] for line in lines] == [service]
    deeds.remove(ground, service)


def test_the_last_256_are_told_again(fresh: Ground) -> None:
    """Comes last: what the others look for is forgotten here."""
    service = deeds.create(fresh, replicated("busy", replicas=0), wait=False)
    for number in range(260):
        deeds.change(fresh, service, Labels={"n": f"{number}"})
    told = _told(fresh)
    assert len(told) == 256
    assert {(row["Action"], row["Actor"]["ID"]) for row in told} == {("update", service)}
