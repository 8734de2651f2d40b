"""The job page: what it says in every state, what may be asked there, and the poll for pages without a stream."""

import re
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from overlayweb.domain.ingress_settings import JOB_LABEL
from overlayweb.domain.lifecycle import DesiredState, JobEvent, JobStatus, Pass
from overlayweb.models import Cluster, Event, Job, JobService
from overlayweb.services import jobs as job_service
from tasks import observations
from tests.domain.builders import make_ingress, make_network, make_swarm
from tests.web import job_stories
from tests.web.job_stories import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def three() -> Cluster:
    """A cluster of three published services."""
    return job_stories.cluster("shop", 3)


@pytest.fixture
def job(three: Cluster) -> Job:
    return job_stories.queued(three)


def page(client: Client, job: Job) -> str:
    response = client.get(f"/jobs/{job.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def text(html: str) -> str:
    """What a person reads, in one line."""
    without = re.sub(r"<(script|style|svg).*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without))


def test_a_queued_job_says_its_place_and_shows_the_steps_to_come(as_author: Client, three: Cluster, job: Job) -> None:
    second = job_stories.queued(three, subnet="10.12.0.0/16")
    assert "Next in the queue of this cluster" in text(page(as_author, job))
    said = text(page(as_author, second))
    assert "1 job of this cluster before it" in said
    assert "Queued" in said
    assert "Wait until every node let go" in said
    assert "shop_web" in said
    assert "8001→80/tcp, 8443→80/tcp" in said
    assert "asked by Ana Author" in said
    assert "approved by Ben Okafor" in said
    assert second.plan_sha256[:7] in said
    assert f'href="/changes/{second.change_id}/"' in page(as_author, second)


def test_a_running_step_says_what_it_waits_for_and_each_service_where_it_stands(as_author: Client, job: Job) -> None:
    story = job_stories.recorded(job, ago=5)
    step = story.begin()
    story.take_off(step, ["shop_web", "shop_api", "shop_search"])
    story.ledger.finish(step, "3 of 3")
    step = story.begin()
    story.go_dark(step, ["shop_web"])
    story.ledger.progress(step, "Waiting for shop_api on node2")
    html = page(as_author, job)
    said = text(html)
    assert "Waiting for shop_api on node2" in said
    assert "2 leaving, 1 dark" in said
    assert "0/3" in said
    assert html.count("data-since") >= 5  # the job, its step, three services
    assert "data-stream" in html
    assert f'action="/jobs/{job.pk}/cancel"' in html
    assert f'action="/jobs/{job.pk}/restore"' not in html


def test_past_the_point_of_no_return_only_the_old_ingress_can_be_asked_back(as_author: Client, job: Job) -> None:
    story = job_stories.dark(job_stories.recorded(job))
    story.begin()
    html = page(as_author, job)
    assert f'action="/jobs/{job.pk}/cancel"' not in html
    assert f'action="/jobs/{job.pk}/restore"' in html
    assert "The new ingress is thrown away and 10.0.0.0/24 is built again. 3 services stay dark" in text(html)
    assert "point of no return, passed" in text(html)


def test_a_job_that_needs_a_person_says_what_to_do(as_author: Client, job: Job) -> None:
    story = job_stories.dark(job_stories.recorded(job))
    step = story.begin()
    story.ledger.give_up(step, attention=["Restart Docker on node3, then continue."])
    html = page(as_author, job)
    said = text(html)
    assert said.index("Restart Docker on node3") < said.index("Check the cluster")
    assert "Needs a person" in said
    assert "Waits for a person" in said
    assert f'action="/jobs/{job.pk}/resume"' in html
    assert f'action="/jobs/{job.pk}/accept"' in html

    as_author.post(f"/jobs/{job.pk}/accept", {"reason": " "})
    assert Job.objects.get(pk=job.pk).status == JobStatus.NEEDS_OPERATOR
    assert "Say why" in text(page(as_author, job))
    as_author.post(f"/jobs/{job.pk}/accept", {"reason": "node3 is scrapped tomorrow."})
    closed = Job.objects.get(pk=job.pk)
    assert closed.status == JobStatus.FAILED
    assert "node3 is scrapped tomorrow." in text(page(as_author, job))


def test_continue_lets_a_worker_take_it_up_again(as_author: Client, job: Job) -> None:
    story = job_stories.dark(job_stories.recorded(job))
    story.ledger.give_up(story.begin(), attention=["Restart Docker on node3."])
    response = as_author.post(f"/jobs/{job.pk}/resume")
    assert response.headers["Location"] == f"/jobs/{job.pk}/"
    after = Job.objects.get(pk=job.pk)
    assert (after.status, after.owner, after.lease_until) == (JobStatus.RUNNING, "", None)
    assert Event.objects.filter(job=job, message="Continued by ana").exists()


def test_a_cancelled_job_tells_its_way_back(as_author: Client, job: Job) -> None:
    story = job_stories.recorded(job)
    story.take_off(story.begin(), ["shop_web"])
    as_author.post(f"/jobs/{job.pk}/cancel")
    assert Job.objects.get(pk=job.pk).desired_state == DesiredState.CANCEL
    assert "Turning back" in text(page(as_author, job))
    story.turn_back(Pass.PUT_BACK, ending=JobStatus.CANCELLED, reason="Cancelled")
    said = text(page(as_author, job))
    assert "Putting back" in said
    assert "The way back: every service gets its ports again" in said
    assert "Left out" in said
    story.bring_back(story.begin(), ["shop_web"], running=["shop_web"])
    story.end(JobEvent.CANCEL, "Cancelled. The ingress was not touched and every service has its ports back")
    said = text(page(as_author, job))
    assert "The ingress was not touched" in said
    assert "1 up again, 2 untouched" in said
    assert 'action="/jobs' not in page(as_author, job)
    assert f"/jobs/{job.pk}/network" not in page(as_author, job)


def test_restore_is_asked_for_by_name(as_author: Client, job: Job) -> None:
    job_stories.dark(job_stories.recorded(job))
    as_author.post(f"/jobs/{job.pk}/restore")
    assert Job.objects.get(pk=job.pk).desired_state == DesiredState.RESTORE
    assert Event.objects.filter(job=job, message="ana asked for the old ingress back").exists()


@pytest.mark.parametrize("action", ["cancel", "restore", "resume"])
def test_what_is_not_possible_any_more_is_said_and_changes_nothing(as_author: Client, job: Job, action: str) -> None:
    job_stories.done(job_stories.dark(job_stories.recorded(job)))
    before = Job.objects.values().get(pk=job.pk)
    response = as_author.post(f"/jobs/{job.pk}/{action}", follow=True)
    assert Job.objects.values().get(pk=job.pk) == before
    assert re.search(r"cannot be cancelled|is over already|does not wait", text(response.content.decode()))


def test_a_job_that_succeeded_says_how_it_ended_and_how_long_each_was_dark(as_author: Client, job: Job) -> None:
    job_stories.done(job_stories.dark(job_stories.recorded(job, ago=60)))
    html = page(as_author, job)
    said = text(html)
    assert "The ingress is 10.11.0.0/16 now and every service has its ports back" in said
    assert "3 up again" in said
    assert "data-since" not in html
    assert "data-ended" in html
    dark = JobService.objects.get(job=job, name="shop_web").dark_seconds
    assert dark is not None
    assert f"00:{int(dark):02}" in said


def test_a_job_that_is_done_leads_to_the_network_that_it_made(as_author: Client, three: Cluster, job: Job) -> None:
    place = f"/jobs/{job.pk}/network"
    assert place not in page(as_author, job)
    job_stories.done(job_stories.dark(job_stories.recorded(job, ago=60)))
    assert f'href="{place}"' in page(as_author, job)
    assert as_author.get(place).headers["Location"] == reverse("networks", args=[three.name])  # nobody has seen it yet
    made = make_ingress("10.11.0.0/16", id="id-made", labels=((JOB_LABEL, str(job.pk)),))
    swarm = replace(make_swarm(ingress=made, networks=[make_network()]), observed_at=timezone.now())
    assert observations.keep(cluster=three, swarm=swarm)
    assert as_author.get(place).headers["Location"] == reverse("network", args=[three.name, "id-made"])
    Cluster.objects.update(removed_at=timezone.now())
    assert place not in page(as_author, job)


def test_it_leads_to_the_one_that_stays_while_one_between_is_there_too(
    as_author: Client, three: Cluster, job: Job
) -> None:
    marks = {"id-between": f"{job.pk}-1", "id-stays": f"{job.pk}-2", "id-other": f"{job.pk}9-3"}
    networks = [replace(make_network(id_), labels=((JOB_LABEL, mark),)) for id_, mark in marks.items()]
    swarm = replace(make_swarm(networks=networks), observed_at=timezone.now())
    assert observations.keep(cluster=three, swarm=swarm)
    stays = next(network for network in networks if network.name == "id-stays")
    assert as_author.get(f"/jobs/{job.pk}/network").headers["Location"] == reverse(
        "network", args=[three.name, stays.id]
    )


def test_a_service_that_somebody_else_changed_or_removed_is_named(as_author: Client, job: Job) -> None:
    story = job_stories.recorded(job)
    step = story.begin()
    story.ledger.change_service(story.row("shop_web"), step=step, edited=["/Labels/owner"])
    story.ledger.change_service(story.row("shop_api"), step=step, state=State.GONE)
    said = text(page(as_author, job))
    assert "changed by somebody else meanwhile, kept: /Labels/owner" in said
    assert "Removed by somebody else" in said


def test_what_people_wrote_is_never_markup(as_author: Client, job: Job) -> None:
    story = job_stories.started(job)
    story.say("<script>alert(1)</script>")
    html = page(as_author, job)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_poll_brings_the_state_and_the_lines_after_a_number(as_author: Client, job: Job) -> None:
    story = job_stories.recorded(job)
    seq = Job.objects.get(pk=job.pk).last_seq
    story.say("One more")
    story.say("And another")
    response = as_author.get(f"/jobs/{job.pk}/live?after={seq}")
    html = response.content.decode()
    assert re.findall(r'data-seq="(\d+)"', html) == [str(seq + 1), str(seq + 2)]
    for part in ("job-state", "job-actions", "job-notes", "job-steps", "job-counts", "service-id-shop_web"):
        assert html.count(f'id="{part}"') == 1
    assert "data-ended" not in html
    assert response.headers["Cache-Control"] == "no-store"
    story.end(JobEvent.FAIL, "It came to nothing")
    assert "data-ended" in as_author.get(f"/jobs/{job.pk}/live?after=nonsense").content.decode()


def test_the_page_holds_the_newest_lines_and_the_log_page_all(as_author: Client, job: Job) -> None:
    last = Job.objects.get(pk=job.pk).last_seq
    Event.objects.bulk_create(
        Event(job=job, seq=last + n, at=job.created_at, kind="note", message=f"Line {n}", level=level)
        for n, level in zip(range(1, 1201), ["info"] * 1190 + ["warning"] * 9 + ["error"], strict=True)
    )
    Job.objects.filter(pk=job.pk).update(last_seq=last + 1200)
    html = page(as_author, job)
    assert html.count('class="line') == 500
    assert f'data-seq="{last + 1200}"' in html
    assert f"{last + 700} earlier lines" in text(html)

    pages = [as_author.get(f"/jobs/{job.pk}/log?page={n}").content.decode() for n in (1, 2, 3)]
    numbers = [int(n) for html in pages for n in re.findall(r'data-seq="(\d+)"', html)]
    assert numbers == list(range(1, last + 1201))
    assert "501 to 1000 of" in text(pages[1])
    assert 'href="?page=3"' in pages[1]
    assert as_author.get(f"/jobs/{job.pk}/log?level=warning").content.decode().count('class="line') == 10
    errors = as_author.get(f"/jobs/{job.pk}/log?level=error").content.decode()
    assert "Line 1200" in errors
    assert errors.count('class="line') == 1


def test_a_job_that_is_not_there_is_not_found(as_author: Client, job: Job) -> None:
    for path in ("", "live", "log"):
        assert as_author.get(f"/jobs/{job.pk + 1}/{path}").status_code == 404
    for action in ("cancel", "restore", "resume", "accept"):
        assert as_author.post(f"/jobs/{job.pk + 1}/{action}", {"reason": "x"}).status_code == 404


@pytest.mark.parametrize("path", ["", "live", "log"])
def test_the_queries_of_a_page_do_not_grow_with_the_services(as_author: Client, path: str) -> None:
    counts = []
    for number in (3, 100):
        job = job_stories.queued(job_stories.cluster(f"c{number}", number))
        story = job_stories.recorded(job)
        step = story.begin()
        story.take_off(step, [row.name for row in story.job.services.all()][:50])
        as_author.get(f"/jobs/{job.pk}/{path}")  # fills what a process reads once
        with CaptureQueriesContext(connection) as queries:
            as_author.get(f"/jobs/{job.pk}/{path}")
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[0] <= 20


def test_cancelling_before_it_started_leaves_nothing_to_do(as_author: Client, author: User, job: Job) -> None:
    assert "Nothing has been changed yet." in text(page(as_author, job))
    job_service.cancel(job=job, person=author, now=job.created_at)
    assert "Cancelled by ana before it started" in text(page(as_author, job))
