"""Wake-ups: "something of job N was committed". Hints only; the database has the truth, and all may be lost.

With Redis they are a publish; without it whoever waits looks again every half second.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator

import redis
import redis.asyncio
from django.conf import settings

from overlayweb.brokers import Broker

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
IDLE_SECONDS = 5.0
"""With Redis: look at the database at least this often, as publishes may be lost."""


def ring(job_id: int) -> None:
    """Wake whoever watches the job. Never raises: a lost wake-up costs a moment, not the truth."""
    client = _publisher()
    if client is None:
        return
    try:
        client.publish(_channel(job_id), "")
    except redis.RedisError as error:
        logger.debug("wake-up of job %s lost: %s", job_id, error)


async def listen(job_id: int) -> AsyncIterator[None]:
    """Yield whenever it is worth looking at the job again, for as long as the caller likes."""
    broker: Broker = settings.OVERLAYWEB_BROKER
    while broker.redis_url:
        try:
            async for _ in _subscribed(broker.redis_url, job_id):
                yield
        except redis.RedisError:
            # Redis is away: poll until it is back.
            await asyncio.sleep(POLL_SECONDS)
            yield
    while True:
        await asyncio.sleep(POLL_SECONDS)
        yield


async def _subscribed(url: str, job_id: int) -> AsyncIterator[None]:
    client = redis.asyncio.from_url(url, socket_connect_timeout=1)
    try:
        async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(_channel(job_id))
            yield  # what was published before the subscription was there is seen by looking once now
            while True:
                await pubsub.get_message(timeout=IDLE_SECONDS)
                yield
    finally:
        with contextlib.suppress(redis.RedisError):
            await client.aclose()


@functools.cache
def _publisher() -> redis.Redis | None:
    broker: Broker = settings.OVERLAYWEB_BROKER
    if not broker.redis_url:
        return None
    # Short limits: progress must never wait for a Redis that is away.
    return redis.Redis.from_url(broker.redis_url, socket_connect_timeout=0.2, socket_timeout=0.5)


def _channel(job_id: int) -> str:
    return f"overlayweb:job:{job_id}"
