"""The numbers of one run, and the table made of them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bench.floor import Floor
from bench.machine import Machine, loads_text
from bench.sampler import Rhythm


class Method(StrEnum):
    """How the ingress was rebuilt."""

    CLI = "cli"
    SCRIPT_UNPUBLISH = "script-unpublish"
    UNPUBLISH = "unpublish"
    SCRIPT_STOP = "script-stop"
    STOP = "stop"


HEADINGS = {
    Method.CLI: "`docker` CLI",
    Method.SCRIPT_UNPUBLISH: "Bare script, *unpublish*",
    Method.UNPUBLISH: "Overlayweb, *unpublish*",
    Method.SCRIPT_STOP: "Bare script, *stop*",
    Method.STOP: "Overlayweb, *stop*",
}

OURS = {Method.UNPUBLISH: Method.SCRIPT_UNPUBLISH, Method.STOP: Method.SCRIPT_STOP}
"""Each way of ours, and the bare script that does the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One rebuild: seconds as a whole, dark seconds by service name, seconds by step (ours only), what it left."""

    method: Method
    whole: float
    dark: dict[str, float]
    steps: dict[str, float]
    left: tuple[str, ...]
    rhythm: Rhythm
    load: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. ``floor`` None: not measured. ``mix``: seconds in which all containers of the mix started at once."""

    machine: Machine
    command: str
    floor: Floor | None
    mix: float
    rounds: tuple[Round, ...]

    def of(self, method: Method) -> "Summary | None":
        """The medians of one method's rounds, None when it was left out."""
        rounds = [row for row in self.rounds if row.method is method]
        return Summary(rounds) if rounds else None

    def as_json(self) -> dict[str, Any]:
        """Everything, for other programs."""
        return asdict(self)


class Summary:
    """Medians over the rounds of one method, in seconds."""

    def __init__(self, rounds: Sequence[Round]) -> None:
        self.rounds = rounds
        self.whole = statistics.median(row.whole for row in rounds)
        self.dark = {name: statistics.median(row.dark[name] for row in rounds) for name in sorted(rounds[0].dark)}
        self.longest = max(self.dark.values())
        self.median = statistics.median(self.dark.values())
        self.steps = {name: statistics.median(row.steps[name] for row in rounds) for name in rounds[0].steps}


def markdown(report: Report) -> str:
    """The section for docs/benchmarks.md."""
    lines = [*_head(report), "", *_table(report), "", *_floor(report), *_steps(report), *_notes(report)]
    return "\n".join(lines)


def _head(report: Report) -> list[str]:
    loads = loads_text([row.load for row in report.rounds])
    return [
        "## Ingress rebuild",
        "",
        f"{report.machine}; load average {loads}. `{report.command}`",
        "",
        "Nine services published through the ingress of a three-node Swarm, two of which ignore SIGTERM. Seconds in",
        "which a service had no running container attached to the ingress that the Swarm has at that moment, sampled",
        "from outside; medians where there were several rounds. The bare script knows the proven order and does the",
        "same, all services at once, with nothing recorded and no way back.",
    ]


def _table(report: Report) -> list[str]:
    columns = {method: summary for method in Method if (summary := report.of(method))}
    head = ["Service", *(f"{HEADINGS[method]} ({_rounds(summary)})" for method, summary in columns.items())]
    names = next(iter(columns.values())).dark
    rows = [[f"`{name}`", *(_s(summary.dark[name]) for summary in columns.values())] for name in names]
    rows.append(["**Longest outage**", *(f"**{_s(summary.longest)}**" for summary in columns.values())])
    rows.append(["**Median outage**", *(f"**{_s(summary.median)}**" for summary in columns.values())])
    rows.append(["Whole change", *(_s(summary.whole) for summary in columns.values())])
    rows += _ratios(report, columns)
    return _grid(head, rows)


def _ratios(report: Report, columns: dict[Method, Summary]) -> Iterable[list[str]]:
    peer, floor, ours = columns.get(Method.CLI), report.floor, columns.values()
    if peer:
        yield ["Longest outage, CLI ÷ this", *(_ratio(peer.longest, summary.longest) for summary in ours)]
        yield ["Median outage, CLI ÷ this", *(_ratio(peer.median, summary.median) for summary in ours)]
    scripts = {method: columns[script] for method, script in OURS.items() if script in columns}
    if scripts:
        of_each = [(scripts.get(method), summary) for method, summary in columns.items()]
        yield ["Median outage, its script ÷ this", *(_ratio(s.median, o.median, 2) if s else "" for s, o in of_each)]
        yield ["Whole change, its script ÷ this", *(_ratio(s.whole, o.whole, 2) if s else "" for s, o in of_each)]
    if floor:
        yield [
            "Longest outage, this ÷ floor",
            *(_ratio(summary.longest, floor.total, 2) for summary in ours),
        ]


def _floor(report: Report) -> list[str]:
    floor = report.floor
    if floor is None:
        return []
    return [
        f"The floor, {_s(floor.total)} s: one service that ignores SIGTERM stops in {_s(floor.stop)} s (10 s of grace",
        f"and what Swarm takes beside it), an empty ingress is removed in {_s(floor.remove)} s and created in",
        f"{_s(floor.create)} s, one container starts in {_s(floor.start)} s, each measured by itself in the same run.",
        f"All containers of the mix, started together on an idle Swarm, took {_s(report.mix)} s.",
        "",
    ]


def _steps(report: Report) -> list[str]:
    columns = {m: s for m in OURS if (s := report.of(m))}
    if not columns:
        return []
    names = next(iter(columns.values())).steps
    rows = [[name, *(f"{summary.steps[name]:.2f}" for summary in columns.values())] for name in names]
    return ["Seconds by step of the job:", "", *_grid(["Step", *(HEADINGS[m] for m in columns)], rows), ""]


def _notes(report: Report) -> list[str]:
    gaps = max(row.rhythm.longest_gap for row in report.rounds)
    typical = statistics.median(row.rhythm.median_gap for row in report.rounds)
    return [
        f"Samples lie {typical:.2f} s apart, {gaps:.2f} s at most. What was not as before, afterwards:",
        "",
        *(_left(method, summary) for method in Method if (summary := report.of(method))),
    ]


def _left(method: Method, summary: Summary) -> str:
    said = sorted({sentence for row in summary.rounds for sentence in row.left})
    none = "nothing; one ingress on every node, full strength, specs equal to the byte"
    return f"- {HEADINGS[method]}: {'; '.join(said) or none}."


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in head[1:])]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _s(seconds: float) -> str:
    return f"{seconds:.1f}"


def _rounds(summary: Summary) -> str:
    count = len(summary.rounds)
    return "1 round" if count == 1 else f"{count} rounds"


def _ratio(numerator: float, denominator: float, digits: int = 1) -> str:
    return f"{numerator / denominator:.{digits}f}" if denominator else ""
