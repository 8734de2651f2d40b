"""How long pages take, by how many networks and services there are.

``python -m bench.lists [--requests N] [--json FILE] [--markdown]`` needs no engine and takes about ten minutes. It
fills a database of its own, then asks the product's views, as a signed-in person, for every page in turn; lists are
asked for the first page, one further on, filtered, and sorted both ways.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from bench import machine
from bench.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from overlayweb.models import ChangeRequest, Cluster

SIZES = (100, 10_000)
LISTED = (
    "",
    "?page=57",
    "?q=stack41",
    "?q=00123",
    "?sort=-name",
    "?sort=-state&page=2",
    "?sort=networks",
    "?sort=-used",
)
NETWORK, SERVICE = "networks/id-stack3_net00003/", "services/id-stack5_svc00005/"
PLACES = {
    "networks": tuple(f"networks/{query}" for query in LISTED),
    "services": tuple(f"services/{query}" for query in LISTED),
    "overview": ("",),
    "ingress": ("ingress/",),
    "addresses": ("addresses", "addresses?at=10.0.0.0/8", "addresses?at=10.0.0.0/16", "addresses?page=3"),
    "matrix, 200 by 50": ("reach",),
    "matrix, filtered": ("reach?service=svc0001", "reach?network=stack41", "reach?shared=1"),
    "one network": (NETWORK,),
    "one service": (SERVICE,),
    "connect a service": (f"{SERVICE}connect", f"{SERVICE}connect?q=stack41"),
    "connect a network": (f"{NETWORK}connect", f"{NETWORK}connect?q=stack41"),
    "create a network": ("networks/new",),
    "replace a network": (f"{NETWORK}replace",),
    "delete a network": (f"{NETWORK}delete",),
    "containers": (f"{NETWORK}containers",),
    "customise the ingress": ("ingress/customise",),
    "repair the ingress": ("ingress/repair",),
    "drift": ("drift",),
    "readiness": ("readiness/", "readiness/bridge"),
    "preview of a rebuild": ("ingress/preview",),
    "repair of a wedged mesh": ("/clusters/wedged-{size}/ingress/repair",),
    "changes": ("/changes/",),
    "one change": ("/changes/{waiting}/",),
    "change of the ingress": ("/changes/{rebuild}/", "/changes/{rebuild}/?page=3", "/changes/{rebuild}/?q=svc0012"),
    "change that repairs": ("/changes/{repair}/",),
    "jobs": ("/jobs/",),
    "one job": ("/jobs/{job}/",),
    "job of the ingress": ("/jobs/{rebuilds}/", "/jobs/{rebuilds}/?page=3", "/jobs/{rebuilds}/?show=off"),
    "its news": ("/jobs/{rebuilds}/live?after=0&services=id-stack0_svc00000",),
    "search": ("/search?q=net00",),
}
"""Each page by the addresses that are asked for: below the cluster's own, or with "/" in front below the root.
``{waiting}``: a change that waits for approval, ``{job}``: a job that is queued, both of one overlay. ``{rebuild}`` and
``{repair}``: changes of the ingress that wait, with all its services; ``{rebuilds}``: a job of such a one."""
TYPED = {"name": "ingress", "subnet": "172.29.0.0/16", "gateway": "", "mtu": "", "ip_range": "", "labels": ""}
"""What is typed in the form of a rebuild. Addresses that end with "preview" are asked with it."""
OFF = 300
"""So many services the job has taken off."""
LISTS = ("networks", "services")
COMMAND = "`python -m bench.lists --markdown`"
TARGET_MS, MOST_QUERIES = 250.0, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One page: milliseconds of an answer, and how many questions to the database the busiest one asked.

    ``anew``: the median of the first answer after the snapshot has changed, which this process then reads anew.
    ``work`` and ``anew_work``: the same two medians in milliseconds of the processor, which others do not lengthen.
    """

    place: str
    size: int
    median: float
    p95: float
    slowest: float
    queries: int
    anew: float
    work: float
    anew_work: float


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
        """Whether the targets are met: of pages the time, of lists the number of questions too."""
        return all(
            row.p95 <= TARGET_MS and (row.queries <= MOST_QUERIES or row.place not in LISTS) for row in self.rows
        )


def main() -> None:
    """Fill the database, measure every page; print the table. Exit code 1 where a target is missed."""
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
        "Milliseconds of the whole answer of the view, on SQLite, without the network. Lists, in pages of 50, read",
        "rows of their own; other pages read the snapshot, which a process fetches once and keeps until it changes.",
        "*After a change*: the median of the first answer once it has changed; it is read anew, and what follows",
        "from it is worked out again, once for all pages of a process. *Processor*: of the two medians the",
        "milliseconds of the processor, which other programs do not lengthen.",
        f"Targets at 10,000: p95 at most {TARGET_MS:.0f} ms; of lists at most {MOST_QUERIES} questions.",
        "",
        "| Page | Rows | Median, ms | p95, ms | Slowest, ms | Processor | Questions | After a change | Processor |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_line(row) for row in report.rows),
        "",
        f"To write down what a look has found, where nothing has changed, takes the watcher {kept} of each.",
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    return (
        f"| {row.place} | {row.size:,} | {row.median:.1f} | {row.p95:.1f} | {row.slowest:.1f} | {row.work:.0f} |"
        f" {row.queries} | {row.anew:.0f} | {row.anew_work:.0f} |"
    )


