"""In which order services come back: the slow stoppers and those with a health check at once, the others in turns."""

import pytest

from overlayweb.domain.specs import Spec
from overlayweb.models import JobService
from overlayweb.workflows.ingress_rebuild import turns

CHECK = {"Test": ["CMD", "true"]}
NO_CHECK = {"Test": ["NONE"]}


def row(name: str, *, released_after: float, check: dict[str, list[str]] | None = None) -> JobService:
    """A service that was released so many seconds after the first one."""
    container = {"Image": "web", **({"Healthcheck": check} if check else {})}
    target = Spec.of({"Name": name, "TaskTemplate": {"ContainerSpec": container}})
    return JobService(name=name, release_after_seconds=released_after, target=target.text)


def names(rows: list[JobService]) -> list[str]:
    return [row.name for row in rows]


def test_slow_ones_and_those_with_a_health_check_come_at_once() -> None:
    rows = [
        row("web", released_after=8.3),
        row("checked", released_after=8.3, check=CHECK),
        row("switched-off", released_after=8.3, check=NO_CHECK),
        row("slow", released_after=0.0),
        row("slowish", released_after=2.5),
    ]
    at_once, one_by_one = turns(rows)
    assert names(at_once) == ["slow", "slowish", "checked"]
    assert names(one_by_one) == ["web", "switched-off"]


@pytest.mark.parametrize("rows", [[], [row("web", released_after=0.0), row("api", released_after=1.3)]])
def test_where_none_is_slow_all_come_at_once(rows: list[JobService]) -> None:
    assert turns(rows) == (rows, [])
