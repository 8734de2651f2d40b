"""Frozen domain records to JSON text and back."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from overlayweb.domain.planners import KINDS
from overlayweb.domain.plans import Plan
from overlayweb.domain.specs import canonical

T = TypeVar("T")


def dump(record: object) -> str:
    """Canonical JSON text of a frozen record; datetimes as ISO 8601."""
    return canonical(msgspec.to_builtins(record))


def load(text: str, kind: type[T]) -> T:
    """The record that :func:`dump` wrote. Raises ``msgspec.MsgspecError`` when the text is of another shape."""
    return msgspec.json.decode(text, type=kind)


def load_plan(text: str) -> Plan:
    """The plan that :func:`dump` wrote, as one of the class of its kind."""
    return load(text, KINDS[load(text, _Kind).kind].plan)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Of a plan its kind alone; the rest is not read for that."""

    kind: str
