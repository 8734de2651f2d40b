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


def test_labels_update_settings_and_replicas_restart_nothing(fresh: Ground) -> None:
    made = deeds.web(fresh)
    before = deeds.ids(fresh, made)
    deeds.change(fresh, made, Labels={"owner": "shop"}, UpdateConfig=AT_ONCE, RollbackConfig=AT_ONCE)
    deeds.change(fresh, made, Mode={"Replicated": {"Replicas": 4}})
    fresh.until(lambda: deeds.status(fresh, made)["RunningTasks"] == 4, "the fourth to run")
    assert before < deeds.ids(fresh, made)
    assert _state(fresh, made) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"EndpointSpec": deeds.published(8101)},
        {"template": {"ForceUpdate": 1}},
        {"template": {"ContainerSpec": {"Image": "lab/web:1", "Init": True, "Env": ["A=B"]}}},
    ],
    ids=["ports", "force", "container"],
)
def test_ports_and_the_template_restart_every_task(fresh: Ground, change: Document) -> None:
    made = deeds.web(fresh)
    before = deeds.ids(fresh, made)
    deeds.change(fresh, made, UpdateConfig=AT_ONCE, **change)
    _until_state(fresh, made, "completed")
    running = {row["ID"] for row in deeds.rows(fresh, made) if row["Status"]["State"] == "running"}
    assert (len(running), running & before) == (3, set())


def test_a_placement_that_the_nodes_already_fit_restarts_nothing(fresh: Ground) -> None:
    made = deeds.web(fresh)
    before = deeds.ids(fresh, made)
    deeds.change(fresh, made, template={"Placement": {"Constraints": ["node.platform.os==linux"]}})
    fresh.let_pass(5)
    assert deeds.ids(fresh, made) == before


def test_parallelism_0_stops_all_at_once(fresh: Ground) -> None:
    made = deeds.create(fresh, services.slow_stopping("legacy", replicas=3))
    deeds.change(fresh, made, template={"ForceUpdate": 1}, UpdateConfig=AT_ONCE)
    _until_state(fresh, made, "completed")
    starts = [row["CreatedAt"][:19] for row in deeds.rows(fresh, made) if row["DesiredState"] == "running"]
    assert len(set(starts)) <= 2, "created in the same second, or over a second's edge"


def test_one_after_the_other_waits_for_each_and_the_update_watches_the_last(fresh: Ground) -> None:
    made = deeds.web(fresh)
    one = {"Parallelism": 1, "Order": "stop-first", "Monitor": 3 * SECOND, "Delay": 2 * SECOND}
    deeds.change(fresh, made, template={"ForceUpdate": 1}, UpdateConfig=one)
    most = 0
    while _state(fresh, made) != "completed":
        most = max(most, 3 - deeds.status(fresh, made)["RunningTasks"])
        fresh.let_pass(0.2)
    assert most == 1
    rows = [row for row in deeds.rows(fresh, made) if row["Status"]["State"] == "running"]
    created = sorted(_moment(row["CreatedAt"]) for row in rows)
    running = sorted(_moment(row["Status"]["Timestamp"]) for row in rows)
    assert [later - earlier >= 2 for earlier, later in zip(running, created[1:], strict=False)] == [True, True]
    assert _moment(deeds.service(fresh, made)["UpdateStatus"]["CompletedAt"]) - running[-1] >= 3


def _moment(text: str) -> float:
    """Seconds; an engine tells nanoseconds."""
    return datetime.fromisoformat(f"{text[:19]}+00:00").timestamp() + float(f"0{text[19:].rstrip('Z')}")


def test_start_first_never_has_less_than_is_wanted(fresh: Ground) -> None:
    made = deeds.create(fresh, services.start_first("portal", ingress_port(8004)))
    deeds.change(fresh, made, template={"ForceUpdate": 1})
    least = 2
    while _state(fresh, made) != "completed":
        least = min(least, deeds.status(fresh, made)["RunningTasks"])
        fresh.let_pass(0.2)
    assert least == 2


def test_an_update_goes_from_updating_to_completed_and_the_next_begins_anew(fresh: Ground) -> None:
    made = deeds.web(fresh)
    deeds.change(fresh, made, template={"ForceUpdate": 1}, UpdateConfig=AT_ONCE)
    _until_state(fresh, made, "updating")
    assert deeds.service(fresh, made)["UpdateStatus"]["Message"] == "update in progress"
    _until_state(fresh, made, "completed")
    told = deeds.service(fresh, made)["UpdateStatus"]
    assert (told["Message"], sorted(told)) == ("update completed", ["CompletedAt", "Message", "StartedAt", "State"])
    # Ports show in no task: whoever waits for the end of such an update waits for this word, and not for an old one.
    deeds.change(fresh, made, Labels={"owner": "shop"})
    assert _state(fresh, made) == ""


