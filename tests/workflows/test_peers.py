"""Which nodes have not joined the new ingress, by addresses and, behind NAT, by the count; and what is said of them."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from overlayweb.domain.swarm import Network, Node
from overlayweb.workflows import peers, problems
from overlayweb.workflows.runner import Context
from tests.domain.builders import INGRESS_ID, make_ingress, make_node

NODES = (make_node("node1"), make_node("node2"), make_node("node3"))
FIRST, SECOND, THIRD = (node.address for node in NODES)
STALE = "192.168.50.99"


class FakeEngine:
    """A manager that shows these nodes, and the ingress with these peers; None: it has released it."""

    def __init__(self, joined: tuple[str, ...] | None, nodes: tuple[Node, ...] = NODES) -> None:
        self._joined = joined
        self._nodes = nodes
        self.nudged: list[str] = []

    def nodes(self) -> tuple[Node, ...]:
        return self._nodes

    def network(self, network_id: str) -> Network | None:
        return make_ingress(id=network_id, peers=self._joined) if self._joined is not None else None

    def label_node(self, *, node_id: str, key: str, value: str | None) -> None:
        assert key == peers.NUDGE_LABEL
        assert value
        self.nudged.append(next(node.hostname for node in self._nodes if node.id == node_id))


def context(joined: tuple[str, ...] | None, nodes: tuple[Node, ...] = NODES) -> Context:
    """As much of a step's context as the look at peers needs."""
    return cast("Context", SimpleNamespace(engine=FakeEngine(joined, nodes)))


def names(joined: tuple[str, ...] | None, nodes: tuple[Node, ...] = NODES) -> list[str]:
    """The host names of those that are missing."""
    return [node.hostname for node in peers.missing(context(joined, nodes), (INGRESS_ID,))]


@pytest.mark.parametrize(
    ("joined", "missing"),
    [
        ((FIRST, SECOND, THIRD), []),
        ((FIRST, THIRD), ["node2"]),
        ((FIRST, THIRD, STALE), ["node2"]),
        ((FIRST, STALE, "192.168.50.98", "192.168.50.97"), ["node2", "node3"]),
        ((), ["node1", "node2", "node3"]),
        (None, ["node1", "node2", "node3"]),
    ],
)
def test_a_node_is_missing_whose_address_is_no_peer(joined: tuple[str, ...] | None, missing: list[str]) -> None:
    assert names(joined) == missing


def test_a_peer_that_is_down_stands_for_nobody_else() -> None:
    nodes = (NODES[0], NODES[1], make_node("node3", state="down"))
    assert names((FIRST, THIRD), nodes) == ["node2"]
    assert names((THIRD, STALE), nodes) == ["node1", "node2"]
    assert names((FIRST, SECOND), nodes) == []


def test_behind_nat_the_count_tells() -> None:
    assert names(("172.16.0.1", "172.16.0.2", "172.16.0.3")) == []
    assert names(("172.16.0.1", "172.16.0.2")) == ["node1", "node2", "node3"]


def test_without_an_ingress_all_are_missing() -> None:
    assert len(peers.missing(context((FIRST, SECOND, THIRD)), ())) == 3


def test_what_is_said_names_the_node_and_the_command() -> None:
    assert problems.of_peers(context((FIRST, THIRD, STALE)), (INGRESS_ID,)) == [
        "node2 (192.168.50.12) has not joined the new ingress: run `systemctl restart docker` there, then continue."
    ]
    assert problems.of_peers(context((FIRST, SECOND, THIRD)), (INGRESS_ID,)) == []


def test_a_node_that_went_away_is_said_once() -> None:
    nodes = (NODES[0], make_node("node2", state="down"), NODES[2])
    assert problems.of_peers(context((FIRST, THIRD), nodes), (INGRESS_ID,)) == [
        (
            "node2 (192.168.50.12) is down, so it still holds the old ingress: when it is back, run "
            "`systemctl restart docker` there, then continue."
        )
    ]


NUDGED_AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("joined", "seconds", "nudged"),
    [
        ((FIRST, THIRD), 2.9, []),  # the first nudge may still be under way
        ((FIRST, THIRD), 3.0, ["node2"]),
        ((FIRST, SECOND, THIRD), 3.0, []),
        ((), 3.0, ["node1", "node2", "node3"]),
    ],
)
def test_only_the_nodes_that_are_missing_are_nudged_again(
    joined: tuple[str, ...], seconds: float, nudged: list[str]
) -> None:
    engine, intent = FakeEngine(joined), {"nudged_at": NUDGED_AT.timestamp()}
    now = NUDGED_AT + timedelta(seconds=seconds)

    def intend(step: Any, **intended: float) -> None:
        step.intent.update(intended)

    waiting = SimpleNamespace(
        engine=engine,
        now=lambda: now,
        job=SimpleNamespace(pk=1),
        step=SimpleNamespace(intent=intent),
        ledger=SimpleNamespace(intend=intend),
        pulse=lambda: None,
    )
    for _ in range(2):  # the second time it is too soon
        peers.nudge_again(cast("Context", waiting), (INGRESS_ID,))
    assert engine.nudged == nudged
    assert intent["nudged_at"] == (now if nudged else NUDGED_AT).timestamp()
