"""Every point of a job, found by letting one run record its way; and the runs that follow from it."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.faults.nursery import Report
from tests.faults.scenario import CALL_FAULTS, READ_FAULTS, UNCOMMITTED, Deed, Scenario


class Plays(Protocol):
    """Whatever can play a scenario, which is given as one line of JSON."""

    def run(self, scenario_text: str) -> Report:
        """Play it."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way through a job: a stage, what happens on it first, and the points that follow that, in order."""

    stage: str
    ending: str
    first: tuple[Deed, ...]
    points: tuple[str, ...] = field(repr=False)

    def scenario(self, *deeds: Deed) -> Scenario:
        """The same way with more happening on it."""
        return Scenario(stage=self.stage, deeds=(*self.first, *deeds))


@dataclass(frozen=True, kw_only=True)
class _Turn:
    """Where a way leaves the straight one: ``kind`` happens at the first point with this label."""

    kind: str
    at: str
    what: str = ""
    status: str


ENDINGS: dict[str, _Turn | None] = {
    "forward": None,
    "cancelled": _Turn(kind="cancel", at="done forward release", status="cancelled"),
    "restored": _Turn(kind="restore", at="done forward create", status="cancelled"),
    "drifted": _Turn(kind="edit", what="web", at="begin forward check", status="failed"),
    "unallocated": _Turn(kind="refuse", at="before POST /networks/create", status="failed"),
}

WAYS = (
    *itertools.product(("stop", "unpublish"), ENDINGS),
    ("repair", "forward"),
    ("repair", "cancelled"),
    ("repair_twice", "forward"),
    ("repair_twice", "cancelled"),
    ("connect", "forward"),
    ("connect", "cancelled"),
    ("containers", "forward"),
    ("containers", "cancelled"),
    ("create", "forward"),
    ("create", "cancelled"),
    ("create", "unallocated"),
    ("init", "forward"),
    ("init", "cancelled"),
    ("delete", "forward"),
    ("delete", "cancelled"),
    ("replace", "forward"),
    ("replace", "cancelled"),
    ("replace", "unallocated"),
    ("same_name", "forward"),
    ("same_name", "cancelled"),
    ("same_name", "unallocated"),
)
"""All ways that there are: stage and ending."""
_AT_INSTEAD = {
    "repair": {"done forward release": "begin forward restart-2"},
    "connect": {"done forward release": "after POST /services/*/update"},
    "containers": {"done forward release": "after POST /networks/*/connect"},
    "create": {"done forward release": "after POST /networks/create"},
    "init": {"done forward release": "begin forward initialise"},
    "delete": {"done forward release": "begin forward check"},
    "replace": {"done forward release": "done forward leave-1"},
    "same_name": {"done forward release": "done forward leave-1"},
}
"""Where the way leaves a job that takes nothing off the ingress."""


def way(nursery: Plays, *, stage: str, ending: str) -> Way:
    """Record the way. Raises AssertionError if it does not end as it has to when nothing else happens."""
    turn = ENDINGS[ending]
    if turn is None:
        return Way(stage=stage, ending=ending, first=(), points=_recorded(nursery, stage, (), "succeeded"))
    straight = _recorded(nursery, stage, (), "succeeded")
    at = turn.at if turn.at in straight else _AT_INSTEAD[stage][turn.at]
    first = (Deed(kind=turn.kind, what=turn.what, after=straight.index(at)),)
    points = _recorded(nursery, stage, first, turn.status)
    return Way(stage=stage, ending=ending, first=first, points=points[first[0].after + 1 :])


def _recorded(nursery: Plays, stage: str, deeds: tuple[Deed, ...], status: str) -> tuple[str, ...]:
    report = nursery.run(Scenario(stage=stage, deeds=deeds, record=True).to_json())
    assert not report.problems, report.problems
    assert report.status == status, f"the way with {deeds} ended as {report.status}"
    return tuple(report.points)


def kills(found: Way, indexes: Iterable[int] | None = None) -> Iterator[Scenario]:
    """A worker killed at each point."""
    for index in range(len(found.points)) if indexes is None else indexes:
        yield found.scenario(Deed(kind="kill", after=index))


def freezes(found: Way, indexes: Iterable[int] | None = None) -> Iterator[Scenario]:
    """A worker frozen past its lease at each point; woken as soon as another has the job, or when that is over."""
    for index in range(len(found.points)) if indexes is None else indexes:
        if not found.points[index].startswith(UNCOMMITTED):
            yield found.scenario(Deed(kind="freeze" if index % 2 else "freeze_long", after=index))


def calls(found: Way, indexes: Iterable[int] | None = None) -> Iterator[Scenario]:
    """Each call going wrong in each way that makes a difference to it."""
    for index in range(len(found.points)) if indexes is None else indexes:
        label = found.points[index]
        if label.startswith("before "):
            kinds = READ_FAULTS if label.startswith(_POLLS) else CALL_FAULTS
            yield from (found.scenario(Deed(kind="call", after=index, what=kind)) for kind in kinds)


def distinct(points: Sequence[str]) -> list[int]:
    """The indexes of all points but those of a poll that asks again what was asked since the last change."""
    found: list[int] = []
    asked: set[str] = set()
    for index, label in enumerate(points):
        if not label.startswith(_POLLS):
            asked.clear()
        elif label in asked:
            continue
        asked.add(label)
        found.append(index)
    return found


_POLLS = ("before GET ", "after GET ")


def spread(points: Sequence[str], count: int) -> list[int]:
    """So many indexes at most, of the distinct ones, evenly thinned out."""
    found = distinct(points)
    step = max(1.0, len(found) / count)
    return [found[int(number * step)] for number in range(min(count, len(found)))]


def failures(nursery: Plays, scenarios: Iterable[Scenario], *, status: str = "") -> list[str]:
    """Play them all; what broke, and how to repeat it. ``status``: how each has to end, where there is one way only."""
    broken = []
    for scenario in scenarios:
        report = nursery.run(scenario.to_json())
        if report.problems or (status and report.status != status):
            broken.append(complaint(report, status))
    return broken


def complaint(report: Report, status: str = "") -> str:
    """What broke in a run, in words, and the command that repeats it."""
    wrong = [*report.problems, *([f"ended as {report.status}"] if status and report.status != status else [])]
    story = "; ".join(report.done)
    return f"{story}: {' '.join(wrong)}\n    python -m bench.faults --scenario '{report.scenario}'"


def ends_as(ending: str) -> str:
    """The status that a job on this way has to end with."""
    turn = ENDINGS[ending]
    return turn.status if turn else "succeeded"
