"""What benchmarks on a lab's Swarm stand on: an installation as people start it, and this process as a part of it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django

from tests.lab.daemon import wait_until
from tests.lab.swarm import Lab
from tests.support import installations, ports

if TYPE_CHECKING:
    from bench.product import Team

READY_SECONDS = 60.0


@contextmanager
def data(lab: Lab) -> Iterator[Path]:
    """A data folder that goes away again, and this process set up on it as one more of its processes."""
    with tempfile.TemporaryDirectory(prefix="ow-bench-") as name:
        fresh = installations.environment(Path(name), DOCKER_HOST=lab.manager.socket)
        os.environ.clear()
        os.environ.update(fresh)
        django.setup()
        yield Path(name)


@contextmanager
def installation(lab: Lab, data: Path) -> Iterator["Team"]:
    """Overlayweb running as people start it, with two people in it."""
    with installations.up(data, ports.free_port(), DOCKER_HOST=lab.manager.socket) as running:
        running.wait_for("Overlayweb runs at")
        wait_until(lambda: "ready." in running.logs(), what="the worker", timeout=READY_SECONDS, every=0.2)

        from bench.product import Team
        from overlayweb.models import Cluster

        wait_until(Cluster.objects.exists, what="the cluster to be found", timeout=READY_SECONDS, every=0.2)
        yield Team.gathered()
