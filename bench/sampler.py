"""Watches from outside, through the manager, which services have their ports open.

A service is *lit* while at least one task of it runs, is meant to run, and is attached to the ingress network that the
Swarm has now. A task that is told to stop counts as dark at once: the engine takes it out of the routing mesh before it
signals the container. A port that nobody serves is dark whether or not it is in the spec.
"""

import contextlib
import itertools
import json
import statistics
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import docker

from tests.lab.daemon import Node

EVERY_SECONDS = 0.2
"""Each look costs the engines some hundredths of the processors that they start containers with."""
_CALL_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Which services (by id) were lit at one moment, ``at`` in seconds of the monotonic clock."""

    at: float
    lit: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How closely the samples lie, in seconds: what an outage is known to. ``failed``: looks without an answer."""

    samples: int
    failed: int
    median_gap: float
    longest_gap: float


class Sampler:
    """Looks every 200 ms in a thread and over a connection of its own, for as long as the ``with`` block runs."""

    def __init__(self, manager: Node) -> None:
        self._manager = manager
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._samples: list[Sample] = []
        self._failed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def dark_seconds(self, service_id: str) -> float:
        """How long the service was dark, in seconds, all its outages together."""
        return dark_seconds(self._samples, service_id)

    def rhythm(self) -> Rhythm:
        """How closely the samples lie."""
        gaps = [after.at - before.at for before, after in itertools.pairwise(self._samples)]
        return Rhythm(
            samples=len(self._samples),
            failed=self._failed,
            median_gap=round(statistics.median(gaps), 3),
            longest_gap=round(max(gaps), 3),
        )

    def _run(self) -> None:
        with contextlib.closing(self._manager.client(timeout=_CALL_SECONDS)) as client:
            while not self._stop.is_set():
                started = time.monotonic()
                try:
                    self._samples.append(_look(client))
                except (OSError, docker.errors.APIError):  # a look that failed says nothing about the ports
                    self._failed += 1
                self._stop.wait(max(0.0, EVERY_SECONDS - (time.monotonic() - started)))


def dark_seconds(samples: Sequence[Sample], service_id: str) -> float:
    """The time between samples that found the service dark and those that followed, in seconds."""
    pairs = itertools.pairwise(samples)
    return sum(after.at - before.at for before, after in pairs if service_id not in before.lit)


def _look(client: docker.APIClient) -> Sample:
    started = time.monotonic()
    networks = _get(client, "/networks", filters=json.dumps({"scope": ["swarm"]}))
    swarm_tasks = _get(client, "/tasks", filters=json.dumps({"desired-state": ["running"]}))
    lit = frozenset(_lit(swarm_tasks, _current_ingress(networks)))
    return Sample(at=(started + time.monotonic()) / 2, lit=lit)


def _get(client: docker.APIClient, path: str, **query: str) -> list[dict[str, Any]]:
    url = f"{client.base_url}/v{client.api_version}{path}"
    answer = client.get(url, params=query, timeout=_CALL_SECONDS)
    answer.raise_for_status()
    return list(answer.json())


def _current_ingress(networks: Iterable[dict[str, Any]]) -> str:
    """The id of the newest ingress: the list also holds one that this manager's node has not let go of yet."""
    found = [row for row in networks if row.get("Ingress")]
    newest = max(found, key=lambda row: str(row["Created"]), default=None)
    return str(newest["Id"]) if newest else ""


def _lit(swarm_tasks: Iterable[dict[str, Any]], ingress: str) -> Iterable[str]:
    for row in swarm_tasks:
        attached = {attachment["Network"]["ID"] for attachment in row.get("NetworksAttachments") or []}
        if row["Status"]["State"] == "running" and row["DesiredState"] == "running" and ingress in attached:
            yield str(row["ServiceID"])
