"""Updates of services: what restarts Swarm tasks, in which order, and what an update that goes wrong leaves behind."""

from datetime import datetime

import pytest

from tests.contract import deeds
from tests.contract.deeds import SECOND
from tests.contract.grounds import Document, Ground
from tests.lab import services
from tests.lab.services import ingress_port, replicated

AT_ONCE = {"Parallelism": 0, "Order": "stop-first", "FailureAction": "continue", "Monitor": SECOND}
IMPOSSIBLE = {"Resources": {"Reservations": {"NanoCPUs": 100_000 * SECOND}}}


def _state(ground: Ground, service_id: str) -> str:
    return str(deeds.service(ground, service_id).get("UpdateStatus", {}).get("State", ""))


def _until_state(ground: Ground, service_id: str, state: str) -> None:
    ground.until(lambda: _state(ground, service_id) == state, f"the update to be {state}", seconds=60)


def _failing(spec: Document, *, action: str) -> Document:
    """The spec with a command that fails, at once for all tasks."""
    container = {**spec["TaskTemplate"]["ContainerSpec"], "Command": ["/bin/no-such-program"]}
    update = {"Parallelism": 1, "FailureAction": action, "Monitor": 2 * SECOND, "Order": "stop-first"}
    return {**spec, "TaskTemplate": {**spec["TaskTemplate"], "ContainerSpec": container}, "UpdateConfig": update}


def test_labels_update_settings_and_replicas_restart_nothing(idle: Ground) -> None:
    made = deeds.web(idle)
    before = deeds.ids(idle, made)
    deeds.change(idle, made, Labels={"owner": "shop"}, UpdateConfig=AT_ONCE, RollbackConfig=AT_ONCE)
    deeds.change(idle, made, Mode={"Replicated": {"Replicas": 4}})
    idle.until(lambda: deeds.status(idle, made)["RunningTasks"] == 4, "the fourth to run")
    assert before < deeds.ids(idle, made)
    assert _state(idle, made) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"EndpointSpec": deeds.published(8101)},
        {"template": {"ForceUpdate": 1}},
        {"template": {"ContainerSpec": {"Image": "lab/web:1", "Init": True, "Env": ["A=B"]}}},
    ],
    ids=["ports", "force", "container"],
)
def test_ports_and_the_template_restart_every_task(idle: Ground, change: Document) -> None:
    made = deeds.web(idle)
    before = deeds.ids(idle, made)
    deeds.change(idle, made, UpdateConfig=AT_ONCE, **change)
    _until_state(idle, made, "completed")
    running = {row["ID"] for row in deeds.rows(idle, made) if row["Status"]["State"] == "running"}
    assert (len(running), running & before) == (3, set())


def test_a_placement_that_the_nodes_already_fit_restarts_nothing(idle: Ground) -> None:
    made = deeds.web(idle)
    before = deeds.ids(idle, made)
    deeds.change(idle, made, template={"Placement": {"Constraints": ["node.platform.os==linux"]}})
    idle.let_pass(5)
    assert deeds.ids(idle, made) == before


def test_parallelism_0_stops_all_at_once(idle: Ground) -> None:
    made = deeds.create(idle, services.slow_stopping("legacy", replicas=3))
    deeds.change(idle, made, template={"ForceUpdate": 1}, UpdateConfig=AT_ONCE)
    _until_state(idle, made, "completed")
    starts = [row["CreatedAt"][:19] for row in deeds.rows(idle, made) if row["DesiredState"] == "running"]
    assert len(set(starts)) <= 2, "created in the same second, or over a second's edge"


def test_one_after_the_other_waits_for_each_and_the_update_watches_the_last(idle: Ground) -> None:
    made = deeds.web(idle)
    one = {"Parallelism": 1, "Order": "stop-first", "Monitor": 3 * SECOND, "Delay": 2 * SECOND}
    deeds.change(idle, made, template={"ForceUpdate": 1}, UpdateConfig=one)
    most = 0
    while _state(idle, made) != "completed":
        most = max(most, 3 - deeds.status(idle, made)["RunningTasks"])
        idle.let_pass(0.2)
    assert most == 1
    rows = [row for row in deeds.rows(idle, made) if row["Status"]["State"] == "running"]
    created = sorted(_moment(row["CreatedAt"]) for row in rows)
    running = sorted(_moment(row["Status"]["Timestamp"]) for row in rows)
    assert [later - earlier >= 2 for earlier, later in zip(running, created[1:], strict=False)] == [True, True]
    assert _moment(deeds.service(idle, made)["UpdateStatus"]["CompletedAt"]) - running[-1] >= 3


def _moment(text: str) -> float:
    """Seconds; an engine tells nanoseconds."""
    return datetime.fromisoformat(f"{text[:19]}+00:00").timestamp() + float(f"0{text[19:].rstrip('Z')}")


def test_start_first_never_has_less_than_is_wanted(idle: Ground) -> None:
    made = deeds.create(idle, services.start_first("portal", ingress_port(8004)))
    deeds.change(idle, made, template={"ForceUpdate": 1})
    least = 2
    while _state(idle, made) != "completed":
        least = min(least, deeds.status(idle, made)["RunningTasks"])
        idle.let_pass(0.2)
    assert least == 2


