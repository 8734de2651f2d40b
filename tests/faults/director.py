"""One run: a Swarm, a database, a queue of messages, workers one after the other, and the deeds of a scenario.

The director is the sweep, the worker's parent, the stranger, the person at the page and the operator at the nodes.
It does nothing to the job but what those do.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.contrib.auth.models import User
from django.db import DatabaseError, connections

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.engine import connection
from overlayweb.models import Job
from overlayweb.services import jobs
from overlayweb.services.jobs import NotPossibleError
from tasks.app import app
from tests.faults import asked, crew, disks, stage, stages, strangers
from tests.faults.scenario import UNCOMMITTED, Deed, Scenario
from tests.faults.stage import Template
from tests.faults.story import Story, rows_of
from tests.faults.timeline import Shared
from tests.support.simulator import Simulated

LEASE_AND_MORE = 11.0
RESUMES_WITHIN = 15.0
"""Seconds of the product's clock from the death of a worker until another one has the job."""
STUCK_SECONDS = 3 * 3600.0
"""Seconds of the product's clock after which a job counts as stuck."""
HANGS_SECONDS = 240.0
"""The same in real time."""
LOOK_SECONDS = 0.25
"""How often it is looked whether the job is stuck, while a worker neither stops nor ends."""
_CHILD = {signal.SIGCHLD}
FULL_SECONDS = 30.0
SAID_LEASE = "a heartbeat said so, too"
SAID_FULL = "a worker said whose disk is full, and what to do"
VISITS = 4
"""So often the operator does what a job asks for."""


