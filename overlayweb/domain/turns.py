"""In which order services come back onto the ingress: some at once, the others one by one while those start."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from overlayweb.domain.specs import Spec, has_health_check

SLOWER_SECONDS = 2.5
"""A service that is released so much earlier than another one is a slow stopper beside it."""

TURNS_SECONDS = 3.0
"""In which all that can wait have had their turn, however many they are; less where the first ones are back sooner."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turns(Generic[T]):
    """``slow`` and ``checked`` come at once. ``others`` follow one by one until the slow ones are back, then all."""

    slow: tuple[T, ...]
    checked: tuple[T, ...]
    others: tuple[T, ...]


def in_turns(services: Iterable[tuple[T, float, Spec]]) -> Turns[T]:
    """The turns of services, from (what, seconds of its release, its spec) each. Without slow stoppers all are slow.

    Slow stoppers have been dark longest, and the first check of a container's health is waiting and little work.
    """
    in_order = sorted(services, key=lambda service: service[1])
    first = in_order[0][1] if in_order else 0.0
    slow = tuple(what for what, seconds, _ in in_order if seconds <= first + SLOWER_SECONDS)
    late = [(what, has_health_check(spec)) for what, seconds, spec in in_order if seconds > first + SLOWER_SECONDS]
    return Turns(slow, tuple(w for w, checked in late if checked), tuple(w for w, checked in late if not checked))