def test_an_update_that_fails_pauses_and_any_other_goes_on(fresh: Ground) -> None:
    made = deeds.web(fresh)
    good = deeds.service(fresh, made)["Spec"]
    deeds.write(fresh, made, _failing(good, action="pause"))
    _until_state(fresh, made, "paused")
    message = deeds.service(fresh, made)["UpdateStatus"]["Message"]
    assert message.startswith("update paused due to failure or early termination of task ")
    deeds.change(fresh, made, Labels={"seen": "yes"})
    assert _state(fresh, made) != "paused"
    deeds.write(fresh, made, good)
    fresh.until(lambda: deeds.full(fresh, made) and _state(fresh, made) == "completed", "it to run again", seconds=90)


def test_an_update_that_fails_rolls_back_where_it_shall(fresh: Ground) -> None:
    made = deeds.web(fresh)
    good = deeds.service(fresh, made)["Spec"]
    deeds.write(fresh, made, _failing(good, action="rollback"))
    _until_state(fresh, made, "rollback_completed")
    assert deeds.service(fresh, made)["Spec"]["TaskTemplate"] == good["TaskTemplate"]
    fresh.until(lambda: deeds.status(fresh, made)["RunningTasks"] == 3, "three to run", seconds=60)


def test_rollback_changes_the_spec_and_the_previous_one_over(fresh: Ground) -> None:
    made = deeds.web(fresh)
    before = deeds.service(fresh, made)["Spec"]
    deeds.change(fresh, made, Labels={"owner": "shop"})
    row = deeds.service(fresh, made)
    assert row["PreviousSpec"] == before
    answer = fresh.ask(
        "POST", f"/services/{made}/update", row["Spec"], version=row["Version"]["Index"], rollback="previous"
    )
    assert (answer.status, answer.content) == (200, {"Warnings": None})
    after = deeds.service(fresh, made)
    assert (after["Spec"], after["PreviousSpec"]) == (before, row["Spec"])


def test_a_version_is_good_once(fresh: Ground) -> None:
    made = deeds.create(fresh, replicated("web", replicas=0))
    row = deeds.service(fresh, made)
    path, version = f"/services/{made}/update", row["Version"]["Index"]
    answers = [fresh.ask("POST", path, {**row["Spec"], "Labels": {"n": n}}, version=version) for n in ("1", "2")]
    assert [answer.status for answer in answers] == [200, 500]
    assert deeds.service(fresh, made)["Spec"]["Labels"] == {"n": "1"}


def test_the_swarm_raises_the_version_by_itself(fresh: Ground) -> None:
    made = deeds.web(fresh)
    deeds.change(fresh, made, EndpointSpec=deeds.published(8101), UpdateConfig=AT_ONCE)
    first = deeds.service(fresh, made)["Version"]["Index"]
    _until_state(fresh, made, "completed")
    assert deeds.service(fresh, made)["Version"]["Index"] > first


@pytest.mark.parametrize("kind", ["replicated", "global"])
def test_a_held_service_stops_once_and_its_rows_are_proof(fresh: Ground, kind: str) -> None:
    port = ingress_port(8001)
    made = deeds.create(fresh, replicated("web", port) if kind == "replicated" else services.everywhere("web", port))
    original, old = deeds.service(fresh, made)["Spec"], deeds.ids(fresh, made)
    deeds.change(fresh, made, EndpointSpec=deeds.unpublished(), template=IMPOSSIBLE, UpdateConfig=AT_ONCE)
    fresh.until(lambda: deeds.states(fresh, made) == {"pending": 3}, "new ones to wait as pending")
    fresh.until(lambda: _ended(fresh, made, old) == old, "the rows of the old ones to show their end")
    assert deeds.status(fresh, made)["RunningTasks"] == 0
    assert "Ports" not in deeds.service(fresh, made)["Endpoint"]

    start_first = {**AT_ONCE, "Order": "start-first"}
    deeds.write(fresh, made, {**original, "UpdateConfig": start_first})
    fresh.until(lambda: deeds.status(fresh, made)["RunningTasks"] == 3, "three to run", seconds=20)
    running = {row["ID"] for row in deeds.rows(fresh, made) if row["Status"]["State"] == "running"}
    deeds.write(fresh, made, original)
    fresh.let_pass(2)
    assert deeds.service(fresh, made)["Spec"] == original
    assert {row["ID"] for row in deeds.rows(fresh, made) if row["Status"]["State"] == "running"} == running


def _ended(ground: Ground, service_id: str, ids: set[str]) -> set[str]:
    return {row["ID"] for row in deeds.rows(ground, service_id) if row["Status"]["State"] == "shutdown"} & ids
