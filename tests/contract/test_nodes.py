"""Nodes: what is told of them, and what a change of one needs."""

import pytest

from tests.contract.deeds import rpc
from tests.contract.grounds import NODES, Document, Ground
from tests.contract.shapes import MANAGER, WORKER, shape


def _node(ground: Ground, name: str = NODES[1]) -> Document:
    found: Document = ground.get(f"/nodes/{name}")
    return found


def _change(ground: Ground, name: str = NODES[1], **change: object) -> None:
    row = _node(ground, name)
    ground.do("POST", f"/nodes/{row['ID']}/update", {**row["Spec"], **change}, version=row["Version"]["Index"])


def test_the_list_shows_every_node_whole(ground: Ground) -> None:
    rows = {row["Description"]["Hostname"]: row for row in ground.get("/nodes")}
    assert [shape(rows[name]) for name in NODES] == [MANAGER, WORKER, WORKER]
    assert {name: row["Status"] for name, row in rows.items()} == {
        name: {"State": "ready", "Addr": address} for name, address in ground.addresses.items()
    }


def test_the_manager_leads(ground: Ground) -> None:
    assert _node(ground, NODES[0])["ManagerStatus"] == {
        "Leader": True,
        "Reachability": "reachable",
        "Addr": f"{ground.addresses[NODES[0]]}:2377",
    }


def test_a_node_is_found_by_id_the_beginning_of_it_and_name(ground: Ground) -> None:
    row = _node(ground)
    assert ground.get(f"/nodes/{row['ID']}")["ID"] == ground.get(f"/nodes/{row['ID'][:12]}")["ID"] == row["ID"]
    assert row["Description"]["Hostname"] == NODES[1]


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        ("role", "worker", {"node2", "node3"}),
        ("role", "manager", {"node1"}),
        ("name", "node", {"node1", "node2", "node3"}),
        ("name", "node2", {"node2"}),
        ("membership", "accepted", {"node1", "node2", "node3"}),
        ("membership", "pending", set()),
        ("node.label", "zone", set()),
    ],
)
def test_nodes_are_filtered(ground: Ground, key: str, value: str, names: set[str]) -> None:
    assert {row["Description"]["Hostname"] for row in ground.filtered("/nodes", **{key: value})} == names


def test_a_label_is_a_new_version_and_found_by_its_filter(ground: Ground) -> None:
    before = _node(ground)["Version"]["Index"]
    _change(ground, Labels={"zone": "a"})
    assert _node(ground)["Spec"]["Labels"] == {"zone": "a"}
    assert _node(ground)["Version"]["Index"] > before
    assert [row["Description"]["Hostname"] for row in ground.filtered("/nodes", **{"node.label": "zone=a"})] == [
        "node2"
    ]
    _change(ground, Labels={})


def test_writing_what_is_there_is_a_new_version_all_the_same(ground: Ground) -> None:
    before = _node(ground)["Version"]["Index"]
    _change(ground)
    assert _node(ground)["Version"]["Index"] > before


@pytest.mark.parametrize(
    ("query", "change", "status", "words"),
    [
        ({"version": 1}, {}, 500, rpc("Unknown", "update out of sequence")),
        ({}, {}, 400, "invalid node version '': strconv.ParseUint: parsing \"\": invalid syntax"),
        ({"version": 0}, {"Availability": "maybe"}, 400, 'invalid Availability: "maybe"'),
        ({"version": 0}, {"Role": "boss"}, 400, 'invalid Role: "boss"'),
    ],
)
def test_a_wrong_change_is_refused(ground: Ground, query: Document, change: Document, status: int, words: str) -> None:
    row = _node(ground)
    asked = {**query, "version": row["Version"]["Index"]} if query == {"version": 0} else query
    answer = ground.ask("POST", f"/nodes/{row['ID']}/update", {**row["Spec"], **change}, **asked)
    assert (answer.status, answer.words) == (status, words)


def test_a_node_that_is_not_there_is_not_found(ground: Ground) -> None:
    assert ground.ask("GET", "/nodes/nope").words == "node nope not found"
    assert ground.ask("POST", "/nodes/nope/update", _node(ground)["Spec"], version=1).status == 404


def test_a_crashed_node_goes_down_and_comes_back(ground: Ground) -> None:
    ground.crash(NODES[2])
    ground.until(lambda: _node(ground, NODES[2])["Status"]["State"] == "down", "the node to be down", seconds=40)
    assert _node(ground, NODES[2])["Status"]["Message"] == "heartbeat failure"
    ground.start(NODES[2])
    ground.until(lambda: _node(ground, NODES[2])["Status"]["State"] == "ready", "the node to be ready")
