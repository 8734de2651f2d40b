"""The Celery tasks: thin, ids only. Everything they need to know is in the database."""

import os
import socket
import uuid
from dataclasses import replace

from django.utils import timezone

from overlayweb.engine.errors import EngineError
from overlayweb.models import Cluster, Job
from overlayweb.workflows import runner
from overlayweb.workflows.registry import WORKFLOWS
from tasks import doorbell, nodes, observations
from tasks.engines import connect

__all__ = ["advance_job", "connect", "observe_cluster"]


@doorbell.task()
def advance_job(job_id: int) -> None:
    """Carry one job on for a bounded slice, and ring again if it is not done."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        return
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    result = runner.advance(job_id=job_id, workflow=WORKFLOWS[job.kind], connect=connect, owner=owner)
    if result is runner.Result.AGAIN:
        advance_job.ring(job_id)
    elif result is runner.Result.RESTED:
        for cluster_id in (job.cluster_id, *job.plan().other_clusters):
            observe_cluster.ring(cluster_id)


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
