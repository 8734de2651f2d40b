"""A workflow that ends each step as it is told, so that a walk can lead the real runner through every turn."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import Plan, PlannedStep
from overlayweb.engine.errors import EngineUnreachable, Refused
from overlayweb.models import Cluster
from overlayweb.workflows.clock import Clock
from overlayweb.workflows.runner import Context, OperatorNeededError, StepFailedError


class StepEnd(StrEnum):
    """How a step ends."""

    DONE = "done"
    FAILED = "failed"
    BY_HAND = "by_hand"
    BUG = "bug"
    REFUSED = "refused"
    NOTHING_REMOVED = "nothing_removed"
    """The engine refused the removal after the point of no return was written down."""


class Way(StrEnum):
    """What the look at the cluster finds when a job turns back."""

    NOTHING_CHANGED = "nothing_changed"
    PUT_BACK = "put_back"
    RESTORE = "restore"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class SteppedClock(Clock):
    """A clock that stands still until somebody moves it. Waiting moves it."""

    state: dict[str, float] = field(default_factory=lambda: {"seconds": 0.0})

    def now(self) -> datetime:
        return datetime(2026, 3, 3, 12, tzinfo=UTC) + timedelta(seconds=self.state["seconds"])

    def monotonic(self) -> float:
        return self.state["seconds"]

    def sleep(self, seconds: float) -> None:
        self.state["seconds"] += seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if threading.current_thread() is not threading.main_thread():
            return event.wait()  # a heartbeat; the slice is over before its lease matters
        self.sleep(seconds)
        return event.is_set()


SLICE = 10.0


class Scripted:
    """Two steps forward, the second beyond the point of no return; one step for each way back."""

    kind = "scripted"

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.step_end = StepEnd.DONE
        self.way = Way.PUT_BACK

    def steps(self, current_pass: Pass, plan: Plan) -> tuple[PlannedStep, ...]:
        """The steps of the direction."""
        del plan
        names = ("prepare", "remove") if current_pass is Pass.FORWARD else (f"{current_pass}_step",)
        return tuple(PlannedStep(name=name, title=name, expected_seconds=1) for name in names)

    def run(self, name: str, context: Context) -> str:
        """End as told. The slice is over with it."""
        if name == "remove":
            context.ledger.pass_point_of_no_return(context.step)
        self.clock.sleep(2 * SLICE)
        match self.step_end:
            case StepEnd.FAILED:
                raise StepFailedError("A foreseen failure.")
            case StepEnd.BY_HAND:
                raise OperatorNeededError(["Restart node3."])
            case StepEnd.BUG:
                raise ZeroDivisionError("a bug")
            case StepEnd.REFUSED:
                raise Refused("The engine refuses.")
            case StepEnd.NOTHING_REMOVED if name == "remove":
                context.ledger.take_back_point(context.step)
                raise StepFailedError("The engine refuses to remove it.")
        return "done"

    def way_back(self, context: Context) -> Pass | None:
        """Turn as told. The slice is over with it."""
        del context
        self.clock.sleep(2 * SLICE)
        match self.way:
            case Way.REFUSED:
                raise Refused("The engine refuses.")
            case Way.UNREACHABLE:
                raise EngineUnreachable("No answer.")
            case Way.NOTHING_CHANGED:
                return None
        return Pass(self.way)

    def turning(self, way: Pass) -> str:
        """What is said when the job turns back that way."""
        return str(way)

    def outcome(self, current_pass: Pass, plan: Plan) -> str:
        """One sentence."""
        del plan
        return f"Came to the end of {current_pass}"


class NoEngine:
    """What the scripted workflow is handed: it asks nothing of it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def close(self) -> None:
        """Nothing is open."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the engine was asked to {name}")
