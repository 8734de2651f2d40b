"""The list of jobs: what runs, the queue of each cluster, what ended."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.web import job_stories
from tests.web.test_job_page import text

pytestmark = pytest.mark.django_db


def test_it_tells_what_runs_what_waits_in_which_place_and_what_ended(as_author: Client) -> None:
    shop, pay = job_stories.cluster("shop"), job_stories.cluster("pay")
    job_stories.done(job_stories.dark(job_stories.recorded(job_stories.queued(pay))))
    story = job_stories.recorded(job_stories.queued(shop), ago=4)
    story.begin()
    job_stories.queued(shop, subnet="10.12.0.0/16")
    job_stories.queued(shop, subnet="10.13.0.0/16")
    job_stories.queued(pay, subnet="10.14.0.0/16")
    said = text(as_author.get("/jobs/").content.decode())
    running, waiting, ended = re.split(r"Waiting for their turn|Ended lately", said)
    assert "Rebuild ingress → 10.11.0.0/16" in running
    assert "Take 3 services off the ingress" in running
    assert re.findall(r"→ (10\.1\d)\S+ .*?Queued (next|number \d)", waiting) == [
        ("10.14", "next"),
        ("10.12", "next"),
        ("10.13", "number 2"),
    ]
    assert "Done" in ended
    assert "asked by Ana Author · approved by Ben Okafor" in ended


def test_an_empty_list_says_what_a_job_comes_from(as_author: Client) -> None:
    said = text(as_author.get("/jobs/").content.decode())
    assert "No job is running." in said
    assert "A job starts when somebody approves a change." in said


def test_it_asks_again_only_while_something_goes_on(as_author: Client) -> None:
    job = job_stories.queued(job_stories.cluster())
    asks = 'hx-get="/jobs/" hx-trigger="every'
    assert asks in as_author.get("/jobs/").content.decode()
    fragment = as_author.get("/jobs/", headers={"HX-Request": "true", "HX-Target": "job-lists"}).content.decode()
    assert "<html" not in fragment
    assert 'id="job-lists"' in fragment
    job_stories.done(job_stories.dark(job_stories.recorded(job)))
    assert asks not in as_author.get("/jobs/").content.decode()


def test_the_queries_do_not_grow_with_the_jobs(as_author: Client) -> None:
    counts = []
    for number in (2, 8):
        for n in range(number):
            cluster = job_stories.cluster(f"c{number}x{n}", 1)
            job_stories.recorded(job_stories.queued(cluster)).begin()
            job_stories.queued(cluster, subnet="10.12.0.0/16")
        with CaptureQueriesContext(connection) as queries:
            as_author.get("/jobs/")
        counts.append(len(queries))
    assert counts[0] == counts[1]
