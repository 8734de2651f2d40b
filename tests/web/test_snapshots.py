"""The observation of a large cluster is 18 MB of text: pages fetch it where it has changed, and not otherwise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from overlayweb.domain.swarm import Swarm
from overlayweb.models import Cluster, forget_seen
from tasks import observations
from tests.web import job_stories
from tests.web.inventories import make_cluster

COLUMN = '"overlayweb_cluster"."observation"'
OF_CLUSTER = (
    "",
    "nodes",
    "networks/",
    "networks/new",
    "networks/id-backend/",
    "networks/id-backend/connect",
    "networks/id-backend/containers",
    "networks/id-backend/delete",
    "networks/id-backend/replace",
    "services/",
    "services/id-wiki/",
    "services/id-wiki/connect",
    "reach",
    "ingress/",
    "ingress/customise",
    "ingress/repair",
    "drift",
    "drift/count",
    "addresses",
    "readiness/",
    "readiness/bridge",
    "readiness/join",
    "reserved",
)

Fetched = Callable[[str], int]


@pytest.fixture
def seen(db: None, swarm: Swarm) -> Cluster:
    return make_cluster("prod", replace(swarm, observed_at=timezone.now()))


@pytest.fixture
def fetched(as_administrator: Client) -> Fetched:
    """How often a page fetches the text of an observation."""

    def of(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert as_administrator.get(address).status_code == 200
        return sum(COLUMN in row["sql"].partition(" FROM ")[0] for row in captured.captured_queries)

    return of


def changed(cluster: Cluster) -> Cluster:
    """After a look that found the same, later."""
    swarm = cluster.swarm()
    assert swarm is not None
    assert observations.keep(
        cluster=cluster, swarm=replace(swarm, observed_at=swarm.observed_at + timedelta(seconds=1))
    )
    return Cluster.objects.get(pk=cluster.pk)


@pytest.mark.parametrize("path", OF_CLUSTER)
def test_a_page_fetches_what_was_seen_once_and_again_when_it_has_changed(
    path: str, seen: Cluster, fetched: Fetched
) -> None:
    address = f"/clusters/{seen.name}/{path}"
    reads = fetched(address)
    assert reads <= 1
    assert fetched(address) == 0
    changed(seen)
    assert fetched(address) == reads
    assert fetched(address) == 0


def test_pages_of_changes_and_jobs_fetch_it_no_more_often(seen: Cluster, fetched: Fetched) -> None:
    job = job_stories.queued(seen)
    asked = job_stories.change(seen, subnet="10.12.0.0/16")
    for address in (
        "/changes/",
        f"/changes/{asked.pk}/",
        f"/changes/{job.change_id}/",
        f"/changes/{asked.pk}/again",
        "/jobs/",
        f"/jobs/{job.pk}/",
        f"/jobs/{job.pk}/log",
        "/history/",
        "/search?q=o",
        "/people",
    ):
        fetched(address)
        assert fetched(address) == 0, address


def test_a_process_reads_a_snapshot_once_until_it_changes(seen: Cluster) -> None:
    first = seen.swarm()
    assert Cluster.objects.get(pk=seen.pk).swarm() is first
    newer = changed(seen).swarm()
    assert newer is not None
    assert first is not None
    assert newer.observed_at > first.observed_at
    assert seen.swarm() is first, "one record shows one observation"


def test_a_record_that_comes_late_says_of_when_it_is(seen: Cluster) -> None:
    """Loaded before a look, asked after another page has read it: what it shows is newer than the record was."""
    late = Cluster.objects.get(pk=seen.pk)
    newer = changed(seen)
    newer.swarm()
    swarm = late.swarm()
    assert swarm is not None
    assert (late.observed_at, late.revision) == (swarm.observed_at, newer.revision)


def test_a_record_that_comes_late_to_a_cluster_that_was_forgotten_shows_nothing(seen: Cluster) -> None:
    seen.swarm()
    late = Cluster.objects.get(pk=seen.pk)
    changed(seen).swarm()
    forget_seen(seen)
    assert late.swarm() is None
    assert late.observed_at is None
    assert seen.swarm() is None


def test_a_database_that_was_brought_back_shows_what_it_has(seen: Cluster) -> None:
    """It counts anew: what this process read before it bears the same number."""
    old = seen.swarm()
    assert old is not None
    held = changed(seen)
    held.swarm()
    Cluster.objects.filter(pk=seen.pk).update(revision=seen.revision)
    other = replace(old, observed_at=old.observed_at + timedelta(hours=1), networks=())
    assert observations.keep(cluster=held, swarm=other)
    again = Cluster.objects.get(pk=seen.pk)
    assert again.revision == held.revision
    assert again.swarm() == other
