"""Swarm tasks: what is told of them, when they vanish, and on which nodes they run."""

import json

import pytest

from tests.contract import deeds
from tests.contract.grounds import NODES, Ground
from tests.contract.shapes import RUNNING_TASK, shape
from tests.lab import services
from tests.lab.services import replicated


def _node_ids(ground: Ground) -> dict[str, str]:
    return {row["Description"]["Hostname"]: row["ID"] for row in ground.get("/nodes")}


def _hosts(ground: Ground, service_id: str) -> list[str]:
    """The names of the nodes that its running Swarm tasks are on."""
    names = {key: name for name, key in _node_ids(ground).items()}
    running = [row for row in deeds.rows(ground, service_id) if row["Status"]["State"] == "running"]
    return sorted(names[row["NodeID"]] for row in running)


def test_a_running_task_is_told_whole(idle: Ground) -> None:
    made = deeds.web(idle)
    row = deeds.rows(idle, made)[0]
    volumes = {"Volumes": "NoneType"} if idle.facts.tells_volumes else {}
    assert shape(row) == shape(idle.get(f"/tasks/{row['ID']}")) == {**RUNNING_TASK, **volumes}
    assert (row["Status"]["Message"], row["DesiredState"]) == ("started", "running")
    assert deeds.attached(row) == [deeds.ingress(idle)["Id"]]


def test_replicas_have_slots_and_spread_over_the_nodes(idle: Ground) -> None:
    made = deeds.web(idle)
    assert sorted(row["Slot"] for row in deeds.rows(idle, made)) == [1, 2, 3]
    assert _hosts(idle, made) == list(NODES)


def test_a_global_services_tasks_have_no_slot(idle: Ground) -> None:
    made = deeds.create(idle, services.everywhere("agent"))
    assert [row.get("Slot") for row in deeds.rows(idle, made)] == [None] * 3
    assert _hosts(idle, made) == list(NODES)


def test_tasks_are_filtered(idle: Ground) -> None:
    web, agent = deeds.web(idle), deeds.create(idle, services.everywhere("agent"))
    by = [{"service": "web"}, {"service": web}, {"desired-state": "running"}, {"desired-state": "shutdown"}]
    by += [{"node": "node1"}, {"name": "web.1"}, {"name": "web"}, {"id": next(iter(deeds.ids(idle, agent)))[:12]}]
    assert [len(idle.filtered("/tasks", **one)) for one in by] == [3, 3, 6, 0, 2, 1, 3, 1]


@pytest.mark.parametrize(
    ("key", "value", "status", "words"),
    [
        ("service", "nope", 404, "service nope not found"),
        ("node", "nope", 404, "node nope not found"),
        ("desired-state", "bad", 500, "Invalid desired-state filter: 'bad'"),
    ],
)
def test_a_filter_by_what_is_not_there_is_refused(
    ground: Ground, key: str, value: str, status: int, words: str
) -> None:
    answer = ground.ask("GET", "/tasks", filters=json.dumps({key: [value]}))
    assert (answer.status, answer.words) == (status, words)


def test_a_task_that_is_not_there_is_not_found(ground: Ground) -> None:
    answer = ground.ask("GET", "/tasks/nope")
    assert (answer.status, answer.words) == (404, "task nope not found")


def test_tasks_of_a_removed_service_can_not_be_asked_for(idle: Ground) -> None:
    made = deeds.web(idle)
    idle.do("DELETE", f"/services/{made}")
    answer = idle.ask("GET", "/tasks", filters=json.dumps({"service": {made: True}}))
    assert (answer.status, answer.words) == (404, f"service {made} not found")
    idle.until(lambda: not deeds.rows(idle, made), "its tasks to go")


def test_scaling_to_zero_leaves_no_row_as_proof(idle: Ground) -> None:
    made = deeds.create(idle, services.slow_stopping("legacy", services.ingress_port(8008), replicas=2))
    deeds.change(idle, made, Mode={"Replicated": {"Replicas": 0}})
    idle.let_pass(4)
    found = [(row["DesiredState"], row["Status"]["State"]) for row in deeds.rows(idle, made)]
    assert found == [("remove", "running")] * 2
    idle.until(lambda: not deeds.rows(idle, made), "its rows to vanish", seconds=20)


def test_a_task_takes_its_stop_grace_to_stop(idle: Ground) -> None:
    made = deeds.create(idle, services.slow_stopping("legacy", replicas=1))
    (old,) = deeds.ids(idle, made)
    deeds.change(idle, made, template={"ForceUpdate": 1})
    idle.let_pass(6)
    assert idle.get(f"/tasks/{old}")["Status"]["State"] == "running"
    idle.until(lambda: idle.get(f"/tasks/{old}")["Status"]["State"] == "shutdown", "the old one to stop", seconds=14)


def test_drain_moves_replicas_away(fresh: Ground) -> None:
    made = deeds.web(fresh)
    deeds.set_availability(fresh, NODES[1], "drain")
    fresh.until(lambda: NODES[1] not in _hosts(fresh, made) and deeds.full(fresh, made), "the node to be empty")
    deeds.set_availability(fresh, NODES[1], "active")
    fresh.let_pass(3)
    assert NODES[1] not in _hosts(fresh, made), "nothing comes back by itself"


def test_a_global_service_keeps_its_task_on_a_paused_node(fresh: Ground) -> None:
    made = deeds.create(fresh, services.everywhere("agent"))
    before = deeds.ids(fresh, made)
    deeds.set_availability(fresh, NODES[1], "pause")
    fresh.let_pass(3)
    assert (deeds.ids(fresh, made), _hosts(fresh, made)) == (before, list(NODES))


def test_a_task_that_no_node_can_take_is_pending_and_says_why(idle: Ground) -> None:
    spec = replicated("huge", replicas=1)
    spec["TaskTemplate"]["Resources"] = {"Reservations": {"NanoCPUs": 100_000 * deeds.SECOND}}
    made = deeds.create(idle, spec, wait=False)
    idle.until(lambda: deeds.states(idle, made) == {"pending": 1}, "it to be pending")
    idle.until(lambda: "Err" in deeds.rows(idle, made)[0]["Status"], "it to say why")
    (row,) = deeds.rows(idle, made)
    assert row["Status"]["Err"] == "no suitable node (insufficient resources on 3 nodes)"
    assert ("NodeID" in row, "ContainerStatus" in row["Status"]) == (False, False)


def test_a_host_port_is_told_by_the_task(idle: Ground) -> None:
    made = deeds.create(idle, services.everywhere("agent", services.host_port(9010)))
    idle.until(lambda: all(row["Status"]["PortStatus"] for row in deeds.rows(idle, made)), "tasks to tell ports")
    ports = [row["Status"]["PortStatus"]["Ports"] for row in deeds.rows(idle, made)]
    assert all(
        {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 9010, "PublishMode": "host"} in one for one in ports
    )