class Run:
    """One scenario from the first message to the last event."""

    def __init__(self, scenario: Scenario, template: Template, folder: Path) -> None:
        self.scenario = scenario
        self.template = template
        self.folder = folder
        self.shared = Shared()
        self.story = Story()
        self._deeds = list(scenario.deeds)
        self._workers = 0
        self._frozen: list[tuple[int, str]] = []
        self._killed_at: float | None = None
        self._late = False
        self._crashed: set[str] = set()
        self._began = time.monotonic()
        self._obeyed: set[int] = set()
        self._pids: set[int] = set()
        self.disk = disks.SmallDisk(stage.database_path(folder).parent)
        self._room_at: float | None = None
        self.engine = Simulated(path=stage.socket_path(folder), process=None)  # type: ignore[arg-type]  # ours

    def play(self) -> Story:
        """Begin, let the job be carried on until it is over or stuck, and end what was started."""
        self._set_up()
        signal.pthread_sigmask(signal.SIG_BLOCK, _CHILD)  # kept until it is waited for
        try:
            self._arm()
            while not self._over():
                self._take_message()
            self._wake()
            self._deliver_late()
            if self._room_at is not None:
                self._make_room()
            self.shared.slow = 0.0
            self.engine.control("faults", rules=[])  # what was to befall a call that never came
            for node in sorted(self._crashed):
                self.restart(node)
            self.story.status = self.job().status
        except AssertionError as error:
            self.story.problems.append(str(error))
        return self.story

    def close(self) -> None:
        """End all processes of the run."""
        connections.close_all()
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._pids.clear()
        self.disk.unmount()

    @property
    def now(self) -> datetime:
        """The product's clock."""
        return self.template.epoch + timedelta(seconds=self.shared.seconds)

    def job(self) -> Job:
        """As it is now."""
        return Job.objects.select_related("cluster", "change").get(pk=self.template.job_id)

    # The parts of an installation

    def _set_up(self) -> None:
        self.shared.seconds = self.shared.began = self.template.simulation.world.now
        disk = stage.database_path(self.folder).parent
        disk.mkdir()
        if "full" in self.scenario.kinds:
            self.disk.mount()
        stage.use_database(stage.database_path(self.folder))
        shutil.copy(self.template.database, disk)
        queue = self.folder / "messages"
        app.conf.broker_transport_options |= {"data_folder_in": str(queue), "data_folder_out": str(queue)}
        app._after_fork()  # type: ignore[attr-defined]  # forget the queue of the process that this one comes from
        self._pids.add(crew.start_engine(self.template.simulation, shared=self.shared, folder=self.folder))
        while not stage.is_served(self.folder, self.template.simulation.world):
            self._check_time()
            time.sleep(0.002)
        job = self.job()
        job.cluster.endpoint = self.engine.socket
        job.cluster.save(update_fields=["endpoint"])
        for row in job.cluster.node_endpoints.all():
            row.endpoint = self.engine.node_sockets[row.hostname]
            row.save(update_fields=["endpoint"])

    def _over(self) -> bool:
        self._check_time()
        job = self.job()
        if job.status == JobStatus.NEEDS_OPERATOR:
            self._wake()
            return not self._visit(job)
        return job.ended

    def _check_time(self) -> None:
        gone = self.shared.seconds - self.template.simulation.world.now
        assert gone < STUCK_SECONDS, f"stuck: {gone:.0f} s have passed, {self.last_words()}"
        assert time.monotonic() - self._began < HANGS_SECONDS, f"hangs at {self.shared.label}: {self.last_words()}"

    def last_words(self) -> str:
        """The last thing that the job said."""
        last = self.job().events.order_by("-seq").first()
        return f"the last event is {str(last)!r}"

    def _take_message(self) -> None:
        """The next message goes to a worker; without one the sweep has its tick."""
        for path in sorted((self.folder / "messages").glob("*.msg")):
            text = path.read_text()
            path.unlink()
            if path.name.endswith(".jobs.msg"):
                self._work(stage.job_id_of(text))
                return
        self._restart_what_is_asked_for()
        self.shared.pass_(1.0)
        if self._room_at is not None and self.shared.seconds >= self._room_at:
            self._make_room()
        with contextlib.suppress(DatabaseError):  # as `manage.py sweep` does: the next tick comes
            jobs.ring_due(now=self.now)

    def fill(self) -> None:
        """No room on the disk of the database any more, until half a minute later somebody makes some."""
        self.disk.fill()
        self._room_at = self.shared.seconds + FULL_SECONDS

    def _make_room(self) -> None:
        self._room_at = None
        self.disk.make_room()
        words = f"the disk of its database {stage.database_path(self.folder)} is full. Free room there"
        said = (self.folder / "log").read_text()
        if words in said:
            self.story.done.append(SAID_FULL)
        if f"lease not renewed: {words}" in said:
            self.story.done.append(SAID_LEASE)
        if "Traceback" in said:
            self.story.problems.append(f"a full disk is logged with a traceback: {said[-2000:]}")

    def _start_worker(self, job_id: int) -> tuple[int, str]:
        self._workers += 1
        name = f"w{self._workers}"
        pid = crew.start_worker(
            job_id,
            name=name,
            shared=self.shared,
            epoch=self.template.epoch,
            folder=self.folder,
            scenario=self.scenario,
        )
        self._pids.add(pid)
        return pid, name

    def _work(self, job_id: int) -> None:
        epoch = self.job().epoch
        pid, name = self._start_worker(job_id)
        # A successor stops at its first point, the claim, when there is something to be seen there.
        if self._watched():
            self.shared.gap = 0
            if not self._stopped(pid):
                self._arm()
                return
            self._succeeded(epoch)
            self._arm()
            os.kill(pid, signal.SIGCONT)
        while self._stopped(pid):
            if not self._act(pid, name):
                return

    def _watched(self) -> bool:
        return self._killed_at is not None or bool(self._frozen)

    def _arm(self) -> None:
        self.shared.gap = self._deeds[0].after if self._deeds else -1

    def _stopped(self, pid: int) -> bool:
        """Wait until the worker stops itself or ends; False when it has ended."""
        while True:
            found, status = os.waitpid(pid, os.WUNTRACED | os.WNOHANG)
            if found and os.WIFSTOPPED(status):
                return True
            if found:
                self._pids.discard(pid)
                code = os.waitstatus_to_exitcode(status)
                assert code in {0, crew.FAILED, -signal.SIGKILL}, f"a worker ended with {code}"
                return False
            self._check_time()
            signal.sigtimedwait(_CHILD, LOOK_SECONDS)

    def _succeeded(self, epoch: int) -> None:
        """A successor has the job: how long did it take; wake who was frozen, while the successor stands."""
        if self.job().epoch == epoch:
            return
        if self._killed_at is not None:
            self.story.resumed_after.append(self.shared.seconds - self._killed_at)
            self._killed_at = None
        for pid, name in [*self._frozen]:
            self.story.taken_over.append((name, self.shared.seconds))
            if not name.endswith("!"):
                self._thaw(pid, name)
        self._deliver_late()

    def _act(self, pid: int, name: str) -> bool:
        """Do the next deed while the worker stands at its point; False when that was the worker's end."""
        deed = self._deeds[0]
        if self.shared.label.startswith(UNCOMMITTED) and deed.kind != "kill":
            self.shared.gap = 0  # nobody else could write now: at the next point
            os.kill(pid, signal.SIGCONT)
            return True
        self._deeds.pop(0)
        self.story.done.append(f"{deed.kind} {deed.what} at {self.shared.label}".replace("  ", " "))
        goes_on = self._do(deed, pid, name)
        self._arm()
        if goes_on:
            os.kill(pid, signal.SIGCONT)
        return goes_on

    def _do(self, deed: Deed, pid: int, name: str) -> bool:
        match deed.kind:
            case "kill":
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self._pids.discard(pid)
                self._killed_at = self.shared.seconds
                return False
            case "freeze" | "freeze_long":
                self._frozen.append((pid, name if deed.kind == "freeze" else f"{name}!"))
                self.shared.pass_(LEASE_AND_MORE)
                return False
            case "double":
                self._second_message()
            case "late":
                self._late = True
            case _:
                DEEDS[deed.kind](self, deed.what)
        return True

    def _second_message(self) -> None:
        """The same message once more, to another worker, while the first one stands in its work."""
        passed, epoch = self.shared.label, self.job().epoch
        pid, _ = self._start_worker(self.template.job_id)
        self.shared.gap = -1
        assert not self._stopped(pid)
        assert self.job().epoch == epoch, f"two workers at once at {passed}"

    def _deliver_late(self) -> None:
        """The message that was kept comes now, out of its turn, to a worker that must find nothing to do."""
        if not self._late:
            return
        before = rows_of(self.job())
        pid, name = self._start_worker(self.template.job_id)
        self.shared.gap = -1
        assert not self._stopped(pid)
        assert rows_of(self.job()) == before, f"{name} got a late message and wrote to the ledger"

    def _thaw(self, pid: int, name: str) -> None:
        self._frozen.remove((pid, name))
        gap, self.shared.gap = self.shared.gap, -1
        before = rows_of(self.job())
        os.kill(pid, signal.SIGCONT)
        assert not self._stopped(pid)
        assert rows_of(self.job()) == before, f"{name} woke up and wrote to the ledger"
        self.shared.gap = gap

    def _wake(self) -> None:
        for pid, name in [*self._frozen]:
            self._thaw(pid, name)

    # People

    def _visit(self, job: Job) -> bool:
        """The operator does what the job says, and says so. False when there is nothing that can be done."""
        assert len(self.story.visits) < VISITS, f"asks again and again: {job.attention}"
        self.story.visits.append(" ".join(job.attention))
        todo = asked.read(job.attention, nodes=self.template.simulation.world.node_names)
        if not todo and not self._crashed:
            self.story.problems.append(f"asks for nothing that can be done: {job.attention}")
            return False
        for network_id in todo.removals:
            with connection.connect(connection.Endpoint(url=self.engine.socket)) as engine:
                engine.remove_network(network_id)
        for name in todo.restarts or ([] if todo else sorted(self._crashed)):
            self.restart(name)
        self.shared.pass_(20.0)
        jobs.resume(job=job, person=User.objects.get(username="ben"), now=self.now)
        return True

    def _restart_what_is_asked_for(self) -> None:
        """The operator reads the job's page and restarts the engines that it names, each once asked."""
        for seq, node in self.job().events.filter(kind="restart").values_list("seq", "subject"):
            if seq not in self._obeyed:
                self._obeyed.add(seq)
                self.restart(node)

    def restart(self, node: str) -> None:
        """Restart the daemon of a node, or bring the machine up."""
        if node in self._crashed:
            self._crashed.discard(node)
            self.engine.control("start_node", name=node)
        else:
            self.engine.control("restart_daemon", name=node)

    def wish(self, ask: str) -> None:
        """A person asks for the other ending. Where the page would not offer it, nothing is asked."""
        job, person = self.job(), User.objects.get(username="ben")
        try:
            (jobs.cancel if ask == "cancel" else jobs.restore)(job=job, person=person, now=self.now)
        except NotPossibleError:
            self.story.done.append(f"{ask} was not possible")

    def crash(self, node: str) -> None:
        """A node goes away without a word."""
        self._crashed.add(node)
        self.engine.control("crash_node", name=node)

    def refuse(self) -> None:
        """What the job asks for is never allocated."""
        for subnet in stages.ASKED_FOR:
            self.engine.control("fail_allocation", subnet=subnet)

    def strike(self, kind: str) -> None:
        """The next call goes wrong."""
        if kind == "slow":
            self.shared.slow = 8.0
            return
        if "timeout" in kind:
            self.shared.slow = 10.0  # the client waits for so long, by its clock
        self.engine.control("faults", rules=[{"kind": kind}])

    def lose_messages(self) -> None:
        """Whatever was queued is gone."""
        for path in (self.folder / "messages").glob("*"):
            path.unlink()


DEEDS: dict[str, Callable[[Run, str], None]] = {
    "cancel": lambda run, _: run.wish("cancel"),
    "restore": lambda run, _: run.wish("restore"),
    "call": Run.strike,
    "crash": Run.crash,
    "daemon": Run.restart,
    "edit": strangers.edit,
    "deploy": strangers.deploy,
    "ingress": strangers.add_ingress,
    "refuse": lambda run, _: run.refuse(),
    "full": lambda run, _: run.fill(),
    "lose": lambda run, _: run.lose_messages(),
}
