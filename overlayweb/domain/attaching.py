"""Which networks a service's spec attaches it to, and the spec with others in their place.

An attachment is one row of ``TaskTemplate.Networks``: ``Target`` (the network's full id), ``Aliases``, ``DriverOpts``.
Before API 1.25 the rows were in the spec's own ``Networks``; an engine refuses to change them there.
"""

from collections.abc import Collection, Sequence
from typing import Any

from overlayweb.domain.specs import Document, Spec


def networks_of(spec: Spec) -> tuple[str, ...]:
    """Full ids of the networks that the spec attaches to, in its order."""
    document = spec.document()
    rows = _rows(document) or document.get("Networks") or ()
    return tuple(row["Target"] for row in rows)


def in_old_place(spec: Spec) -> bool:
    """Whether the spec names networks only where old clients wrote them."""
    document = spec.document()
    return bool(document.get("Networks")) and not _rows(document)


def moved(spec: Spec, *, known: Collection[str], wanted: Sequence[str]) -> Spec:
    """The spec attached to ``wanted`` where it was attached to any of ``known``, all full ids.

    The first attachment to a known one is the pattern: aliases and per-network options are carried over to each that
    is new. Attachments to other networks, and one of ``wanted`` that is there, stay as they are and where they are. A
    spec that is attached to none of ``known`` comes back as it is.
    """
    document = spec.document()
    rows = _rows(document)
    there = {row["Target"]: row for row in rows if row["Target"] in known}
    if not there:
        return spec
    pattern = next(iter(there.values()))
    put: list[Document] = [there.get(key) or {**pattern, "Target": key} for key in wanted]
    result: list[Document] = []
    for row in rows:
        if row["Target"] not in known:
            result.append(row)
        elif put:
            result += put
            put = []
    document["TaskTemplate"]["Networks"] = result
    return Spec.of(document)


def _rows(document: Document) -> list[Any]:
    return (document.get("TaskTemplate") or {}).get("Networks") or []
