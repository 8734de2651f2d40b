"""Which engines are imitated, and what a client that asks for an older API version gets to see of them."""

import re
from dataclasses import dataclass
from typing import Any

from overlayweb.simulator.errors import ApiError

Document = dict[str, Any]

_PREFIX = re.compile(r"/v(\d+\.\d+)(?=/)")
_VERSION_WORDS = "client version {} is too {}. {} supported API version is {}{}"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine as Debian packages it, but for the newest, which is as its makers do.

    ``api`` is the newest version of the API that it speaks, ``oldest_api`` the oldest.
    """

    version: str
    api: str
    oldest_api: str
    go: str
    commit: str
    build_time: str
    kernel: str = "6.1.0-40-amd64"
    os: str = "linux"
    arch: str = "amd64"


ENGINES = {
    "20.10": Engine(
        version="20.10.24+dfsg1",
        api="1.41",
        oldest_api="1.12",
        go="go1.19.8",
        commit="5d6db84",
        build_time="2023-05-18T08:38:34.000000000+00:00",
    ),
    "26.1": Engine(
        version="26.1.5+dfsg1",
        api="1.45",
        oldest_api="1.24",
        go="go1.24.4",
        commit="411e817",
        build_time="2025-09-29T04:56:35.000000000+00:00",
    ),
    "28.5": Engine(
        version="28.5.2+dfsg4",
        api="1.51",
        oldest_api="1.24",
        go="go1.25.4",
        commit="89c5e8f",
        build_time="2026-04-19T08:36:11.000000000+00:00",
    ),
    "29": Engine(
        version="29.0.0",
        api="1.52",
        oldest_api="1.44",
        go="go1.25.4",
        commit="d105562",
        build_time="2025-11-10T21:53:10.000000000+00:00",
    ),
}


def split(path: str, engine: Engine) -> tuple[str, str]:
    """The API version that a path asks for, the engine's own where it names none, and the rest of the path.

    Raises the engine's refusal of a version that it does not speak. Source: moby, server/middleware/version.go.
    """
    found = _PREFIX.match(path)
    if found is None:
        return engine.api, path
    asked = found[1]
    if at_least(engine.oldest_api, asked) and asked != engine.oldest_api:
        upgrade = ", please upgrade your client to a newer version"
        raise ApiError(400, _VERSION_WORDS.format(asked, "old", "Minimum", engine.oldest_api, upgrade))
    if not at_least(engine.api, asked):
        raise ApiError(400, _VERSION_WORDS.format(asked, "new", "Maximum", engine.api, ""))
    return asked, path[found.end() :]


def at_least(version: str, least: str) -> bool:
    """Whether an API version is ``least`` or a later one."""
    return _numbers(version) >= _numbers(least)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def network(document: Document, *, engine: Engine) -> Document:
    """A network as the engine tells it: which address families are on is told since API 1.48."""
    if at_least(engine.api, "1.48"):
        return document
    return {name: value for name, value in document.items() if name != "EnableIPv4"}


def swarm_task(document: Document, *, engine: Engine) -> Document:
    """A Swarm task as the engine tells it: cluster volumes are told since API 1.42."""
    if at_least(engine.api, "1.42"):
        return document
    return {name: value for name, value in document.items() if name != "Volumes"}


def created_service(document: Document, *, engine: Engine) -> Document:
    """The answer to the creation of a service: newer engines always say that there are no warnings."""
    return {"Warnings": None, **document} if at_least(engine.api, "1.44") else document


def known_parts(spec: Document, *, asked: str) -> Document:
    """A service's spec without what the API version that is asked for does not know. Source: moby, swarm/helpers.go."""
    container = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    if not at_least(asked, "1.44"):
        (container.get("Healthcheck") or {}).pop("StartInterval", None)
    if not at_least(asked, "1.46"):
        container.pop("OomScoreAdj", None)
    return spec
