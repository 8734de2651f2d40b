"""In which order services come back: the slow stoppers and those with a health check at once, the others in turns."""

import pytest

from overlayweb.domain.specs import Spec
from overlayweb.domain.turns import in_turns

CHECK = {"Test": ["CMD", "true"]}
NO_CHECK = {"Test": ["NONE"]}


def service(name: str, seconds: float, check: dict[str, list[str]] | None = None) -> tuple[str, float, Spec]:
    """One that is released so many seconds after the first."""
    container = {"Image": "web", **({"Healthcheck": check} if check else {})}
    return name, seconds, Spec.of({"Name": name, "TaskTemplate": {"ContainerSpec": container}})


def test_slow_ones_and_those_with_a_health_check_come_at_once() -> None:
    services = [
        service("web", 8.3),
        service("checked", 8.3, CHECK),
        service("switched-off", 8.3, NO_CHECK),
        service("slow", 0.0),
        service("slowish", 2.5),
    ]
    found = in_turns(services)
    assert (found.slow, found.checked, found.others) == (("slow", "slowish"), ("checked",), ("web", "switched-off"))


@pytest.mark.parametrize("services", [[], [service("web", 0.0), service("api", 1.3)]])
def test_where_none_is_slow_all_come_at_once(services: list[tuple[str, float, Spec]]) -> None:
    found = in_turns(services)
    assert (found.slow, found.checked, found.others) == (tuple(name for name, _, _ in services), (), ())
