"""From an address to an engine that can be asked."""

from collections.abc import Callable
from datetime import UTC, datetime

from overlayweb.engine.calls import Calls
from overlayweb.engine.endpoints import Endpoint, InvalidEndpoint, local_endpoint
from overlayweb.engine.errors import Refused
from overlayweb.engine.swarm import DockerEngine
from overlayweb.engine.transport import open_session

__all__ = ["DockerEngine", "Endpoint", "InvalidEndpoint", "connect", "local_endpoint"]

OLDEST_API = (1, 41)
"""Docker Engine 20.10."""


def connect(
    endpoint: Endpoint, *, timeout_seconds: float = 10, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> DockerEngine:
    """Reach an engine and agree on the API version: the engine's own. Says nothing yet on whether it is a manager.

    ``timeout_seconds`` limits connecting and each wait for bytes, of every call. Raises EngineUnreachable,
    InvalidEndpoint for unusable TLS material, Refused for an engine that is too old.
    """
    session, base_url = open_session(endpoint)
    calls = Calls(session=session, base_url=base_url, endpoint=endpoint, timeout_seconds=timeout_seconds)
    try:
        engine_version, api_version = calls.get("version", as_=_versions, doing="ask the engine for its version")
        _check_age(engine_version, api_version, endpoint)
    except BaseException:
        calls.close()
        raise
    calls.use_version(api_version)
    return DockerEngine(calls=calls, engine_version=engine_version, api_version=api_version, now=now)


def _check_age(engine_version: str, api_version: str, endpoint: Endpoint) -> None:
    if _numbers(api_version) < OLDEST_API:
        raise Refused(f"Engine {engine_version} at {endpoint} is too old: 20.10 is the oldest that will do.")


def _versions(raw: dict[str, str]) -> tuple[str, str]:
    _numbers(raw["ApiVersion"])
    return raw["Version"], raw["ApiVersion"]


def _numbers(api_version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in api_version.split("."))
