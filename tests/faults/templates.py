"""What runs begin with, made once: the schema, the Swarm at rest, and a job that somebody approved."""

import os
import shutil
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections

from overlayweb.domain.plans import IngressRequest, IngressSettings, Strategy
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.swarm import Swarm
from overlayweb.engine import connection
from overlayweb.models import Cluster, Installation, Job, codec
from overlayweb.services import approvals, changes
from tests.faults import crew, stage
from tests.faults.director import use_database
from tests.faults.stage import Template
from tests.faults.timeline import Shared

BEFORE_SUBNET = "10.0.0.0/24"
AFTER = IngressSettings(subnet="10.20.0.0/20", mtu=1450)
STAGES = {"stop": Strategy.STOP, "unpublish": Strategy.UNPUBLISH}


def make(folder: Path) -> dict[str, Template]:
    """All stages by name. The folder keeps their databases."""
    schema = folder / "schema.sqlite3"
    use_database(schema)
    call_command("migrate", verbosity=0)
    _close(schema)
    return {name: _template(name, strategy, schema, folder / name) for name, strategy in STAGES.items()}


def observed(socket: str) -> Swarm:
    """What the engine itself says, now."""
    with connection.connect(connection.Endpoint(url=socket)) as engine:
        return engine.observe()


def ingresses_on(socket: str) -> list[str]:
    """The ids of the ingress networks that a node's own engine holds."""
    with connection.connect(connection.Endpoint(url=socket)) as engine:
        return [network.id for network in engine.networks() if network.ingress]


def _template(name: str, strategy: Strategy, schema: Path, folder: Path) -> Template:
    stage.database_path(folder).parent.mkdir(parents=True)
    simulation = stage.simulation(seed=7)
    shared = Shared()
    shared.seconds = simulation.world.now
    epoch = simulation.world.started_at
    shutil.copy(schema, stage.database_path(folder))
    use_database(stage.database_path(folder))
    engine = crew.start_engine(simulation, shared=shared, folder=folder)
    try:
        while not stage.socket_path(folder).exists():
            time.sleep(0.002)
        swarm = observed(f"unix://{stage.socket_path(folder)}")
    finally:
        os.kill(engine, signal.SIGKILL)
        os.waitpid(engine, 0)
    job = _approved(swarm, strategy, seconds=simulation.world.now, epoch=epoch)
    _close(stage.database_path(folder))
    return Template(
        name=name,
        simulation=simulation,
        database=stage.database_path(folder),
        job_id=job.pk,
        epoch=epoch,
    )


def _approved(swarm: Swarm, strategy: Strategy, *, seconds: float, epoch: datetime) -> Job:
    now = epoch + timedelta(seconds=seconds)
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    author, reviewer = (User.objects.create_user(name) for name in ("ana", "ben"))
    cluster = Cluster.objects.create(
        name="simulated", endpoint="unix:///nowhere", created_at=now, observation=codec.dump(swarm), observed_at=now
    )
    request = IngressRequest(
        settings=AFTER, strategies=tuple((service.id, strategy) for service in swarm.published_services)
    )
    change = changes.submit(cluster=cluster, request=request, author=author, reason="faults", now=now)
    sha256 = change.plan_record.sha256
    return approvals.approve(change=change, person=reviewer, plan_sha256=sha256, reason="", now=now)


def _close(path: Path) -> None:
    """One file without a journal beside it, so that a copy of it is the whole database."""
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connections.close_all()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
