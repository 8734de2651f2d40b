"""One watcher for each cluster: the engine's events as hints, everything listed once a minute and after each reconnect.

A watcher is a thread of `manage.py watch`. It
1. takes the cluster's lease, so that of several such processes one follows it and the others stand by;
2. opens the event stream, then lists everything, so that nothing falls in between;
3. reads again what events name, a moment after the first and not more often than writing it down allows; what has
   not come to rest yet is read again for up to a minute, since Swarm's tasks have no events;
4. lists everything again after a minute, or takes the connection for lost at the first error and begins anew.

While a repair waits for engines to be restarted, nodes and ingress are read every few seconds, and the nodes' own
engines asked.
"""

import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from django.db import DatabaseError, close_old_connections, connection
from django.db.models import Q
from django.utils import timezone

from overlayweb.domain import news, repair_plans
from overlayweb.domain.lifecycle import HOLDS_CLUSTER
from overlayweb.domain.news import Happening, Names
from overlayweb.domain.swarm import NodeView, Swarm
from overlayweb.engine.errors import EngineError
from overlayweb.engine.parts import Happenings
from overlayweb.engine.swarm import DockerEngine
from overlayweb.models import Cluster, Job, full_disks
from tasks import nodes, observations
from tasks.engines import connect

logger = logging.getLogger(__name__)

LIST_EVERY = 60.0
GATHER = 0.3
"""Events come in flocks: so long after the first one the others are waited for."""
REST = 5
"""So many times as long as it takes to read and write a part, nothing is read again."""
FOLLOW_EVERY, FOLLOW_FOR = 2.0, 60.0
"""How often, and how long at most, what has not come to rest is read again."""
MOST_NAMED = 500
"""Of more than this at once the next full listing tells."""
REPAIR_EVERY = 4.0
LEASE = timedelta(seconds=15)
_Queue = queue.SimpleQueue[Happening | None]
"""What happened; None is the end of the stream."""

RENEW_EVERY = 3.0
STAND_BY = 1.0
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between attempts to reach an engine that is away."""


class _Over(Exception):
    """This watcher has nothing to watch any more: stopped, the lease lost, the cluster removed or reached elsewhere."""


class _Lost(Exception):
    """The stream of events has ended. That alone does not say that the engine is away."""


@dataclass(kw_only=True)
class _Known:
    """What this watcher saw last, and of which revision of the database it is."""

    swarm: Swarm
    revision: int


@dataclass(kw_only=True)
class _Due:
    """When what is next, by the monotonic clock. ``pending``: to be read again at ``read_at``."""

    listing: float
    pending: Names = field(default_factory=Names)
    read_at: float = 0.0
    rested_at: float = 0.0
    followed_until: float = 0.0
    repair: float = 0.0
    renewal: float = 0.0


class Watcher(threading.Thread):
    """Follows one cluster until it is stopped, or the cluster removed. Engines that are away are tried again."""

    def __init__(self, cluster_id: int) -> None:
        super().__init__(name=f"watch-{cluster_id}", daemon=True)
        self._cluster_id = cluster_id
        self._name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask it to end; it does within about a second, or when the engine has answered."""
        self._stopped.set()

    def run(self) -> None:
        """Watch, and begin anew after whatever goes wrong."""
        failures = 0
        while not self._stopped.is_set():
            try:
                self._watch()
                failures = 0
            except (EngineError, _Lost):
                failures += 1
            except DatabaseError as error:
                full_disks.warn(logger, f"watch: cluster {self._cluster_id}", error)
                failures += 1
            except Exception:
                logger.exception("watch: cluster %s could not be followed, beginning anew", self._cluster_id)
                failures += 1
            close_old_connections()
            self._stopped.wait(PAUSES[min(failures, len(PAUSES)) - 1] if failures else STAND_BY)
        self._let_go()

    def _watch(self) -> None:
        """Follow the cluster for as long as all goes well. Raises EngineError, which is kept first."""
        cluster = Cluster.objects.filter(pk=self._cluster_id, removed_at=None).first()
        if cluster is None or not self._holds():
            return
        began = time.monotonic()
        try:
            with closing(connect(cluster)) as engine, _events(cluster) as happened:
                self._follow(cluster, engine, happened)
        except _Over:
            return
        except EngineError as error:
            observations.keep_failure(cluster=cluster, error=str(error), now=timezone.now())
            if time.monotonic() - began < LIST_EVERY:
                raise
        except _Lost:
            if time.monotonic() - began < LIST_EVERY:
                raise

    def _follow(self, cluster: Cluster, engine: DockerEngine, happened: _Queue) -> None:
        known = self._list(cluster, engine)
        due = _Due(listing=time.monotonic() + LIST_EVERY)
        while True:
            self._renew(cluster, due)
            _take(happened, due, seconds=_pause(due))
            now = time.monotonic()
            if now >= due.listing:
                known = self._list(cluster, engine)
                due = _Due(listing=time.monotonic() + LIST_EVERY, renewal=due.renewal)
            elif due.repair and now >= due.repair:
                due.repair = now + REPAIR_EVERY
                known = _look_at_nodes(cluster, engine, known)
            elif due.pending and now >= due.read_at:
                known = _read_again(cluster, engine, known, due)

    def _list(self, cluster: Cluster, engine: DockerEngine) -> _Known:
        """Everything, and what the nodes themselves say."""
        swarm = engine.observe()
        swarm = replace(swarm, node_views=nodes.views(cluster, swarm.nodes))
        observations.keep(cluster=cluster, swarm=swarm)
        observations.keep_answers(cluster=cluster, views=swarm.node_views, now=timezone.now())
        return _stored(cluster)

    def _renew(self, cluster: Cluster, due: _Due) -> None:
        """Every few seconds: whether this watcher still is the one, and whether a repair waits. Raises _Over."""
        if self._stopped.is_set():
            raise _Over
        now = time.monotonic()
        if now < due.renewal:
            return
        due.renewal = now + RENEW_EVERY
        close_old_connections()
        if not self._holds(endpoint=cluster.endpoint):
            raise _Over
        repairs = Job.objects.filter(cluster_id=cluster.pk, kind=repair_plans.KIND, status__in=HOLDS_CLUSTER).exists()
        due.repair = (due.repair or now) if repairs else 0.0

    def _holds(self, **still: str) -> bool:
        """Take the lease, or renew it; False while another watcher has it."""
        now = timezone.now()
        free = Q(watcher=self._name) | Q(watched_until=None) | Q(watched_until__lt=now)
        found = Cluster.objects.filter(free, pk=self._cluster_id, removed_at=None, **still)
        return bool(found.update(watcher=self._name, watched_until=now + LEASE))

    def _let_go(self) -> None:
        try:
            Cluster.objects.filter(pk=self._cluster_id, watcher=self._name).update(watched_until=None)
        except DatabaseError as error:
            full_disks.warn(logger, "watch: the lease is left to run out", error)
        connection.close()


