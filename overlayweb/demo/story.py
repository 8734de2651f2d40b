"""The demo's past: changes that its people asked for, and jobs that really ran, on a simulated Swarm of the past.

Nothing here is made up: the services plan, freeze, approve and queue, the runner carries out step by step, and the
history keeps what they wrote. Only the clock is the story's.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from overlayweb.demo import inside
from overlayweb.demo.people import ANA, BRUNO, CARLA, Part
from overlayweb.demo.times import StoryClock, StoryTime
from overlayweb.domain.plans import IngressRequest, IngressSettings
from overlayweb.models import ChangeRequest, Cluster, Job, codec, forget_seen
from overlayweb.services import approvals, changes, jobs, ranges
from overlayweb.simulator import demo
from overlayweb.simulator.clock import Clock as SimulatedClock
from overlayweb.simulator.simulation import Simulation
from overlayweb.simulator.versions import ENGINES
from overlayweb.workflows import runner
from overlayweb.workflows.registry import WORKFLOWS

ENGINE = "28.5"
MTU = 1450
BEFORE = timedelta(days=60)
"""So long ago its people came, and the story begins."""
OFFICE = "10.20.0.0/16"
READING_SECONDS = 240.0
"""How long whoever approves takes to read the plan."""
CANCELLED_AFTER_SECONDS = 5.0
TAKEN = "10.36.0.0/22"
"""A subnet of which the leader finds, when it is too late, that something has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for on a day of the story."""

    at: datetime
    author: Part
    subnet: str
    why: str


def tell(*, cluster: Cluster, cast: Mapping[Part, User], until: datetime) -> None:
    """Let it all happen, on the days before ``until``; all of it is kept, or nothing."""
    with transaction.atomic():
        stage = _Stage(cluster=cluster, cast=cast, begins=until - BEFORE)
        _moved_off_the_default(stage, until)
        _cancelled_for_a_release(stage, until)
        _fell_back(stage, until)
        _rejected(stage, until)
        why = "routed to the office since its move"
        at = _day(until, 10, "09:00")
        ranges.reserve(cidr=OFFICE, name="Lisbon office", reason=why, cluster=cluster, person=cast[ANA], now=at)
        forget_seen(cluster)


def _moved_off_the_default(stage: "_Stage", until: datetime) -> None:
    why = "10.0.0.0/24 is routed to the data centre in Porto: customers behind it do not reach the shop."
    change = stage.ask(Wish(at=_day(until, 41, "19:04"), author=BRUNO, subnet="10.20.0.0/24", why=why))
    stage.carry_out(stage.approve(change, ANA, "After closing time, as agreed with the shop."))


def _cancelled_for_a_release(stage: "_Stage", until: datetime) -> None:
    why = "Room for the services that payments adds next quarter."
    change = stage.ask(Wish(at=_day(until, 24, "16:31"), author=CARLA, subnet="10.21.0.0/23", why=why))
    job = stage.approve(change, BRUNO, "")
    stage.time.after(CANCELLED_AFTER_SECONDS, partial(stage.cancel, job, CARLA))
    stage.carry_out(job)


def _fell_back(stage: "_Stage", until: datetime) -> None:
    stage.simulation.world.fail_allocation(TAKEN)
    why = "The same room, from the block that was set aside for overlays."
    change = stage.ask(Wish(at=_day(until, 12, "20:12"), author=CARLA, subnet=TAKEN, why=why))
    stage.carry_out(stage.approve(change, ANA, "No release tonight."))


def _rejected(stage: "_Stage", until: datetime) -> None:
    why = "Away from 10.20.0.0/16 before the Lisbon office moves."
    change = stage.ask(Wish(at=_day(until, 5, "10:47"), author=BRUNO, subnet="10.64.0.0/16", why=why))
    stage.reject(change, ANA, "Good idea, wrong block: the VPN hands out 10.64.0.0/16 from March. Ask for another one.")


def _day(until: datetime, days: int, hour: str) -> datetime:
    """So many days before, at this hour: "19:04"."""
    hours, minutes = map(int, hour.split(":"))
    return (until - timedelta(days=days)).replace(hour=hours, minute=minutes, second=12, microsecond=0)


class _Stage:
    """The Swarm of the past, the time in it, and what people do there."""

    def __init__(self, *, cluster: Cluster, cast: Mapping[Part, User], begins: datetime) -> None:
        self.cluster = cluster
        self.cast = cast
        self.time = StoryTime(begins=begins)
        self.simulation = Simulation(
            engine=ENGINES[ENGINE], content=demo.fill_earlier, nodes=0, seed=0, clock=SimulatedClock()
        )
        begun = self.simulation.world.now
        self.simulation.clock = SimulatedClock(wall=lambda: self.time.seconds)
        self.simulation.clock.skip(begun)
        self.engine = inside.engine(simulation=self.simulation, time=self.time)

    def ask(self, wish: Wish) -> ChangeRequest:
        """On that day, somebody asks for another subnet."""
        self.time.leap(to=wish.at)
        self._look()
        return changes.submit(
            cluster=self.cluster,
            request=IngressRequest(settings=IngressSettings(subnet=wish.subnet, mtu=MTU)),
            author=self.cast[wish.author],
            reason=wish.why,
            now=self.time.now(),
        )

    def approve(self, change: ChangeRequest, person: Part, reason: str) -> Job:
        """Somebody reads the plan and approves it."""
        self._read(change)
        sha256, now = change.plan_record.sha256, self.time.now()
        return approvals.approve(change=change, person=self.cast[person], plan_sha256=sha256, reason=reason, now=now)

    def reject(self, change: ChangeRequest, person: Part, reason: str) -> None:
        """Somebody reads the plan and rejects it."""
        self._read(change)
        approvals.reject(change=change, person=self.cast[person], reason=reason, now=self.time.now())

    def cancel(self, job: Job, person: Part) -> None:
        """Somebody cancels the job."""
        jobs.cancel(job=job, person=self.cast[person], now=self.time.now())

    def carry_out(self, job: Job) -> None:
        """The job, by the runner, to its end."""
        result = runner.Result.AGAIN
        while result is runner.Result.AGAIN:
            result = runner.advance(
                job_id=job.pk,
                workflow=WORKFLOWS[job.kind],
                connect=lambda _: self.engine,
                owner="worker",
                clock=StoryClock(time=self.time),
            )

    def _read(self, change: ChangeRequest) -> None:
        self.time.pass_by(READING_SECONDS)
        self._look()
        change.refresh_from_db()

    def _look(self) -> None:
        swarm = self.engine.observe()
        seen = {"observation": codec.dump(swarm), "observed_at": swarm.observed_at, "revision": F("revision") + 1}
        Cluster.objects.filter(pk=self.cluster.pk).update(**seen)
        self.cluster.refresh_from_db()


@contextmanager
def quiet_doorbell() -> Iterator[None]:
    """Nobody has to come for jobs that have ended by the time of the commit: a broker that is away is no matter."""
    doorbell = logging.getLogger("tasks.doorbell")
    before = doorbell.level
    doorbell.setLevel(logging.ERROR)
    try:
        yield
    finally:
        doorbell.setLevel(before)
