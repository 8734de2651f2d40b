"""The long run of the fault tests: every kill point, every call in every way, every freeze, thousands of schedules.

``python -m bench.faults [--only PART …] [--stages STAGE …] [--every] [--schedules N] [--from SEED] [--json FILE]`` or
``--seed N`` or ``--scenario JSON`` repeats one run and tells what happened in it. Exit code 1 if anything broke.

A poll that asks again what was just asked is not a point of its own, unless ``--every`` says so: nothing changed in
between, and nothing is written there.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from statistics import median

from tests.faults import catalogue
from tests.faults.nursery import RemoteNursery, Report
from tests.faults.scenario import Scenario, of_seed

Job = tuple[str, str]
"""A scenario as JSON, and the status that it has to end with, "" where there are several."""


@dataclass(kw_only=True)
class Part:
    """One kind of fault: how many runs there were, how they ended, and what broke."""

    name: str
    runs: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    takeovers: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0
    broken: list[str] = field(default_factory=list)

    def add(self, report: Report, status: str) -> None:
        """Count one run."""
        self.runs += 1
        self.endings[report.status or "none"] += 1
        self.takeovers += report.resumed_after
        self.seconds.append(report.seconds)
        if report.problems or (status and report.status != status):
            self.broken.append(catalogue.complaint(report, status))
            print(self.broken[-1], file=sys.stderr, flush=True)


class Pool:
    """Nurseries that play at the same time."""

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[RemoteNursery] = SimpleQueue()
        self._all = [RemoteNursery() for _ in range(count)]
        for nursery in self._all:
            self._free.put(nursery)
        self._threads = ThreadPoolExecutor(count)

    def run(self, scenario_text: str) -> Report:
        """Play one, as soon as a nursery is free."""
        nursery = self._free.get()
        try:
            return nursery.run(scenario_text)
        finally:
            self._free.put(nursery)

    def run_all(self, jobs: Iterable[Job]) -> Iterator[tuple[Report, str]]:
        """Play all of them; reports come in order."""
        return self._threads.map(lambda job: (self.run(job[0]), job[1]), jobs)

    def close(self) -> None:
        """End all of them."""
        self._threads.shutdown()
        for nursery in self._all:
            nursery.close()


def main() -> int:
    """Run what was asked for and print the report."""
    options = _options()
    pool = Pool(1 if options.seed is not None or options.scenario else options.processes)
    try:
        if options.seed is not None or options.scenario:
            return _repeat(pool, of_seed(options.seed).to_json() if options.seed is not None else options.scenario)
        parts = [_part(pool, name, jobs) for name, jobs in _parts(pool, options).items()]
    finally:
        pool.close()
    print(_table(parts, sys.argv[1:]))
    if options.json:
        options.json.write_text(json.dumps([vars(part) for part in parts], indent=1) + "\n")
    return int(any(part.broken for part in parts))


def _parts(pool: Pool, options: argparse.Namespace) -> dict[str, Iterator[Job]]:
    ways: Callable[[], Iterator[catalogue.Way]] = lambda: (  # noqa: E731  # each part looks its ways up when it begins
        catalogue.way(pool, stage=stage, ending=ending) for stage, ending in catalogue.WAYS if stage in options.stages
    )

    def indexes(way: catalogue.Way) -> Iterable[int]:
        return range(len(way.points)) if options.every else catalogue.distinct(way.points)

    seeds = range(options.first, options.first + options.schedules)
    parts: dict[str, Iterator[Job]] = {
        "kills": _jobs(ways, lambda way: catalogue.kills(way, indexes(way))),
        "calls": _jobs(ways, lambda way: catalogue.calls(way, indexes(way))),
        "freezes": _jobs(ways, lambda way: catalogue.freezes(way, indexes(way))),
        "schedules": ((of_seed(seed).to_json(), "") for seed in seeds),
    }
    return {name: jobs for name, jobs in parts.items() if name in options.only}


def _jobs(
    ways: Callable[[], Iterator[catalogue.Way]], runs: Callable[[catalogue.Way], Iterator[Scenario]]
) -> Iterator[Job]:
    for way in ways():
        for scenario in runs(way):
            yield scenario.to_json(), catalogue.ends_as(way.ending)


def _part(pool: Pool, name: str, jobs: Iterator[Job]) -> Part:
    part, began = Part(name=name), time.monotonic()
    for many in iter(lambda: list(itertools.islice(jobs, 200)), []):
        for report, status in pool.run_all(many):
            part.add(report, status)
        print(f"{name}: {part.runs} runs, {len(part.broken)} broken", file=sys.stderr, flush=True)
    part.took = round(time.monotonic() - began, 1)
    return part


def _repeat(pool: Pool, scenario_text: str) -> int:
    report = pool.run(scenario_text)
    for name, value in vars(report).items():
        if value and name != "points":
            print(f"{name}:", *value if name == "told" else (value,), sep="\n    " if name == "told" else " ")
    return int(bool(report.problems))


def _table(parts: Iterable[Part], arguments: list[str]) -> str:
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, `python -m bench.faults {' '.join(arguments)}`, {os.cpu_count()} processors",
        "",
        "| part | runs | broken | endings | slowest takeover | median of a run | took |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in parts:
        endings = ", ".join(f"{count} {status}" for status, count in part.endings.most_common())
        slowest = f"{max(part.takeovers):.1f} s" if part.takeovers else "none"
        lines.append(
            f"| {part.name} | {part.runs} | {len(part.broken)} | {endings} | {slowest}"
            f" | {median(part.seconds or [0]):.2f} s | {part.took / 60:.1f} min |"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    names = ("kills", "calls", "freezes", "schedules")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="which parts; all of them")
    stages = tuple(dict.fromkeys(stage for stage, _ in catalogue.WAYS))
    parser.add_argument("--stages", nargs="+", choices=stages, default=stages, help="the ways of which stages; all")
    parser.add_argument("--every", action="store_true", help="polls that repeat themselves, too")
    parser.add_argument("--schedules", type=int, default=2000, help="how many random schedules")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the seed of the first one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many run at the same time")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--seed", type=int, help="repeat the schedule of this seed")
    parser.add_argument("--scenario", help="repeat this scenario, given as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