def _pause(due: _Due) -> float:
    """Seconds until something has to be done; at most until a stop should be noticed."""
    moments = [due.listing, due.renewal, *([due.repair] if due.repair else []), *([due.read_at] if due.pending else [])]
    return min(max(min(moments) - time.monotonic(), 0.0), STAND_BY)


def _take(happened: _Queue, due: _Due, *, seconds: float) -> None:
    """Wait for an event for so long, and note what it and those that are there already name."""
    seen: list[Happening] = []
    try:
        one = happened.get(timeout=seconds) if seconds else happened.get_nowait()
        while True:
            if one is None:
                raise _Lost
            seen.append(one)
            one = happened.get_nowait()
    except queue.Empty:
        pass
    now = time.monotonic()
    fresh = news.named(seen)
    if not fresh:
        return
    if not due.pending or due.read_at > now + GATHER:
        due.read_at = max(now + GATHER, due.rested_at)
    due.pending |= fresh
    due.followed_until = now + FOLLOW_FOR


def _read_again(cluster: Cluster, engine: DockerEngine, known: _Known, due: _Due) -> _Known:
    """What is pending; what of it still moves becomes pending again."""
    began = time.monotonic()
    names, due.pending = due.pending, Names()
    if names.count > MOST_NAMED:
        return known
    before = known.swarm
    known = _keep_part(cluster, engine, known, names)
    now = time.monotonic()
    due.rested_at = now + REST * (now - began)
    if now < due.followed_until:
        due.pending = news.moving(before, known.swarm, names)
        due.read_at = max(now + FOLLOW_EVERY, due.rested_at)
    return known


def _look_at_nodes(cluster: Cluster, engine: DockerEngine, known: _Known) -> _Known:
    """Nodes, the ingress, and what the nodes' own engines say: all that a repair waits for."""
    views = nodes.views(cluster, known.swarm.nodes)
    observations.keep_answers(cluster=cluster, views=views, now=timezone.now())
    return _keep_part(cluster, engine, known, news.ingress_and_nodes(known.swarm), views)


def _keep_part(
    cluster: Cluster, engine: DockerEngine, known: _Known, names: Names, views: tuple[NodeView, ...] | None = None
) -> _Known:
    """Read what is named and keep it, put into what is kept: a worker may have looked at everything meanwhile."""
    part = engine.read_again(names)
    for _ in range(2):
        swarm = news.merged(known.swarm, part)
        swarm = swarm if views is None else replace(swarm, node_views=views)
        if observations.keep_part(cluster=cluster, swarm=swarm, revision=known.revision, now=timezone.now()):
            return _Known(swarm=swarm, revision=known.revision + 1)
        known = _stored(cluster)
    return known


def _stored(cluster: Cluster) -> _Known:
    """What the database has. Raises _Over where it has forgotten what was seen."""
    row = Cluster.objects.filter(pk=cluster.pk, endpoint=cluster.endpoint, removed_at=None).first()
    swarm = row.swarm() if row else None
    if row is None or swarm is None:
        raise _Over
    return _Known(swarm=swarm, revision=row.revision)


@contextmanager
def _events(cluster: Cluster) -> Iterator[_Queue]:
    """What happens, in a queue that a thread fills."""
    happened: _Queue = queue.SimpleQueue()
    stream = connect(cluster).happenings()
    reader = threading.Thread(target=_read, args=(stream, happened), name="events", daemon=True)
    reader.start()
    try:
        yield happened
    finally:
        stream.close()
        reader.join(timeout=5)


def _read(stream: Happenings, into: _Queue) -> None:
    try:
        for happening in stream:
            into.put(happening)
    except EngineError as error:
        logger.info("watch: the events of an engine ended: %s", error)
    finally:
        into.put(None)
