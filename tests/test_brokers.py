"""Which way messages travel, by what the machine has."""

from pathlib import Path

import pytest

from overlayweb import brokers

DATA = Path("/srv/overlayweb")


@pytest.mark.parametrize(
    ("given", "celery"),
    [
        ("redis://queue:6379/0", "redis://queue:6379/0"),
        ("rediss://queue:6380/1", "rediss://queue:6380/1"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ],
)
def test_a_given_redis_wins(given: str, celery: str) -> None:
    broker = brokers.choose(redis_url=given, redis_program="/usr/bin/redis-server", data=DATA)

    assert (broker.kind, broker.url, broker.redis_url) == (brokers.Kind.GIVEN_REDIS, celery, given)


def test_an_installed_redis_runs_privately_on_a_socket() -> None:
    broker = brokers.choose(redis_url="", redis_program="/usr/bin/redis-server", data=DATA)

    assert broker.kind is brokers.Kind.PRIVATE_REDIS
    assert broker.url == "redis+socket:///srv/overlayweb/redis.sock"
    assert broker.redis_url == "unix:///srv/overlayweb/redis.sock"


def test_without_any_redis_messages_are_files() -> None:
    broker = brokers.choose(redis_url="", redis_program=None, data=DATA)

    assert (broker.kind, broker.redis_url) == (brokers.Kind.FOLDER, None)
    assert broker.folder == DATA / "messages"
    assert "no redis-server is installed" in broker.reason


def test_a_path_too_long_for_a_socket_is_said_and_gone_around() -> None:
    longest = Path("/" + "d" * (brokers.LONGEST_SOCKET_PATH - len("//redis.sock")))
    longer = Path(f"{longest}d")

    assert brokers.choose(redis_url="", redis_program="r", data=longest).kind is brokers.Kind.PRIVATE_REDIS
    broker = brokers.choose(redis_url="", redis_program="r", data=longer)
    assert broker.kind is brokers.Kind.FOLDER
    assert "too long for a socket" in broker.reason
