"""What runs begin with, made once: the schema, the Swarm at rest, and a job that somebody approved."""

import os
import shutil
import signal
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections

from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.domain.readiness import Check, EngineView
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Account, Cluster, Installation, Job, ReadinessCheck, codec
from overlayweb.services import approvals, changes
from tests.faults import crew, stage
from tests.faults.stage import Template, use_database
from tests.faults.stages import STAGES, Stage, observed, told, view_of
from tests.faults.timeline import Shared
from tests.support.simulator import Simulated


class Templates(dict[str, Template]):
    """Stages by name, each made when it is first asked for. The folder keeps their databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schema = folder / "schema.sqlite3"
        use_database(self._schema)
        call_command("migrate", verbosity=0)
        _close(self._schema)

    def __missing__(self, name: str) -> Template:
        made = self[name] = _template(name, STAGES[name], self._schema, self._folder / name)
        return made


def _template(name: str, found: Stage, schema: Path, folder: Path) -> Template:
    stage.database_path(folder).parent.mkdir(parents=True)
    simulation = stage.simulation(seed=7, content=found.content, engine=found.engine)
    shared = Shared()
    shared.seconds = simulation.world.now
    epoch = simulation.world.started_at
    shutil.copy(schema, stage.database_path(folder))
    use_database(stage.database_path(folder))
    engine = crew.start_engine(simulation, shared=shared, folder=folder)
    try:
        while not stage.is_served(folder, simulation.world):
            time.sleep(0.002)
        main = f"unix://{stage.socket_path(folder)}"
        swarm, view = observed(main), told(main)
        sockets = Simulated(path=stage.socket_path(folder), process=None).node_sockets  # type: ignore[arg-type]  # ours
        swarm = replace(swarm, node_views=tuple(view_of(sockets[name], name) for name in found.registered))
    finally:
        os.kill(engine, signal.SIGKILL)
        os.waitpid(engine, 0)
    job = _approved(swarm, view, found, now=epoch + timedelta(seconds=simulation.world.now))
    _close(stage.database_path(folder))
    return Template(
        name=name,
        simulation=simulation,
        database=stage.database_path(folder),
        job_id=job.pk,
        epoch=epoch,
    )


def _approved(swarm: Swarm, view: EngineView, found: Stage, *, now: datetime) -> Job:
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    author, reviewer = (User.objects.create_user(name) for name in ("ana", "ben"))
    Account.objects.bulk_create(Account(person=person, role=Role.ADMIN) for person in (author, reviewer))
    seen = {} if found.outside else {"observation": codec.dump(swarm), "observed_at": now}
    cluster = Cluster.objects.create(name="simulated", endpoint="unix:///nowhere", created_at=now, **seen)
    check = codec.dump(Check(checked_at=now, engine=view))
    ReadinessCheck.objects.create(cluster=cluster, asked_at=now, checked_at=now, result=check)
    for hostname in found.registered:
        cluster.node_endpoints.create(hostname=hostname, endpoint="unix:///nowhere")
    request = found.request(swarm)
    change = changes.submit(cluster=cluster, request=request, author=author, reason="faults", now=now, kind=found.kind)
    sha256 = change.plan_record.sha256
    return approvals.approve(change=change, person=reviewer, plan_sha256=sha256, reason="", now=now)


def _close(path: Path) -> None:
    """One file without a journal beside it, so that a copy of it is the whole database."""
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connections.close_all()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
