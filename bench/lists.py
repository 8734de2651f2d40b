"""How long the lists of networks and services take, by how many there are; beside them lists made from the snapshot.

``python -m bench.lists [--requests N] [--json FILE] [--markdown]`` needs no engine and takes about two minutes. It
fills a database of its own, then asks the product's views, as a signed-in person, for every page in turn: the first,
one further on, filtered, sorted both ways.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machine
from bench.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

SIZES = (100, 10_000)
PLACES = ("networks", "services")
QUERIES = (
    "",
    "?page=57",
    "?q=stack41",
    "?q=00123",
    "?sort=-name",
    "?sort=-state&page=2",
    "?sort=networks",
    "?sort=-used",
)
COMMAND = "`python -m bench.lists --markdown`"
TARGET_MS, MOST_QUERIES = 250.0, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One list: milliseconds of an answer, and how many questions to the database the busiest one asked.

    ``snapshot``: the median when the same page is made from the snapshot that is kept, once it is read anew.
    """

    place: str
    size: int
    median: float
    p95: float
    slowest: float
    queries: int
    snapshot: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. ``keeping``: seconds to keep a listing that changed nothing, by size."""

    machine: Machine
    load: float
    requests: int
    rows: tuple[Row, ...]
    keeping: tuple[tuple[int, float], ...]

    @property
    def good(self) -> bool:
        """Whether the targets are met."""
        return all(row.p95 <= TARGET_MS and row.queries <= MOST_QUERIES for row in self.rows)


def main() -> None:
    """Fill the database, measure every list; print the table. Exit code 1 where a target is missed."""
    options = _options()
    looked = machine.look(now=datetime.now(UTC))
    with _database():
        rows, keeping = _measure(options.requests)
    report = Report(
        machine=looked, load=machine.load(), requests=options.requests, rows=tuple(rows), keeping=tuple(keeping)
    )
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n")
    text = markdown(report)
    print(text if options.markdown else text.replace("*", "").replace("`", ""))
    raise SystemExit(not report.good)


def markdown(report: Report) -> str:
    """The section for docs/benchmarks.md."""
    kept = ", ".join(f"{seconds:.1f} s for {size:,}" for size, seconds in report.keeping)
    lines = [
        "## Lists",
        "",
        f"{report.machine}; load average {report.load}; {report.requests} requests each. {COMMAND}",
        "",
        "Pages of 50 networks or services: the first, one further on, filtered, sorted both ways; milliseconds of the",
        "whole answer of the view, on SQLite, without the network. Beside it the median of the same page made from the",
        "snapshot that is kept, when that has changed since the last page, as it would be without rows for the lists.",
        f"Targets at 10,000: p95 at most {TARGET_MS:.0f} ms, at most {MOST_QUERIES} questions to the database.",
        "",
        "| List | Rows | Median, ms | p95, ms | Slowest, ms | Questions | From the snapshot, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_line(row) for row in report.rows),
        "",
        f"To write down what a look has found, where nothing has changed, takes the watcher {kept} of each.",
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    return (
        f"| {row.place} | {row.size:,} | {row.median:.1f} | {row.p95:.1f} | {row.slowest:.1f} | {row.queries} |"
        f" {row.snapshot:.0f} |"
    )


def _measure(requests: int) -> tuple[list[Row], list[tuple[int, float]]]:
    from django.utils import timezone

    from overlayweb.models import codec
    from tasks import observations
    from tests.web.inventories import make_cluster, make_large_swarm

    client, rows, keeping = _signed_in(), [], []
    for size in SIZES:
        cluster = make_cluster(f"of-{size}", make_large_swarm(size, observed_at=timezone.now()))
        again = make_large_swarm(size, observed_at=timezone.now())
        keeping.append((size, _seconds(lambda: observations.keep(cluster=cluster, swarm=again))))  # noqa: B023  # now
        text = codec.dump(again)
        rows += [_row(client, place, size, requests, text) for place in PLACES]
    return rows, keeping


def _row(client: "Client", place: str, size: int, requests: int, text: str) -> Row:
    took, queries = [], 0
    for number in range(-len(QUERIES), requests):
        address = f"/clusters/of-{size}/{place}/{QUERIES[number % len(QUERIES)]}"
        seconds, asked = _ask(client, address)
        if number >= 0:  # those before warm up, and the first keeps in the session which cluster is looked at
            queries = max(queries, asked)
            took.append(seconds * 1000)
    return Row(
        place=place,
        size=size,
        median=statistics.median(took),
        p95=sorted(took)[math.ceil(0.95 * len(took)) - 1],
        slowest=max(took),
        queries=queries,
        snapshot=statistics.median(1000 * _seconds(lambda: _from_snapshot(place, text)) for _ in range(3)),
    )


def _ask(client: "Client", address: str) -> tuple[float, int]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        began = time.monotonic()
        answer = client.get(address)
        took = time.monotonic() - began
    if answer.status_code != 200:  # noqa: PLR2004  # an answer
        raise RuntimeError(f"{address} answers {answer.status_code}")
    return took, len(captured)


def _from_snapshot(place: str, text: str) -> Sequence[object]:
    """The rows of a page as they are made without the lists' own: the snapshot read, everything listed and sorted."""
    from overlayweb.domain import inventory
    from overlayweb.domain.swarm import Swarm
    from overlayweb.models import codec

    swarm = codec.load(text, Swarm)
    listed = inventory.networks(swarm) if place == "networks" else inventory.services(swarm)
    return sorted(listed, key=lambda row: row.name)[:50]


def _seconds(deed: Callable[[], object]) -> float:
    began = time.monotonic()
    deed()
    return time.monotonic() - began


def _signed_in() -> "Client":
    from django.contrib.auth.models import User
    from django.test import Client
    from django.utils import timezone

    from overlayweb.models import Installation

    Installation.objects.create(pk=1, created_at=timezone.now())
    client = Client()
    client.force_login(User.objects.create_user("ana"), backend="django.contrib.auth.backends.ModelBackend")
    return client


@contextmanager
def _database() -> "Iterator[None]":
    """The product with an empty database in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="overlayweb-bench-"))
    os.environ.update(OVERLAYWEB_DATA=str(folder), DJANGO_SETTINGS_MODULE="overlayweb.settings")
    os.environ["OVERLAYWEB_ALLOWED_HOSTS"] = "testserver"
    import django
    from django.core.management import call_command

    django.setup()
    try:
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        yield
    finally:
        shutil.rmtree(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="for each list and size (200)")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    parser.add_argument("--markdown", action="store_true", help="print the section for docs/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