def _measure(requests: int) -> tuple[list[Row], list[tuple[int, float]]]:
    from django.utils import timezone

    from tasks import observations
    from tests.web.inventories import make_cluster, make_large_swarm

    client, rows, keeping = _signed_in(), [], []
    for size in SIZES:
        cluster = make_cluster(f"of-{size}", make_large_swarm(size, observed_at=timezone.now()))
        again = make_large_swarm(size, observed_at=timezone.now())
        keeping.append((size, _seconds(lambda: observations.keep(cluster=cluster, swarm=again))))  # noqa: B023  # now
        cluster.refresh_from_db()
        numbers = {"size": size, **_ask_for_two(cluster), **_of_the_ingress(cluster)}
        rows += [_row(client, place, size, requests, numbers) for place in PLACES]
    return rows, keeping


def _ask_for_two(cluster: "Cluster") -> dict[str, int]:
    """The numbers of a change that waits for approval and of a job that is queued, each for one more overlay."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from overlayweb.domain.network_plans import CREATE, CreateRequest
    from overlayweb.domain.network_settings import NetworkSettings
    from overlayweb.domain.swarm import IpamConfig
    from overlayweb.services import approvals, changes

    def ask(name: str, subnet: str) -> "ChangeRequest":
        settings = NetworkSettings(name=name, subnets=(IpamConfig(subnet=subnet),))
        asked, author, now = CreateRequest(settings=settings), User.objects.get(username="ana"), timezone.now()
        return changes.submit(cluster=cluster, request=asked, kind=CREATE, author=author, reason="Room", now=now)

    approved, reader = ask("approved", "10.250.0.0/24"), User.objects.get_or_create(username="ben")[0]
    sha256, now = approved.plan_record.sha256, timezone.now()
    job = approvals.approve(change=approved, person=reader, plan_sha256=sha256, reason="", now=now)
    return {"waiting": ask("waiting", "10.250.1.0/24").pk, "job": job.pk}


def _of_the_ingress(cluster: "Cluster") -> dict[str, int]:
    """The numbers of changes and of a job that are about every published service; two in clusters of their own."""
    from django.utils import timezone

    from tests.web import job_stories, wedges
    from tests.web.inventories import make_cluster, wedged

    swarm, size = cluster.swarm(), cluster.name.removeprefix("of-")
    if swarm is None:
        raise RuntimeError("the cluster was not kept")
    broken = make_cluster(f"wedged-{size}", wedged(replace(swarm, observed_at=timezone.now())))
    busy = make_cluster(f"busy-{size}", replace(swarm, observed_at=timezone.now()))
    story = job_stories.recorded(job_stories.queued(busy, subnet=TYPED["subnet"]))
    names = list(story.job.services.values_list("name", flat=True)[:OFF])
    step = story.begin()
    story.take_off(step, names)
    story.go_dark(step, names)
    rebuild = job_stories.change(cluster, subnet=TYPED["subnet"])
    return {"rebuild": rebuild.pk, "repair": wedges.ask(broken).pk, "rebuilds": story.job.pk}


def _row(client: "Client", place: str, size: int, requests: int, numbers: dict[str, int]) -> Row:
    took, work, queries = [], [], 0
    asked = [urljoin(f"/clusters/of-{size}/", path.format(**numbers)) for path in PLACES[place]]
    for number in range(-len(asked), requests):
        seconds, worked, questions = _ask(client, asked[number % len(asked)])
        if number >= 0:  # those before warm up, and the first keeps in the session which cluster is looked at
            queries = max(queries, questions)
            took.append(seconds * 1000)
            work.append(worked * 1000)
    first = [_anew(client, f"-{size}", asked[0]) for _ in range(3)]
    return Row(
        place=place,
        size=size,
        median=statistics.median(took),
        p95=sorted(took)[math.ceil(0.95 * len(took)) - 1],
        slowest=max(took),
        queries=queries,
        anew=statistics.median(seconds * 1000 for seconds, _ in first),
        work=statistics.median(work),
        anew_work=statistics.median(worked * 1000 for _, worked in first),
    )


def _anew(client: "Client", of_size: str, address: str) -> tuple[float, float]:
    """Seconds, and those of the processor, of the first answer after a change: a space, for which all is read anew.

    ``of_size``: how the names of the clusters end that change.
    """
    from django.db.models import F, Value
    from django.db.models.functions import Concat
    from django.utils import timezone

    from overlayweb.models import Cluster

    changed = Concat(F("observation"), Value(" "))
    Cluster.objects.filter(name__endswith=of_size).update(observation=changed, news_at=timezone.now())
    return _ask(client, address)[:2]


def _ask(client: "Client", address: str) -> tuple[float, float, int]:
    """Seconds, seconds of the processor, and questions to the database of one answer."""
    from django.db import connection, reset_queries
    from django.test.utils import CaptureQueriesContext

    reset_queries()  # the log that they are counted by holds so many and no more
    with CaptureQueriesContext(connection) as captured:
        began, worked = time.monotonic(), time.process_time()
        answer = client.post(address, TYPED) if address.endswith("preview") else client.get(address)
        took, work = time.monotonic() - began, time.process_time() - worked
    if answer.status_code != 200:  # noqa: PLR2004  # an answer
        raise RuntimeError(f"{address} answers {answer.status_code}")
    return took, work, len(captured)


def _seconds(deed: Callable[[], object]) -> float:
    began = time.monotonic()
    deed()
    return time.monotonic() - began


def _signed_in() -> "Client":
    from django.contrib.auth.models import User
    from django.test import Client
    from django.utils import timezone

    from overlayweb.domain.policy import ApprovalMode
    from overlayweb.models import Installation

    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=timezone.now())
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

    from overlayweb import garbage

    garbage.seldom()  # as the web process and the watcher do
    django.setup()
    try:
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        yield
    finally:
        shutil.rmtree(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="for each page and size (200)")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    parser.add_argument("--markdown", action="store_true", help="print the section for docs/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
