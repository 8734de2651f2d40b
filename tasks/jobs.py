"""The Celery tasks: thin, ids only. Everything they need to know is in the database."""

import os
import socket
import uuid
from dataclasses import replace

from django.conf import settings
from django.utils import timezone

from overlayweb.engine import connection
from overlayweb.engine.errors import EngineError
from overlayweb.models import Cluster, Job, codec
from overlayweb.workflows import runner
from overlayweb.workflows.registry import WORKFLOWS
from tasks import doorbell, nodes


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
        Cluster.objects.filter(pk=cluster_id, endpoint=cluster.endpoint).update(
            error=str(error), error_at=timezone.now()
        )
        return
    Cluster.objects.filter(pk=cluster_id, endpoint=cluster.endpoint).update(
        observation=codec.dump(swarm), observed_at=swarm.observed_at, error="", error_at=None
    )


def connect(cluster: Cluster) -> "connection.DockerEngine":
    """An engine for the cluster's manager. Raises EngineError."""
    if cluster.automatic:
        here = {**os.environ, "DOCKER_HOST": settings.OVERLAYWEB_DOCKER_HOST}
        return connection.connect(connection.local_endpoint(here))
    return connection.connect(nodes.endpoint_of(cluster))
