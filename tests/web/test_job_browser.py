"""The job page in a real browser: it follows without a reload, survives what happens, and disturbs nobody."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.fixtures import Settings

from overlayweb.domain.lifecycle import JobEvent
from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import Installation, Job
from overlayweb.services import jobs as job_service
from overlayweb.web import rights, streams
from tests.web import job_stories, live
from tests.web.live import Server
from tests.web.test_stream import use_redis

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.requires("chromium"),
    # Of whitenoise's files, which are read in one go and not as they are asked for.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators:Warning"),
]

AT_END = """(() => {
  const log = document.getElementById("job-log");
  return log.scrollTop + log.clientHeight >= log.scrollHeight - 2;
})()"""
RELOADED = "window.sameDocument = true"


@dataclass
class Cast:
    """A server, a queued job, and Ben's browser."""

    server: Server
    job: Job
    browser: BrowserContext
    complaints: list[str]

    def open(self) -> Page:
        """The job's page; whatever its console complains about is noted."""
        page = self.browser.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"{self.server.address}/jobs/{self.job.pk}/")
        page.evaluate(RELOADED)
        return page


@pytest.fixture
def cast(browser: Browser, transactional_db: None, settings: Settings) -> Iterator[Cast]:
    use_redis(settings, None)
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True  # nothing is collected in tests
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=timezone.now())
    job = job_stories.queued(job_stories.cluster())
    with live.serving() as server:
        context = browser.new_context()
        ben = live.session_of(User.objects.get(username="ben"))
        context.add_cookies([{"name": django_settings.SESSION_COOKIE_NAME, "value": ben, "url": server.address}])
        cast = Cast(server, job, context, [])
        yield cast
        context.close()
        assert cast.complaints == []


def same_document(page: Page) -> bool:
    """Whether the page is the one that was opened: not reloaded meanwhile."""
    return bool(page.evaluate("window.sameDocument === true"))


def numbers(page: Page) -> list[int]:
    """The numbers of the log lines that the page shows."""
    return [int(line.get_attribute("data-seq") or 0) for line in page.locator("#job-log li").all()]


def test_the_page_follows_the_job_to_its_end_without_a_reload(cast: Cast) -> None:
    page = cast.open()
    expect(page.locator("#job-state")).to_contain_text("Queued")
    story = job_stories.recorded(cast.job)
    expect(page.locator("#job-state")).to_contain_text("Running")
    step = story.begin()
    story.take_off(step, ["shop_web"])
    expect(page.locator("#service-id-shop_web")).to_contain_text("Leaving")
    expect(page.locator("#job-counts")).to_have_text("2 still up, 1 leaving")
    story.go_dark(step, ["shop_web"])
    clock = page.locator("#service-id-shop_web [data-since]")
    shown = clock.inner_text()
    expect(clock).not_to_have_text(shown)  # it ticks by itself
    story.take_off(step, ["shop_api", "shop_search"])
    story.ledger.finish(step, "3 of 3")
    story.do("No container is on the old ingress")
    story.ledger.pass_point_of_no_return(story.begin())
    expect(page.locator("#confirm-restore")).to_be_visible()
    expect(page.locator("#confirm-cancel")).to_have_count(0)
    story.ledger.finish(story.ledger.current_step(story.ledger.job()) or step, "It is gone")
    ended = job_stories.done(story)
    expect(page.locator("#job-notes")).to_contain_text("every service has its ports back")
    expect(page.locator("#job-actions")).to_have_text("")
    expect(page).to_have_title("Done · Rebuild ingress → 10.11.0.0/16 · Overlayweb")
    assert numbers(page) == list(range(1, ended.last_seq + 1))
    assert same_document(page)


def test_of_many_services_the_page_that_is_open_is_followed(cast: Cast) -> None:
    cast.job = job_stories.queued(job_stories.cluster("large", services=120))
    story = job_stories.recorded(cast.job)
    step = story.begin()
    page = cast.open()
    rows = page.locator(".job-services tbody tr")
    first, second = page.locator("#service-id-app0010"), page.locator("#service-id-app0070")
    page.get_by_role("link", name="Next").click()
    expect(second).to_contain_text("Still up")
    story.take_off(step, ["app0010", "app0070"])
    expect(second).to_contain_text("Leaving")
    expect(page.locator("#job-counts")).to_have_text("118 still up, 2 leaving")
    expect(rows).to_have_count(50)
    assert same_document(page)
    page.go_back()
    expect(first).to_contain_text("Leaving")
    story.go_dark(step, ["app0010"])
    expect(first).to_contain_text("Dark")
    expect(rows).to_have_count(50)
    page.get_by_label("Show").select_option("Leaving")
    expect(rows).to_have_count(1)
    story.go_dark(step, ["app0070"])
    expect(second).to_contain_text("Dark")


