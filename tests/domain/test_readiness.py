"""What nodes and networks show of a Swarm's readiness."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlayweb.domain import mtu_advice, overlay_mtu, readiness
from overlayweb.domain.readiness import Answer, Check, EngineView, PortAnswer
from overlayweb.domain.swarm import Node
from tests.domain.builders import NOW, make_bridge, make_network, make_node, make_swarm

VERSIONS = st.lists(st.sampled_from(["20.10.24", "26.1.5", "28.5.2"]), min_size=1, max_size=6)


@given(VERSIONS)
def test_every_node_stands_beside_its_version_once(versions: list[str]) -> None:
    nodes = [make_node(f"node{number}", engine_version=text) for number, text in enumerate(versions, 1)]
    groups = readiness.versions(make_swarm(nodes=nodes))
    assert sorted((version, node.hostname) for version, rows in groups for node in rows) == sorted(
        (node.engine_version, node.hostname) for node in nodes
    )
    sizes = [len(rows) for _, rows in groups]
    assert sizes == sorted(sizes, reverse=True)


def codes(*nodes: Node) -> set[str]:
    return {row.code for row in readiness.findings(make_swarm(nodes=nodes))}


def test_three_equal_managers_leave_nothing_to_say() -> None:
    assert codes(*(make_node(f"node{number}", role="manager") for number in (1, 2, 3))) == set()


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (make_node("node2", engine_version="26.1.5"), "versions-differ"),
        (make_node("node2", os="windows"), "windows-node"),
        (make_node("node2", address="0.0.0.0"), "address-unknown"),  # noqa: S104  # as engines say
        (make_node("node2", role="manager"), "managers-few"),
    ],
)
def test_what_stands_in_the_way_is_told(node: Node, code: str) -> None:
    assert code in codes(make_node("node1"), node)


def test_managers_are_tried_at_two_ports_and_workers_at_one() -> None:
    tried = readiness.to_try(make_swarm(nodes=[make_node("node1"), make_node("node2"), make_node("n3", address="")]))
    assert [(node.hostname, port) for node, port in tried] == [("node1", 2377), ("node1", 7946), ("node2", 7946)]


def test_nodes_that_came_or_moved_after_the_check_were_not_tried() -> None:
    stayed, moved, new, late, nowhere = (make_node(name) for name in ("stayed", "moved", "new", "late", "nowhere"))
    nowhere = replace(nowhere, address="")
    answers = ((stayed, Answer.SILENT), (moved, Answer.OPEN), (late, Answer.UNCHECKED))
    ports = (PortAnswer(node_id=node.id, address=node.address, port=7946, answer=answer) for node, answer in answers)
    check = Check(checked_at=NOW, engine=EngineView(hostname="stayed"), ports=tuple(ports))
    now = make_swarm(nodes=[stayed, replace(moved, address="192.168.50.99"), new, late, nowhere])
    assert [node.hostname for node in readiness.untried(now, check)] == ["moved", "new", "late"]


@pytest.mark.parametrize(
    ("assumed", "encrypted", "left"), [(1500, False, 1450), (1500, True, 1424), (1450, True, 1372), (9000, False, 8950)]
)
def test_containers_get_what_is_left(assumed: int, left: int, *, encrypted: bool) -> None:
    assert overlay_mtu.inner(assumed=assumed, encrypted=encrypted) == left


def test_overlays_above_the_smallest_engine_are_named() -> None:
    swarm = make_swarm(
        networks=[make_network("jumbo", mtu="9000"), make_network("typo", mtu="abc"), make_network("fits", mtu="1400")]
    )
    small = EngineView(hostname="node2", networks=(make_bridge(mtu="1400"),))
    check = Check(checked_at=datetime(2026, 3, 3, tzinfo=UTC), engine=small)
    found = {row.subject_name: row.code for row in mtu_advice.advice(swarm, check) if row.about == "network"}
    assert found == {"jumbo": "mtu-too-large", "typo": "mtu-no-number", "ingress": "mtu-too-large"}
