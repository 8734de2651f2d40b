"""The live stream, over a real ASGI server: gapless replay, news without a reload, and ends when it must."""

import re
import time
from collections.abc import Iterator, Sized
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import OperationalError
from pytest_django.fixtures import Settings

from overlayweb import wakeups
from overlayweb.brokers import Broker, Kind
from overlayweb.domain.lifecycle import JobEvent
from overlayweb.models import Job
from overlayweb.web import rights, streams, watches
from tests.support.redis_server import RedisServer
from tests.web import job_stories, live
from tests.web.live import Server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["folder", pytest.param("redis", marks=pytest.mark.requires("redis"))])
def bell(request: pytest.FixtureRequest, settings: Settings) -> Iterator[str]:
    """Both ways by which news travels: by Redis, and by looking twice a second."""
    url = None
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        url = server.url
    use_redis(settings, url)
    yield request.param
    wakeups._publisher.cache_clear()


@pytest.fixture
def quiet_bell(settings: Settings) -> None:
    use_redis(settings, None)


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    with live.serving() as running:
        yield running


@pytest.fixture
def job(transactional_db: None) -> Job:
    return job_stories.queued(job_stories.cluster())


@pytest.fixture
def ben(job: Job) -> User:
    return User.objects.get(username="ben")


def use_redis(settings: Settings, url: str | None) -> None:
    broker: Broker = settings.OVERLAYWEB_BROKER
    kind = Kind.GIVEN_REDIS if url else Kind.FOLDER
    settings.OVERLAYWEB_BROKER = replace(broker, kind=kind, redis_url=url)
    wakeups._publisher.cache_clear()


def test_it_replays_the_whole_story_and_then_tells_what_is_new_at_once(
    bell: str, server: Server, job: Job, ben: User
) -> None:
    story = job_stories.recorded(job)
    stream = live.open_stream(server, job.pk, live.session_of(ben))
    last = Job.objects.get(pk=job.pk).last_seq
    stream.until_line(last)
    assert stream.lines == list(range(1, last + 1))
    state = stream.until("state")
    assert state.id == str(last)
    assert "Take 3 services off the ingress" in state.data
    assert 'id="service-id-shop_web"' in state.data

    asked = time.monotonic()
    story.begin()
    stream.until_line(last + 1)
    took = time.monotonic() - asked
    stream.close()
    assert stream.response.getheader("Content-Type") == "text/event-stream"
    assert took < (1.0 if bell == "redis" else wakeups.POLL_SECONDS + 1.5)


def test_only_what_changed_is_sent_again(bell: str, server: Server, job: Job, ben: User) -> None:
    story = job_stories.recorded(job)
    step = story.begin()
    stream = live.open_stream(server, job.pk, live.session_of(ben))
    stream.until("state")
    story.take_off(step, ["shop_web"])
    news = stream.until("state").data
    stream.close()
    assert 'id="service-id-shop_web"' in news
    assert "Leaving" in news
    assert 'id="service-id-shop_api"' not in news
    assert 'id="job-state"' not in news


def test_a_page_with_some_services_hears_of_those_alone(bell: str, server: Server, job: Job, ben: User) -> None:
    story = job_stories.recorded(job)
    step = story.begin()
    stream = live.open_stream(server, job.pk, live.session_of(ben), services="id-shop_web")
    state = stream.until("state").data
    assert re.findall(r'<tr id="service-id-(\w+)"', state) == ["shop_web"]
    story.take_off(step, ["shop_api", "shop_web"])
    news = ""
    while "1 still up, 2 leaving" not in news:
        news += stream.until("state").data
    stream.close()
    assert set(re.findall(r'<tr id="service-id-(\w+)"', news)) == {"shop_web"}


def test_whoever_comes_back_gets_exactly_what_was_missed(bell: str, server: Server, job: Job, ben: User) -> None:
    story = job_stories.started(job)
    session = live.session_of(ben)
    first = live.open_stream(server, job.pk, session)
    first.until("state")
    seen = int(first.seen[-1].id)
    first.close()
    for number in range(5):
        story.say(f"Line {number}")

    second = live.open_stream(server, job.pk, session, after=0, last=seen)
    second.until_line(seen + 5)
    second.close()
    assert second.lines == list(range(seen + 1, seen + 6))


