"""Reserved ranges as a CSV file: read whole or not at all, with every error at its line; and written.

Columns: ``cidr``, ``name``, ``reason``, ``owner``, named in the first line, in any order; the last two may be missing.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from overlayweb.domain import subnets
from overlayweb.domain.specs import canonical

COLUMNS = ("cidr", "name", "reason", "owner")
NEEDED = ("cidr", "name")
LONGEST = {"cidr": 18, "name": 63, "reason": 255, "owner": 63}
MOST_ROWS = 5000

_FORMULA = ("=", "+", "-", "@")
"""A spreadsheet computes a field that begins so; it is written with an apostrophe, which reading takes off again."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FiledRange:
    """One line. All text; ``cidr`` is an IPv4 subnet without host bits."""

    cidr: str
    name: str
    reason: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineError:
    """What is wrong with a line of the file, counted from 1 with the heading; ``line`` 0 for the file itself."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A range that is there and would say something else."""

    before: FiledRange
    after: FiledRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a file would do. With ``errors`` it does nothing. Ranges that it does not name stay as they are."""

    errors: tuple[LineError, ...] = ()
    added: tuple[FiledRange, ...] = ()
    changed: tuple[Changed, ...] = ()
    same: tuple[FiledRange, ...] = ()

    @property
    def seal(self) -> str:
        """What is to be confirmed, as text: equal only for the same additions and changes."""
        rows = ([row.cidr, row.name, row.reason, row.owner] for row in self.added)
        turned = ([[r.cidr, r.name, r.reason, r.owner] for r in (row.before, row.after)] for row in self.changed)
        return canonical([list(rows), list(turned)])


def read(*, text: str, existing: Iterable[FiledRange]) -> Reading:
    """Compare the file with what is there; a range is the same range when its CIDR is."""
    rows, errors = _parsed(text)
    errors = [*errors, *_twice(rows)]
    if errors:
        return Reading(errors=tuple(sorted(errors, key=lambda error: error.line)))
    there = {row.cidr: row for row in existing}
    wanted = [row for _, row in rows]
    return Reading(
        added=tuple(row for row in wanted if row.cidr not in there),
        changed=tuple(
            Changed(before=there[row.cidr], after=row) for row in wanted if row.cidr in there and there[row.cidr] != row
        ),
        same=tuple(row for row in wanted if there.get(row.cidr) == row),
    )


def write(rows: Iterable[FiledRange]) -> str:
    """The file that says these ranges; reading it gives them back."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(_guarded(field) for field in (row.cidr, row.name, row.reason, row.owner))
    return stream.getvalue()


def _parsed(text: str) -> tuple[list[tuple[int, FiledRange]], list[LineError]]:
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[tuple[int, FiledRange]] = []
    errors: list[LineError] = []
    try:
        heading = [title.strip().lower() for title in next(lines, [])]
        if wrong := _heading_error(heading):
            return [], [LineError(line=1, message=wrong)]
        before = lines.line_num
        for fields in lines:
            line, before = before + 1, lines.line_num
            if any(field.strip() for field in fields):
                row, found = _row(dict(zip(heading, fields, strict=False)), extra=len(fields) > len(heading))
                rows.append((line, row))
                errors.extend(LineError(line=line, message=message) for message in found)
    except csv.Error as error:
        errors.append(LineError(line=lines.line_num, message=f"Not CSV from here on: {error}."))
    if not rows and not errors:
        errors.append(LineError(line=0, message="There is no range in it."))
    if len(rows) > MOST_ROWS:
        errors.append(LineError(line=0, message=f"{len(rows):,} ranges; {MOST_ROWS:,} at most at once."))
    return rows, errors


def _heading_error(heading: Sequence[str]) -> str:
    unknown = [title for title in heading if title not in COLUMNS]
    missing = [title for title in NEEDED if title not in heading]
    if missing:
        return f"The first line names the columns: {', '.join(COLUMNS)}. Missing: {', '.join(missing)}."
    if unknown:
        return f"Unknown column: {', '.join(unknown)}. Known are {', '.join(COLUMNS)}."
    return "A column is named twice." if len(set(heading)) < len(heading) else ""


def _row(fields: Mapping[str, str], *, extra: bool) -> tuple[FiledRange, list[str]]:
    values = {name: _plain(fields.get(name, "")) for name in COLUMNS}
    more = ["More fields than columns. Put a text with a comma in quotes."] if extra else []
    return FiledRange(**values), [*_field_errors(values), *more]


def _field_errors(values: Mapping[str, str]) -> Iterator[str]:
    for name, most in LONGEST.items():
        if len(values[name]) > most:
            yield f"The {name} is longer than {most} characters."
    if not values["name"]:
        yield "The name is empty."
    try:
        subnets.parse(values["cidr"])
    except subnets.NotASubnetError as error:
        yield f"{error}.{f' {error.suggestion} is meant?' if error.suggestion else ''}"


def _twice(rows: Iterable[tuple[int, FiledRange]]) -> Iterator[LineError]:
    first: dict[str, int] = {}
    for line, row in rows:
        if row.cidr in first:
            yield LineError(line=line, message=f"{row.cidr} is on line {first[row.cidr]} already.")
        first.setdefault(row.cidr, line)


def _guarded(field: str) -> str:
    return f"'{field}" if field.startswith((*_FORMULA, "'")) else field


def _plain(field: str) -> str:
    """On one line: forms send line breaks in their own way, and nothing here needs any."""
    return " ".join(field.split()).removeprefix("'")
