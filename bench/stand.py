"""What benchmarks on a lab's Swarm stand on: an installation as people start it, and this process as a part of it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django

from tests.lab.daemon import wait_until
from tests.support import installations, ports

if TYPE_CHECKING:
    from bench.product import Team

READY_SECONDS = 60.0


@contextmanager
def data(docker_host: str) -> Iterator[Path]:
    """A data folder that goes away again, and this process set up on it as one more of its processes."""
    with tempfile.TemporaryDirectory(prefix="ow-bench-") as name:
        fresh = installations.environment(Path(name), DOCKER_HOST=docker_host)
        os.environ.clear()
        os.environ.update(fresh)
        django.setup()
        yield Path(name)


@contextmanager
def installation(docker_host: str, data: Path, port: int = 0) -> Iterator["Team"]:
    """Overlayweb running as people start it, with two people in it; at any port, if none is given."""
    with installations.up(data, port or ports.free_port(), DOCKER_HOST=docker_host) as running:
        running.wait_for("Overlayweb runs at")
        wait_until(lambda: "ready." in running.logs(), what="the worker", timeout=READY_SECONDS, every=0.2)

        from bench.product import Team
        from overlayweb.models import Cluster

        wait_until(Cluster.objects.exists, what="the cluster to be found", timeout=READY_SECONDS, every=0.2)
        yield Team.gathered()
