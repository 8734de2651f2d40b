"""A worker that can be told where to die: ``python -m tests.workflows.worker JOB [POINT]``.

POINT is ``step:NAME`` (a step has started), ``done:NAME`` (its work is done, not recorded), ``call:NAME:N`` (the
engine has carried out the Nth call of this name, the answer is not recorded), or ``freeze:NAME:N`` (likewise, but the
worker is only stopped until somebody sends SIGCONT). Death is SIGKILL, to itself. It begins when standard input ends.
"""

import os
import signal
import sys
import time
from typing import Any

import django

django.setup()

from django.db import OperationalError  # noqa: E402

from overlayweb.domain.lifecycle import JobStatus  # noqa: E402
from overlayweb.models import Cluster, Job  # noqa: E402
from overlayweb.workflows import runner  # noqa: E402
from overlayweb.workflows.ports import SwarmEngine  # noqa: E402
from overlayweb.workflows.registry import WORKFLOWS  # noqa: E402
from overlayweb.workflows.runner import Context, Workflow  # noqa: E402
from tasks import jobs as celery_tasks  # noqa: E402

HANDED_OUT = frozenset({"member"})
"""What an engine hands out dies by its own calls."""
ENDS = {"call": signal.SIGKILL, "freeze": signal.SIGSTOP}


def die(number: int = signal.SIGKILL) -> None:
    """No goodbye."""
    os.kill(os.getpid(), number)


class DyingWorkflow:
    """The real workflow, with a sudden end before or after one step."""

    def __init__(self, workflow: Workflow, when: str, step: str) -> None:
        self._workflow, self._when, self._step = workflow, when, step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workflow, name)

    def run(self, name: str, context: Context) -> str:
        """Run the step, unless this is where it ends."""
        if (self._when, self._step) == ("step", name):
            die()
        detail = self._workflow.run(name, context)
        if (self._when, self._step) == ("done", name):
            die()
        return detail


class DyingEngine:
    """The real engine, with a sudden end right after its Nth call of one name has taken effect."""

    def __init__(self, engine: SwarmEngine, call: str, number: int, end: int) -> None:
        self._engine, self._call, self._left, self._end = engine, call, number, end

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._engine, name)
        if name in HANDED_OUT:
            return lambda *args: DyingEngine(method(*args), self._call, self._left, self._end)
        if name != self._call:
            return method

        def called(*args: Any, **kwargs: Any) -> Any:
            answer = method(*args, **kwargs)
            self._left -= 1
            if not self._left:
                die(self._end)
            return answer

        return called


def main(job_id: int, point: str) -> None:
    """Carry the job on until it rests."""
    when, _, rest = point.partition(":")
    workflow: Any = WORKFLOWS[Job.objects.get(pk=job_id).kind]
    if when in {"step", "done"}:
        workflow = DyingWorkflow(workflow, when, rest)
    name, _, number = rest.partition(":")

    def connect(cluster: Cluster) -> Any:
        engine = celery_tasks.connect(cluster)
        return DyingEngine(engine, name, int(number), ENDS[when]) if when in ENDS else engine

    while Job.objects.filter(pk=job_id, status__in=[JobStatus.PENDING, JobStatus.RUNNING]).exists():
        try:
            runner.advance(
                job_id=job_id,
                workflow=workflow,
                connect=connect,
                owner=f"worker:{os.getpid()}",
                slice_seconds=20,
            )
        except OperationalError as error:
            sys.stderr.write(f"{error}\n")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.stdin.read()
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
