"""Which networks a service's spec attaches it to, and the spec with others in their place.

An attachment is one row of ``TaskTemplate.Networks``: ``Target`` (the network's full id), ``Aliases``, ``DriverOpts``.
Before API 1.25 the rows were in the spec's own ``Networks``; an engine refuses to change them there.
"""

from collections.abc import Collection, Mapping, Sequence
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


def linked(spec: Spec, *, attach: Mapping[str, Sequence[str]], detach: Collection[str]) -> Spec:
    """The spec attached to each network of ``attach`` with these aliases, and to none of ``detach``, all full ids.

    Rows of other networks stay as they are and where they are, and so does one of ``attach`` that is there. Rows in the
    deprecated place move to the task template, as the ``docker`` command moves them. Nothing to do: the same spec.
    """
    document = spec.document()
    before = _rows(document) or document.get("Networks") or []
    kept = [row for row in before if row["Target"] not in detach]
    there = {row["Target"] for row in kept}
    new: list[Document] = [
        {"Target": key, "Aliases": [*aliases]} if aliases else {"Target": key}
        for key, aliases in attach.items()
        if key not in there
    ]
    return spec if len(kept) == len(before) and not new else _with_rows(document, [*kept, *new])


def unlinked(spec: Spec, *, original: Spec, networks: Collection[str]) -> Spec:
    """The spec attached to each of ``networks`` exactly as ``original`` is, and to all others as it is."""
    was = original.document()
    rows = _rows(was) or was.get("Networks") or []
    document = spec.document()
    now = _rows(document) or document.get("Networks") or []
    others = {row["Target"]: row for row in now if row["Target"] not in networks}
    put = [others.pop(row["Target"], row) for row in rows if row["Target"] in networks or row["Target"] in others]
    put += others.values()
    return spec if put == now else _with_rows(document, put)


def _with_rows(document: Document, rows: list[Document]) -> Spec:
    document.pop("Networks", None)
    template = document.setdefault("TaskTemplate", {})
    template["Networks"] = rows
    if not rows:
        del template["Networks"]  # as the engine gives it back
    return Spec.of(document)


def _rows(document: Document) -> list[Any]:
    return (document.get("TaskTemplate") or {}).get("Networks") or []
