"""Join tokens: their form, and how they are made anew."""

import re

import pytest

from tests.contract.grounds import NODES, Document, Ground

TOKEN = re.compile(r"SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}")
ROLES = ("Worker", "Manager")


def _swarm(ground: Ground) -> Document:
    found: Document = ground.get("/swarm")
    return found


def _rotate(ground: Ground, role: str) -> None:
    row = _swarm(ground)
    query = {"version": row["Version"]["Index"], f"rotate{role}Token": "true"}
    ground.do("POST", "/swarm/update", row["Spec"], **query)


def test_there_is_one_for_each_role(ground: Ground) -> None:
    tokens = _swarm(ground)["JoinTokens"]
    assert all(TOKEN.fullmatch(tokens[role]) for role in ROLES)
    assert len({tokens[role].rpartition("-")[0] for role in ROLES}) == 1
    assert tokens["Worker"] != tokens["Manager"]


@pytest.mark.parametrize(("role", "other"), [ROLES, ROLES[::-1]])
def test_one_is_rotated_and_the_other_stays(ground: Ground, role: str, other: str) -> None:
    before = _swarm(ground)
    _rotate(ground, role)
    after = _swarm(ground)
    assert TOKEN.fullmatch(after["JoinTokens"][role])
    assert after["JoinTokens"][role] != before["JoinTokens"][role]
    assert after["JoinTokens"][other] == before["JoinTokens"][other]
    assert after["Version"]["Index"] > before["Version"]["Index"]
    assert {row["Status"]["State"] for row in ground.get("/nodes")} == {"ready"}


@pytest.mark.parametrize(
    ("version", "status", "words"),
    [
        (1, 500, "update out of sequence"),
        ("", 400, "invalid swarm version '': strconv.ParseUint: parsing \"\": invalid syntax"),
    ],
)
def test_a_version_that_is_not_the_current_one_is_refused(
    ground: Ground, version: object, status: int, words: str
) -> None:
    _rotate(ground, "Worker")
    answer = ground.ask("POST", "/swarm/update", _swarm(ground)["Spec"], version=version, rotateWorkerToken="true")
    assert answer.status == status
    assert words in answer.words


def test_a_worker_neither_shows_nor_changes_them(ground: Ground) -> None:
    spec = _swarm(ground)["Spec"]
    assert ground.ask("GET", "/swarm", node=NODES[1]).status == 503
    assert ground.ask("POST", "/swarm/update", spec, node=NODES[1], version=1).status == 503
