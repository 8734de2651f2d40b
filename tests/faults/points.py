"""The points of a worker's way at which it can be stopped: around each step, each call, each commit."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from requests import PreparedRequest, Response, Session

from overlayweb.engine import connection, transport
from overlayweb.models import Job
from overlayweb.workflows import claims
from overlayweb.workflows.claims import Claim
from overlayweb.workflows.ledger import Entry, Ledger
from overlayweb.workflows.runner import Context, Workflow
from tests.faults.scenario import UNCOMMITTED
from tests.faults.timeline import Shared

WORKER_HEADER = "X-Worker"
_ID = re.compile(r"[0-9a-z]{25}")


class Points:
    """Counts the points that one worker passes; stops its process with SIGSTOP where the run wants it."""

    def __init__(self, *, shared: Shared, worker: str, record: Path | None) -> None:
        self._shared = shared
        self._record = record
        self.worker = worker

    def __call__(self, label: str) -> None:
        """Pass a point."""
        shared = self._shared
        shared.passed += 1
        shared.label = label
        if self._record is not None:
            with self._record.open("a") as file:
                file.write(f"{label}\n")
        if shared.gap == 0:
            shared.gap = -1
            os.kill(os.getpid(), signal.SIGSTOP)
        elif shared.gap > 0:
            shared.gap -= 1

    def install(self) -> None:
        """Put the points into this process: the claim, every ledger commit, every call on every connection."""
        self._around_claims()
        self._around_commits()
        self._around_calls()

    def workflow(self, workflow: Workflow) -> Any:
        """The workflow with a point before and after each step."""
        return _Pointed(workflow, self)

    def _around_claims(self) -> None:
        claim, release = claims.claim, claims.release

        def claimed(**asked: Any) -> Claim | None:
            won = claim(**asked)
            if won is not None:
                self("claimed")
            return won

        def released(mine: Claim, **asked: Any) -> None:
            self("before release")
            release(mine, **asked)
            self("after release")

        claims.claim, claims.release = claimed, released

    def _around_commits(self) -> None:
        entry = Ledger.entry

        @contextmanager
        def pointed(ledger: Ledger, name: str) -> Iterator[Entry]:
            with entry(ledger) as opened:
                yield opened
                self(f"{UNCOMMITTED} {name}")
            self(f"committed {name}")

        def called(ledger: Ledger) -> AbstractContextManager[Entry]:
            return pointed(ledger, sys._getframe(1).f_code.co_name)

        setattr(Ledger, "entry", called)  # noqa: B010  # for this process only, which is made for it

    def _around_calls(self) -> None:
        open_session = transport.open_session

        def opened(endpoint: connection.Endpoint) -> tuple[Session, str]:
            session, base = open_session(endpoint)
            session.headers[WORKER_HEADER] = self.worker
            send = session.send
            session.send = lambda request, **how: self._send(send, request, **how)  # type: ignore[method-assign]
            return session, base

        setattr(connection, "open_session", opened)  # noqa: B010  # imported there, for this process only

    def _send(self, send: Callable[..., Response], request: PreparedRequest, **how: Any) -> Response:
        path = _ID.sub("*", request.path_url.partition("?")[0]).replace("http+docker://localhost", "")
        call = f"{request.method} /{path.partition('/v1.')[2].partition('/')[2] or path.lstrip('/')}"
        self(f"before {call}")
        answer = send(request, **how)
        self(f"after {call}")
        return answer


class _Pointed:
    def __init__(self, workflow: Workflow, points: Points) -> None:
        self._workflow, self._points = workflow, points

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workflow, name)

    def run(self, name: str, context: Context) -> str:
        """The step, with a point on either side."""
        self._points(f"begin {context.current_pass} {name}")
        detail = self._workflow.run(name, context)
        self._points(f"done {context.current_pass} {name}")
        return detail


def kind_of(job_id: int) -> str:
    """The kind of a job's workflow."""
    return Job.objects.values_list("kind", flat=True).get(pk=job_id)
