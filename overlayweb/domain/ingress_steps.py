"""The steps of an ingress rebuild, in order, with what each is expected to take."""

from collections.abc import Sequence

from overlayweb.domain.estimates import Timings
from overlayweb.domain.plans import Effect, IngressSettings, PlannedStep
from overlayweb.domain.swarm import Swarm

CHECK_ANSWERS = 6
"""Answers of the manager that an observation takes: swarm, nodes, networks, services, tasks, own container."""


def steps(
    *, swarm: Swarm, effects: Sequence[Effect], after: IngressSettings, timings: Timings, has_ingress: bool
) -> tuple[PlannedStep, ...]:
    """All eight steps in order; without an ingress those that only undo one are left out.

    From ``release`` to ``publish`` they add up to the time until the last service is back: as slow to leave as the
    slowest, and as late to come as the last in turn.
    """
    answer = timings.answer(swarm).seconds
    updates = len(effects) * answer
    first, last = _release_spread(effects)
    laid = [
        _step("check", "Check the cluster", CHECK_ANSWERS * answer),
        _step("record", _record_title(len(effects), has_ingress=has_ingress), 0.1),
        _step("release", f"Take {_services(len(effects))} off the ingress", last - first + updates),
        _step("drain", "Wait until every node let go", _longest(effects, "drain") - (last - first)),
        _step("remove", "Remove the old ingress", timings.remove.seconds + answer, point_of_no_return=True),
        _step("create", f"Create ingress {after.subnet}", timings.create.seconds + answer),
        _step("publish", "Bring services back", _longest(effects, "publish") + (updates or answer)),
        _step("verify", "Verify and restore settings", timings.verify.seconds + updates),
    ]
    return tuple(step for step in laid if step.name in _needed(has_ingress=has_ingress, has_effects=bool(effects)))


def _needed(*, has_ingress: bool, has_effects: bool) -> frozenset[str]:
    always = {"check", "record", "create", "verify"}
    if has_ingress:
        return frozenset(always | {"release", "drain", "remove", "publish"})
    return frozenset(always | {"release", "drain", "publish"}) if has_effects else frozenset(always)


def _step(name: str, title: str, seconds: float, *, point_of_no_return: bool = False) -> PlannedStep:
    return PlannedStep(
        name=name,
        title=title,
        expected_seconds=round(max(seconds, 0.0), 2),
        point_of_no_return=point_of_no_return,
    )


def _release_spread(effects: Sequence[Effect]) -> tuple[float, float]:
    offsets = [effect.release_after_seconds for effect in effects] or [0.0]
    return min(offsets), max(offsets)


def _longest(effects: Sequence[Effect], step: str) -> float:
    spent = (sum(term.seconds for term in effect.terms if term.step == step) for effect in effects)
    return max(spent, default=0.0)


def _services(number: int) -> str:
    return {0: "no service", 1: "1 service"}.get(number, f"{number} services")


def _record_title(number: int, *, has_ingress: bool) -> str:
    recorded = [_services(number)] if number else []
    recorded += ["the old ingress"] if has_ingress else []
    return f"Record {' and '.join(recorded) or 'the cluster as it is'}"
