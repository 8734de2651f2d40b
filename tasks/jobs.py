"""The Celery tasks: thin, ids only. Everything they need to know is in the database."""

import logging
import os
import socket
import sqlite3
import uuid
from dataclasses import replace

from django.db import OperationalError, connection
from django.utils import timezone

from overlayweb.engine.errors import EngineError
from overlayweb.models import Cluster, Job
from overlayweb.workflows import runner
from overlayweb.workflows.registry import WORKFLOWS
from tasks import doorbell, nodes, observations
from tasks.engines import connect

__all__ = ["advance_job", "connect", "observe_cluster"]

logger = logging.getLogger(__name__)


@doorbell.task()
def advance_job(job_id: int) -> None:
    """Carry one job on for a bounded slice, and ring again if it is not done.

    A full disk under the database ends the slice; the sweep rings again until there is room.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        return
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    try:
        result = runner.advance(job_id=job_id, workflow=WORKFLOWS[job.kind], connect=connect, owner=owner)
    except OperationalError as error:
        if not _is_full(error):
            raise
        file = connection.settings_dict["NAME"]
        logger.error(  # noqa: TRY400  # foreseen: what to do is said, and a traceback would hide it
            "job %s stopped: the disk of its database %s is full. Free room there; the job goes on by itself.",
            job_id,
            file,
        )
        return
    if result is runner.Result.AGAIN:
        advance_job.ring(job_id)
    elif result is runner.Result.RESTED:
        observe_cluster.ring(job.cluster_id)


@doorbell.task(expires=30, time_limit=60)
def observe_cluster(cluster_id: int) -> None:
    """Read the cluster through its manager and keep what was seen, or why nothing was."""
    cluster = Cluster.objects.filter(pk=cluster_id, removed_at=None).first()
    if cluster is None:
        return
    try:
        engine = connect(cluster)
        try:
            swarm = engine.observe()
            swarm = replace(swarm, node_views=nodes.views(cluster, swarm.nodes))
        finally:
            engine.close()
    except EngineError as error:
        observations.keep_failure(cluster=cluster, error=str(error), now=timezone.now())
        return
    observations.keep(cluster=cluster, swarm=swarm)
    observations.keep_answers(cluster=cluster, views=swarm.node_views, now=timezone.now())


def _is_full(error: OperationalError) -> bool:
    """Whether SQLite found no room for what it had to write. Nothing of that transaction is written then."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
