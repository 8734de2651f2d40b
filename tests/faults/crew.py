"""The processes of a run: forked from one that has everything loaded, so that each costs milliseconds."""

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.db import connections

from overlayweb.engine import connection
from overlayweb.models import Cluster
from overlayweb.simulator.simulation import Simulation
from overlayweb.workflows import runner
from overlayweb.workflows.registry import WORKFLOWS
from tasks import jobs as celery_tasks
from tests.faults import stage
from tests.faults.points import Points, kind_of
from tests.faults.scenario import Scenario
from tests.faults.timeline import Shared, SharedClock

FAILED = 13
SILENT_SECONDS = 0.25
"""The real time after which a call counts as unanswered, where a run has calls that are never answered."""
PATIENT_SECONDS = 20.0


def fork(act: Callable[[], None]) -> int:
    """Do it in a child; returns its process id. The child's exit code is 0, or FAILED after an error."""
    connections.close_all()  # a database connection is not shared between processes
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = FAILED
    try:
        act()
        code = 0
    except BaseException:  # noqa: BLE001  # the child ends here, whatever happened
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def start_engine(simulation: Simulation, *, shared: Shared, folder: Path) -> int:
    """Serve a copy of the simulation; returns the process id."""

    def serve() -> None:
        stage.silence()
        house = stage.EngineHouse(simulation, shared=shared, folder=folder)
        asyncio.run(house.serve())

    return fork(serve)


def start_worker(job_id: int, *, name: str, shared: Shared, epoch: datetime, folder: Path, scenario: Scenario) -> int:
    """A worker that takes one message: the product's own Celery task, with points at which it can be stopped."""
    points = Points(shared=shared, worker=name, record=folder / "points.txt" if scenario.record else None)
    clock = SharedClock(shared=shared, epoch=epoch, stride=scenario.stride)

    def reach(url: str) -> connection.DockerEngine:
        limit = SILENT_SECONDS if scenario.waits_for_silence else PATIENT_SECONDS
        return connection.connect(connection.Endpoint(url=url), timeout_seconds=limit, now=clock.now)

    def connect(cluster: Cluster) -> connection.DockerEngine:
        engine = reach(cluster.endpoint)
        engine.reach_nodes(lambda hostname: reach(cluster.node_endpoints.get(hostname=hostname).endpoint))
        engine.reach_registered(lambda number: reach(Cluster.objects.get(pk=number).endpoint))
        return engine

    def work() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        points.install()
        kind = kind_of(job_id)
        WORKFLOWS[kind] = points.workflow(WORKFLOWS[kind])
        advance = runner.advance
        runner.advance = lambda **asked: advance(**asked, clock=clock)
        celery_tasks.connect = connect
        celery_tasks.advance_job.run(job_id)

    return fork(work)