def test_a_long_story_comes_whole_and_in_order_whoever_else_watches(
    quiet_bell: None, server: Server, job: Job, ben: User
) -> None:
    story = job_stories.started(job)
    session = live.session_of(ben)
    follower = live.open_stream(server, job.pk, session)
    follower.until("state")
    for number in range(1300):
        story.say(f"Line {number}")
    last = Job.objects.get(pk=job.pk).last_seq
    late = live.open_stream(server, job.pk, session, after=1)
    late.until_line(last)
    follower.until_line(last)
    late.close()
    follower.close()
    assert late.lines == list(range(2, last + 1))
    assert follower.lines == list(range(1, last + 1))


def test_many_streams_of_one_job_are_one_look_at_the_database(
    quiet_bell: None, server: Server, job: Job, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = watches.Watch._look

    async def counted(self: watches.Watch) -> None:
        looks.append(self.job_id)
        await real(self)

    monkeypatch.setattr(watches.Watch, "_look", counted)
    session = live.session_of(ben)
    opened = [live.open_stream(server, job.pk, session) for _ in range(10)]
    for stream in opened:
        stream.until("state")
    looks.clear()
    started = time.monotonic()
    time.sleep(2)
    expected = (time.monotonic() - started) / wakeups.POLL_SECONDS
    for stream in opened:
        stream.close()
    assert 1 <= len(looks) <= expected + 2
    eventually_empty(watches._watches)


def test_the_end_of_the_job_ends_the_stream(bell: str, server: Server, job: Job, ben: User) -> None:
    story = job_stories.dark(job_stories.recorded(job))
    stream = live.open_stream(server, job.pk, live.session_of(ben))
    stream.until("state")
    ended = job_stories.done(story)
    stream.until("end")
    assert stream.next() is None
    assert stream.lines == list(range(1, ended.last_seq + 1))
    final = [message for message in stream.seen if message.kind == "state"][-1]
    assert "every service has its ports back" in final.data
    stream.close()


def test_a_job_that_has_ended_is_told_and_closed(bell: str, server: Server, job: Job, ben: User) -> None:
    story = job_stories.started(job)
    story.end(JobEvent.FAIL, "Nothing came of it")
    stream = live.open_stream(server, job.pk, live.session_of(ben), after=1)
    stream.until("end")
    assert stream.next() is None
    assert "Nothing came of it" in "".join(message.data for message in stream.seen)
    stream.close()


@pytest.mark.parametrize("loss", ["signs out", "is blocked", "changes the password"])
def test_the_stream_closes_when_the_right_is_lost(
    loss: str, quiet_bell: None, server: Server, job: Job, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(rights, "AUTHORISE_SECONDS", 0.2)
    stream = live.open_stream(server, job.pk, live.session_of(ben))
    stream.until("beat")
    if loss == "signs out":
        Session.objects.all().delete()
    elif loss == "is blocked":
        User.objects.filter(pk=ben.pk).update(is_active=False)
    else:
        ben.set_password("another quiet long word")
        ben.save()
    stream.until("signed-out")
    assert stream.next() is None
    stream.close()


def test_all_are_asked_for_together_and_only_who_lost_the_right_goes(
    quiet_bell: None, server: Server, job: Job, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = rights._allowed

    def counted(of: frozenset[rights.Right]) -> frozenset[rights.Right]:
        asked.append(len(of))
        return real(of)

    monkeypatch.setattr(rights, "_allowed", counted)
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(rights, "AUTHORISE_SECONDS", 0.4)
    sessions = [live.session_of(User.objects.get(username=name)) for name in ("ben", "ana")]
    opened = [live.open_stream(server, job.pk, session) for session in sessions for _ in range(3)]
    for stream in opened:
        stream.until("state")
    Session.objects.filter(session_key=sessions[0]).delete()
    for stream in opened[:3]:
        stream.until("signed-out")
    for stream in opened[3:]:
        stream.seen.clear()
        for _ in range(5):
            stream.until("beat")
        assert "signed-out" not in [message.kind for message in stream.seen]
    for stream in opened:
        stream.close()
    assert set(asked) <= {1, 2}, "sessions, not streams"
    eventually_empty(rights._rounds)


@pytest.mark.parametrize("way", ["raises", "hangs"])
def test_a_database_that_cannot_tell_ends_the_stream_and_signs_nobody_out(
    way: str, quiet_bell: None, server: Server, job: Job, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(of: frozenset[rights.Right]) -> frozenset[rights.Right]:
        if way == "raises":
            raise OperationalError("database is locked")
        time.sleep(3)
        return of

    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(rights, "AUTHORISE_SECONDS", 0.2)
    session = live.session_of(ben)
    with monkeypatch.context() as locked:
        locked.setattr(rights, "ANSWER_SECONDS", 0.2)
        locked.setattr(rights, "_allowed", away)
        stream = live.open_stream(server, job.pk, session)
        assert None in (stream.next() for _ in range(12)), "it ends, sooner than whoever hangs has answered"
    assert "signed-out" not in [message.kind for message in stream.seen]
    stream.close()
    again = live.open_stream(server, job.pk, session)
    for _ in range(4):
        again.until("beat")
    again.close()


def test_the_right_is_asked_for_often_enough() -> None:
    assert streams.HEARTBEAT_SECONDS <= 15
    assert streams.HEARTBEAT_SECONDS + rights.AUTHORISE_SECONDS + rights.ANSWER_SECONDS < 30


def test_a_quiet_job_is_heard_of_and_holds_no_connection(
    quiet_bell: None, server: Server, job: Job, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.3)
    stream = live.open_stream(server, job.pk, live.session_of(ben))
    stream.until("beat")
    stream.until("beat")
    assert "data-now=" in stream.seen[-1].data
    stream.close()


def test_somebody_signed_out_gets_no_stream(server: Server, job: Job) -> None:
    stream = live.open_stream(server, job.pk, "")
    assert stream.status == 302
    stream.close()


def test_a_job_that_is_not_there_is_not_found(server: Server, job: Job, ben: User) -> None:
    stream = live.open_stream(server, job.pk + 1000, live.session_of(ben))
    assert stream.status == 404
    stream.close()


def test_one_person_has_only_so_many_streams(
    quiet_bell: None, server: Server, job: Job, ben: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STREAMS_PER_PERSON", 3)
    session = live.session_of(ben)
    opened = [live.open_stream(server, job.pk, session) for _ in range(3)]
    for stream in opened:
        stream.until("state")
    refused = live.open_stream(server, job.pk, session)
    assert refused.status == 429
    assert "3 live pages" in refused.response.read().decode()
    other = live.open_stream(server, job.pk, live.session_of(User.objects.get(username="ana")))
    assert other.status == 200

    opened.pop().close()
    deadline = time.monotonic() + live.LIMIT
    while (again := live.open_stream(server, job.pk, session)).status == 429 and time.monotonic() < deadline:
        again.close()
        time.sleep(0.1)
    assert again.status == 200
    for stream in [*opened, again, other, refused]:
        stream.close()
    eventually_empty(streams._open)


@pytest.mark.requires("redis")
def test_a_redis_that_freezes_delays_and_loses_nothing(
    redis_server: RedisServer, settings: Settings, server: Server, job: Job, ben: User
) -> None:
    use_redis(settings, redis_server.url)
    story = job_stories.started(job)
    stream = live.open_stream(server, job.pk, live.session_of(ben))
    stream.until("state")
    last = Job.objects.get(pk=job.pk).last_seq
    redis_server.freeze()
    story.say("While Redis hangs")
    stream.until_line(last + 1)
    redis_server.stop()
    story.say("While Redis is gone")
    stream.until_line(last + 2)
    redis_server.start()
    story.say("When Redis is back")
    stream.until_line(last + 3)
    stream.close()
    assert stream.lines == list(range(1, last + 4))
    wakeups._publisher.cache_clear()


def eventually_empty(what: Sized) -> None:
    deadline = time.monotonic() + live.LIMIT
    while what and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not what
