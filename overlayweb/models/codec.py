"""Frozen domain records to JSON text and back."""

import json
from typing import TypeVar

from cattrs.preconf.json import make_converter

from overlayweb.domain.planners import KINDS
from overlayweb.domain.plans import Plan
from overlayweb.domain.specs import canonical

T = TypeVar("T")

_converter = make_converter()


def dump(record: object) -> str:
    """Canonical JSON text of a frozen record; datetimes as ISO 8601."""
    return canonical(_converter.unstructure(record))


def load(text: str, kind: type[T]) -> T:
    """The record that :func:`dump` wrote. Raises cattrs' errors when the text is of another shape."""
    return _converter.structure(json.loads(text), kind)


def load_plan(text: str) -> Plan:
    """The plan that :func:`dump` wrote, as one of the class of its kind."""
    document = json.loads(text)
    return _converter.structure(document, KINDS[document["kind"]].plan)
