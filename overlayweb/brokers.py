"""Choosing how messages reach the worker, from what the machine has.

The database is the truth and a message only a doorbell, so all three kinds do the whole work; they differ in
speed and in how many machines they reach.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
LONGEST_SOCKET_PATH = 103


class Kind(StrEnum):
    """Where messages travel."""

    GIVEN_REDIS = "given-redis"
    """A Redis named by REDIS_URL, run by somebody else; reaches workers on other machines."""
    PRIVATE_REDIS = "private-redis"
    """A redis-server of our own on a socket in the data folder, started and stopped with `up`."""
    FOLDER = "folder"
    """Files in the data folder; no program needed, this machine only."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The chosen broker. `url` is Celery's; `redis_url` is redis-py's, None without Redis; `reason` is for people."""

    kind: Kind
    url: str
    redis_url: str | None
    reason: str
    folder: Path


def choose(*, redis_url: str, redis_program: str | None, data: Path) -> Broker:
    """Choose by REDIS_URL ("" = not set), the path of a redis-server (None = not installed) and the data folder."""
    folder = data / "messages"
    if redis_url:
        reason = "Messages travel through the Redis of REDIS_URL."
        kind = Kind.GIVEN_REDIS
        return Broker(kind=kind, url=_celery_url(redis_url), redis_url=redis_url, reason=reason, folder=folder)
    socket = data / "redis.sock"
    too_long = len(bytes(socket)) > LONGEST_SOCKET_PATH
    if redis_program and not too_long:
        url = f"unix://{socket}"
        reason = "Messages travel through a private redis-server in the data folder."
        kind = Kind.PRIVATE_REDIS
        return Broker(kind=kind, url=_celery_url(url), redis_url=url, reason=reason, folder=folder)
    why = "the data folder's path is too long for a socket" if redis_program else "no redis-server is installed"
    reason = f"Messages travel through files in the data folder ({why}); live pages follow every half second."
    return Broker(kind=Kind.FOLDER, url="filesystem://", redis_url=None, reason=reason, folder=folder)


def _celery_url(redis_url: str) -> str:
    """Kombu spells a Redis on a unix socket `redis+socket://`, redis-py `unix://`."""
    scheme, separator, rest = redis_url.partition("://")
    return f"redis+socket{separator}{rest}" if scheme == "unix" else redis_url
