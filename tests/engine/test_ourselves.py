"""Overlayweb finds itself among the services."""

import pytest

from overlayweb.domain.specs import Spec
from overlayweb.domain.swarm import SELF_LABEL, Service, SwarmTask
from overlayweb.engine import ourselves

OURS, OTHER = "a1" * 32, "b2" * 32
INSIDE = f"""\
612 588 0:99 / /proc rw,nosuid - proc proc rw
620 601 8:1 /var/lib/docker/containers/{OURS}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/sda1 rw
621 601 8:1 /var/lib/docker/containers/{OURS}/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw
630 601 8:1 /srv/{OTHER}/data /data rw - ext4 /dev/sda1 rw
"""
OUTSIDE = f"""\
29 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
55 29 0:45 / /var/lib/docker/containers/{OTHER}/mounts/shm rw,nosuid - tmpfs shm rw
"""


def _service(name: str, *, stack: str = "", labels: dict[str, str] | None = None, inner: str = "") -> Service:
    container = {"Labels": {inner: ""}} if inner else {}
    document = {"Name": name, "TaskTemplate": {"ContainerSpec": container}}
    return Service(
        id=name, version=1, name=name, spec=Spec.of(document), stack=stack, labels=tuple((labels or {}).items())
    )


def _task(service_id: str, container_id: str) -> SwarmTask:
    return SwarmTask(
        id=f"t-{service_id}",
        service_id=service_id,
        node_id="n1",
        state="running",
        desired_state="running",
        container_id=container_id,
    )


def test_the_mounts_of_a_container_tell_its_id() -> None:
    assert ourselves.ids_in_mounts(INSIDE) == {OURS}


def test_outside_of_containers_the_mounts_tell_nothing() -> None:
    assert ourselves.ids_in_mounts(OUTSIDE) == set()


def test_the_environment_can_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERLAYWEB_CONTAINER_ID", OURS)
    assert OURS in ourselves.container_ids()


def test_an_environment_that_says_nonsense_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERLAYWEB_CONTAINER_ID", "a")
    assert "a" not in ourselves.container_ids()


@pytest.mark.parametrize("hint", [OURS, OURS[:12]])
def test_the_service_of_the_container_and_its_whole_stack(hint: str) -> None:
    services = (
        _service("tool_web", stack="tool"),
        _service("tool_redis", stack="tool"),
        _service("shop_web", stack="shop"),
        _service("alone"),
    )
    tasks = (_task("tool_web", OURS), _task("shop_web", OTHER), _task("alone", ""))
    assert ourselves.service_ids(services=services, swarm_tasks=tasks, containers=[hint]) == ("tool_web", "tool_redis")


def test_a_service_of_no_stack_is_alone() -> None:
    services = (_service("tool"), _service("other"))
    found = ourselves.service_ids(services=services, swarm_tasks=[_task("tool", OURS)], containers=[OURS])
    assert found == ("tool",)


def test_labelled_services_are_ours_wherever_we_run() -> None:
    services = (_service("outer", labels={SELF_LABEL: ""}), _service("inner", inner=SELF_LABEL), _service("shop"))
    assert ourselves.service_ids(services=services, swarm_tasks=(), containers=()) == ("outer", "inner")


def test_without_hints_nothing_is_ours() -> None:
    found = ourselves.service_ids(services=[_service("shop")], swarm_tasks=[_task("shop", OTHER)], containers=[])
    assert found == ()