def test_it_goes_on_after_the_web_process_was_restarted(cast: Cast) -> None:
    story = job_stories.started(cast.job)
    page = cast.open()
    expect(page.locator("#job-state")).to_contain_text("Running")
    cast.server.stop()
    expect(page.locator("#job-connection")).to_have_text(
        "Connection lost; trying again. The job goes on without this page."
    )
    story.say("While nobody served pages")
    cast.server.start()
    expect(page.locator("#job-log")).to_contain_text("While nobody served pages", timeout=15000)
    expect(page.locator("#job-connection")).to_be_hidden(timeout=15000)
    story.say("And on")
    expect(page.locator("#job-log")).to_contain_text("And on")
    assert numbers(page) == list(range(1, Job.objects.get(pk=cast.job.pk).last_seq + 1))
    assert same_document(page)


def test_without_a_stream_it_asks_again_and_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_PER_PERSON", 0)
    story = job_stories.started(cast.job)
    page = cast.open()
    expect(page.locator("#job-connection")).to_contain_text("asks every 2 s")
    story.say("By asking")
    expect(page.locator("#job-log")).to_contain_text("By asking")
    story.ledger.end(JobEvent.FAIL, outcome="It came to nothing")
    expect(page.locator("#job-notes")).to_contain_text("It came to nothing")
    expect(page.locator("#job-connection")).to_be_hidden()
    assert numbers(page) == list(range(1, Job.objects.get(pk=cast.job.pk).last_seq + 1))


def test_what_somebody_types_opens_and_points_at_stays(cast: Cast) -> None:
    story = job_stories.dark(job_stories.recorded(cast.job))
    story.ledger.give_up(story.begin(), attention=["Restart Docker on node3."])
    page = cast.open()
    page.locator("#close-as-is summary").click()
    page.locator("#accept-reason").fill("node3 is")
    page.locator("#confirm-restore summary").click()
    page.locator("#accept-reason").focus()
    job_service.resume(job=cast.job, person=User.objects.get(username="ana"), now=story.time())
    expect(page.locator("#job-state")).to_contain_text("Running")
    expect(page.locator("#job-log")).to_contain_text("Continued by ana")
    assert page.evaluate("document.activeElement.id") == "accept-reason"
    expect(page.locator("#accept-reason")).to_have_value("node3 is")
    page.locator("#job-log").focus()
    expect(page.locator("#accept-reason")).to_have_count(0)


def test_an_open_confirmation_stays_open_while_the_rest_moves(cast: Cast) -> None:
    story = job_stories.recorded(cast.job)
    step = story.begin()
    page = cast.open()
    page.locator("#confirm-cancel summary").click()
    page.locator("#confirm-cancel button").focus()
    story.take_off(step, ["shop_web"])
    expect(page.locator("#service-id-shop_web")).to_contain_text("Leaving")
    expect(page.locator("#confirm-cancel button")).to_be_focused()
    page.locator("#confirm-cancel button").click()
    page.wait_for_load_state()
    assert Job.objects.get(pk=cast.job.pk).desired_state == "cancel"


def test_the_log_follows_until_somebody_scrolls_up(cast: Cast) -> None:
    story = job_stories.started(cast.job)
    for number in range(60):
        story.say(f"Line {number}")
    page = cast.open()
    assert page.evaluate(AT_END)
    story.say("At the end")
    expect(page.locator("#job-log")).to_contain_text("At the end")
    assert page.evaluate(AT_END)
    page.evaluate("document.getElementById('job-log').scrollTop = 0")
    expect(page.get_by_label("Follow")).not_to_be_checked()
    story.say("Further on")
    expect(page.locator("#job-log")).to_contain_text("Further on")
    assert page.evaluate("document.getElementById('job-log').scrollTop") == 0
    page.get_by_label("Follow").check()
    assert page.evaluate(AT_END)


def test_a_page_whose_reader_signed_out_says_so(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr(rights, "AUTHORISE_SECONDS", 0.3)
    job_stories.started(cast.job)
    page = cast.open()
    expect(page.locator("#job-state")).to_contain_text("Running")
    User.objects.filter(username="ben").update(is_active=False)
    expect(page.locator("#job-connection")).to_contain_text("You are signed out", timeout=10000)


def test_without_a_script_the_page_is_whole_and_offers_a_reload(cast: Cast, browser: Browser) -> None:
    job_stories.recorded(cast.job).begin()
    plain = browser.new_context(java_script_enabled=False)
    url = cast.server.address
    plain.add_cookies([{"name": c["name"], "value": c["value"], "url": url} for c in cast.browser.cookies()])
    page = plain.new_page()
    page.goto(f"{cast.server.address}/jobs/{cast.job.pk}/")
    expect(page.get_by_role("link", name="Reload")).to_be_visible()
    expect(page.locator("#job-steps")).to_contain_text("Take 3 services off the ingress")
    expect(page.locator("#service-id-shop_web")).to_contain_text("Still up")
    page.locator("#confirm-cancel summary").click()
    page.get_by_role("button", name="Cancel and put everything back").click()
    expect(page.locator("body")).to_contain_text("What had been changed is put back.")
    plain.close()