def test_an_update_goes_from_updating_to_completed_and_the_next_begins_anew(idle: Ground) -> None:
    made = deeds.web(idle)
    deeds.change(idle, made, template={"ForceUpdate": 1}, UpdateConfig=AT_ONCE)
    _until_state(idle, made, "updating")
    assert deeds.service(idle, made)["UpdateStatus"]["Message"] == "update in progress"
    _until_state(idle, made, "completed")
    told = deeds.service(idle, made)["UpdateStatus"]
    assert (told["Message"], sorted(told)) == ("update completed", ["CompletedAt", "Message", "StartedAt", "State"])
    # Ports show in no task: whoever waits for the end of such an update waits for this word, and not for an old one.
    deeds.change(idle, made, Labels={"owner": "shop"})
    assert _state(idle, made) == ""


def test_an_update_that_fails_pauses_and_any_other_goes_on(idle: Ground) -> None:
    made = deeds.web(idle)
    good = deeds.service(idle, made)["Spec"]
    deeds.write(idle, made, _failing(good, action="pause"))
    _until_state(idle, made, "paused")
    message = deeds.service(idle, made)["UpdateStatus"]["Message"]
    assert message.startswith("update paused due to failure or early termination of task ")
    deeds.change(idle, made, Labels={"seen": "yes"})
    assert _state(idle, made) != "paused"
    deeds.write(idle, made, good)
    idle.until(lambda: deeds.full(idle, made) and _state(idle, made) == "completed", "it to run again", seconds=90)


def test_an_update_that_fails_rolls_back_where_it_shall(idle: Ground) -> None:
    made = deeds.web(idle)
    good = deeds.service(idle, made)["Spec"]
    deeds.write(idle, made, _failing(good, action="rollback"))
    _until_state(idle, made, "rollback_completed")
    assert deeds.service(idle, made)["Spec"]["TaskTemplate"] == good["TaskTemplate"]
    idle.until(lambda: deeds.status(idle, made)["RunningTasks"] == 3, "three to run", seconds=60)


def test_rollback_changes_the_spec_and_the_previous_one_over(idle: Ground) -> None:
    made = deeds.web(idle)
    before = deeds.service(idle, made)["Spec"]
    deeds.change(idle, made, Labels={"owner": "shop"})
    row = deeds.service(idle, made)
    assert row["PreviousSpec"] == before
    answer = idle.ask(
        "POST", f"/services/{made}/update", row["Spec"], version=row["Version"]["Index"], rollback="previous"
    )
    assert (answer.status, answer.content) == (200, {"Warnings": None})
    after = deeds.service(idle, made)
    assert (after["Spec"], after["PreviousSpec"]) == (before, row["Spec"])


def test_a_version_is_good_once(idle: Ground) -> None:
    made = deeds.create(idle, replicated("web", replicas=0))
    row = deeds.service(idle, made)
    path, version = f"/services/{made}/update", row["Version"]["Index"]
    answers = [idle.ask("POST", path, {**row["Spec"], "Labels": {"n": n}}, version=version) for n in ("1", "2")]
    assert [answer.status for answer in answers] == [200, 500]
    assert deeds.service(idle, made)["Spec"]["Labels"] == {"n": "1"}


def test_the_swarm_raises_the_version_by_itself(idle: Ground) -> None:
    made = deeds.web(idle)
    deeds.change(idle, made, EndpointSpec=deeds.published(8101), UpdateConfig=AT_ONCE)
    first = deeds.service(idle, made)["Version"]["Index"]
    _until_state(idle, made, "completed")
    assert deeds.service(idle, made)["Version"]["Index"] > first


@pytest.mark.parametrize("kind", ["replicated", "global"])
def test_a_held_service_stops_once_and_its_rows_are_proof(idle: Ground, kind: str) -> None:
    port = ingress_port(8001)
    made = deeds.create(idle, replicated("web", port) if kind == "replicated" else services.everywhere("web", port))
    original, old = deeds.service(idle, made)["Spec"], deeds.ids(idle, made)
    deeds.change(idle, made, EndpointSpec=deeds.unpublished(), template=IMPOSSIBLE, UpdateConfig=AT_ONCE)
    idle.until(lambda: deeds.states(idle, made) == {"pending": 3}, "new ones to wait as pending")
    idle.until(lambda: _ended(idle, made, old) == old, "the rows of the old ones to show their end")
    assert deeds.status(idle, made)["RunningTasks"] == 0
    assert "Ports" not in deeds.service(idle, made)["Endpoint"]

    start_first = {**AT_ONCE, "Order": "start-first"}
    deeds.write(idle, made, {**original, "UpdateConfig": start_first})
    idle.until(lambda: deeds.status(idle, made)["RunningTasks"] == 3, "three to run", seconds=20)
    running = {row["ID"] for row in deeds.rows(idle, made) if row["Status"]["State"] == "running"}
    deeds.write(idle, made, original)
    idle.let_pass(2)
    assert deeds.service(idle, made)["Spec"] == original
    assert {row["ID"] for row in deeds.rows(idle, made) if row["Status"]["State"] == "running"} == running


def _ended(ground: Ground, service_id: str, ids: set[str]) -> set[str]:
    return {row["ID"] for row in deeds.rows(ground, service_id) if row["Status"]["State"] == "shutdown"} & ids
