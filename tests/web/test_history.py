"""The history: everything decided and ended, found again by who, where, what and when."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from overlayweb.domain import planners
from overlayweb.domain.lifecycle import JobEvent
from overlayweb.models import ChangeRequest, Job
from overlayweb.services import approvals, changes
from tests.web import job_stories
from tests.web.test_job_page import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def past(author: object, reviewer: object) -> None:
    """One job that succeeded, one that failed, one rejected, one withdrawn; one that runs and one that waits."""
    shop, pay = job_stories.cluster("shop"), job_stories.cluster("pay", 9)
    job_stories.done(job_stories.dark(job_stories.recorded(job_stories.queued(pay), ago=100)))
    failed = job_stories.started(job_stories.queued(shop, subnet="10.12.0.0/16"), ago=50)
    failed.end(JobEvent.FAIL, "The engine refused. Nothing had been changed")
    rejected = job_stories.change(shop, subnet="10.13.0.0/16")
    ben = job_stories.person("ben")
    approvals.reject(change=rejected, person=ben, reason="That range is the VPN's.", now=timezone.now())
    mine = job_stories.change(shop, subnet="10.14.0.0/16", author="ben")
    changes.withdraw(change=mine, now=timezone.now())
    job_stories.recorded(job_stories.queued(shop, subnet="10.15.0.0/16"))
    job_stories.change(shop, subnet="10.16.0.0/16")


def found(client: Client, query: str = "") -> list[str]:
    """The subnets of the rows, in order."""
    html = client.get(f"/history/?{query}").content.decode()
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r"Rebuild ingress → (10\.1\d)\.", body)


def test_it_holds_what_was_decided_or_ended_and_nothing_else(as_author: Client, past: None) -> None:
    assert found(as_author) == ["10.14", "10.13", "10.12", "10.11"]


FILTERS: dict[str, list[str]] = {
    "cluster=pay": ["10.11"],
    "cluster=shop": ["10.14", "10.13", "10.12"],
    "text=10.13.0": ["10.13"],
    "text=vpn's": ["10.13"],
    "text=engine+refused": ["10.12"],
    "text=metrics": ["10.11"],
    "text=nothing+like+it": [],
    "outcome=succeeded": ["10.11"],
    "outcome=failed": ["10.12"],
    "outcome=rejected": ["10.13"],
    "outcome=withdrawn": ["10.14"],
    "outcome=cancelled": [],
    "person=ben&outcome=withdrawn": ["10.14"],
    "person=ben": ["10.14", "10.13", "10.12", "10.11"],
    "person=ana": ["10.13", "10.12", "10.11"],
    "cluster=shop&outcome=failed&text=10.12": ["10.12"],
    "since=2001-01-01&until=2001-01-31": [],
    "until=2001-01-31": [],
    "since=2001-01-01": ["10.14", "10.13", "10.12", "10.11"],
}


def test_the_address_filters(as_author: Client, past: None) -> None:
    assert {query: found(as_author, query) for query in FILTERS} == FILTERS


def test_a_day_is_in_its_own_range(as_author: Client, past: None) -> None:
    noon = datetime(2026, 2, 3, 12, tzinfo=UTC)
    Job.objects.filter(change__title__contains="10.12").update(finished_at=noon)
    assert found(as_author, "since=2026-02-03&until=2026-02-03") == ["10.12"]
    assert found(as_author, "since=2026-02-04&until=2026-02-05") == []
    assert found(as_author, "until=2026-02-02") == []


def test_a_row_says_who_how_it_ended_how_long_and_how_dark(as_author: Client, past: None) -> None:
    said = text(as_author.get("/history/?cluster=pay").content.decode())
    row = said[said.index("Rebuild ingress") :]
    assert "Ana Author approved by Ben Reviewer" in row
    assert "Done" in row
    job = Job.objects.get(cluster__name="pay")
    dark = max(row.dark_seconds or 0 for row in job.services.all())
    assert f"{dark:.1f} s" in row
    assert job.started_at is not None
    assert job.finished_at is not None
    assert f"{(job.finished_at - job.started_at).total_seconds():.1f} s" in row
    rejected = text(as_author.get("/history/?outcome=rejected").content.decode())
    assert "rejected by Ben Reviewer" in rejected
    assert "That range is the VPN's." in rejected.replace("&#x27;", "'")


def test_bad_filters_are_said_beside_the_field(as_author: Client, past: None) -> None:
    response = as_author.get("/history/?since=yesterday&person=nobody")
    assert response.status_code == 200
    assert "Enter a valid date." in response.content.decode()
    assert "Select a valid choice." in response.content.decode()


def test_nothing_found_and_nothing_there_are_said_apart(as_author: Client) -> None:
    assert "Nothing has been decided yet." in text(as_author.get("/history/").content.decode())
    assert "Nothing in the history fits" in text(as_author.get("/history/?text=x").content.decode())


def test_fifty_a_page_and_the_filter_stays_in_the_links(as_author: Client) -> None:
    withdrawn(job_stories.change(job_stories.cluster("shop", 1)), 119)
    first = as_author.get("/history/?cluster=shop").content.decode()
    assert len(re.findall(r'<th scope="row">', first)) == 50
    assert "1 to 50 of 120" in text(first)
    assert 'href="?cluster=shop&amp;page=2"' in first
    third = as_author.get("/history/?cluster=shop&page=3").content.decode()
    assert len(re.findall(r'<th scope="row">', third)) == 20
    assert as_author.get("/history/?page=999").status_code == 200


@pytest.mark.parametrize("path", ["/history/", "/changes/"])
def test_the_queries_do_not_grow_with_the_rows(as_author: Client, path: str) -> None:
    counts = []
    for number in (2, 8):
        for n in range(number):
            cluster = job_stories.cluster(f"c{number}x{n}", 2)
            job_stories.done(job_stories.dark(job_stories.recorded(job_stories.queued(cluster))))
            job_stories.change(cluster, subnet="10.40.0.0/20")
            job_stories.change(cluster, subnet="10.41.0.0/20", author="ben")
        with CaptureQueriesContext(connection) as queries:
            as_author.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def withdrawn(change: ChangeRequest, more: int) -> None:
    """The change and so many like it, all withdrawn, each a minute after the other."""
    changes.withdraw(change=change, now=timezone.now())
    start = timezone.now() - timedelta(days=2)
    ChangeRequest.objects.bulk_create(
        ChangeRequest(
            cluster=change.cluster,
            kind=change.kind,
            title=f"Rebuild ingress → 10.11.{n}.0/24",
            author=change.author,
            status="withdrawn",
            created_at=start,
            decided_at=start + timedelta(minutes=n),
        )
        for n in range(more)
    )


def test_every_kind_of_change_can_be_chosen(as_author: Client, past: None) -> None:
    html = as_author.get("/history/").content.decode()
    assert [kind for kind in planners.KINDS if f'<option value="{kind}">' not in html] == []
    assert found(as_author, "kind=network_create") == []
    assert len(found(as_author, "kind=ingress_rebuild")) == 4
