"""What an engine tells of itself, and how it refuses what it does not know."""

import pytest

from tests.contract.grounds import NODES, Ground
from tests.contract.shapes import shape

WORKER_WORDS = (
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this"
    " command on a manager node or promote the current node to a manager."
)
IN_A_SWARM = 'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.'


@pytest.mark.parametrize(("node", "place"), [("node1", "active/manager"), ("node2", "active/worker")])
@pytest.mark.parametrize(("method", "content"), [("GET", "OK"), ("HEAD", None)])
def test_a_ping_tells_the_api_version_and_the_place_in_the_swarm(
    ground: Ground, method: str, content: str | None, node: str, place: str
) -> None:
    answer = ground.ask(method, "/_ping", node=node, api="none")
    assert (answer.status, answer.content) == (200, content)
    assert answer.headers["Api-Version"] == ground.facts.api
    assert answer.headers["Docker-Experimental"] == "false"
    assert answer.headers["Ostype"] == "linux"
    assert answer.headers["Server"].startswith(f"Docker/{ground.facts.version}")
    assert answer.headers.get("Swarm") == (place if ground.facts.pings_with_swarm else None)


def test_the_version_names_the_api_versions_that_it_speaks(ground: Ground) -> None:
    told = ground.get("/version")
    assert told["Version"].startswith(ground.facts.version)
    assert (told["ApiVersion"], told["MinAPIVersion"]) == (ground.facts.api, ground.facts.oldest_api)
    assert told["Os"] == "linux"


def test_a_path_may_name_the_api_version_or_not(ground: Ground) -> None:
    answers = [ground.ask("GET", "/nodes", api=api) for api in ("none", ground.facts.oldest_api, ground.facts.api)]
    assert [(answer.status, len(answer.content)) for answer in answers] == [(200, 3)] * 3
    assert {answer.headers["Api-Version"] for answer in answers} == {ground.facts.api}


@pytest.mark.parametrize(
    ("api", "words"),
    [
        ("1.10", "client version 1.10 is too old. Minimum supported API version is {oldest}"),
        ("1.99", "client version 1.99 is too new. Maximum supported API version is {newest}"),
    ],
)
def test_an_api_version_that_it_does_not_speak_is_refused(ground: Ground, api: str, words: str) -> None:
    answer = ground.ask("GET", "/nodes", api=api)
    assert answer.status == 400
    assert answer.words.startswith(words.format(oldest=ground.facts.oldest_api, newest=ground.facts.api))


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("PUT", "/nodes"), ("DELETE", "/version")])
def test_other_pages_and_other_methods_are_not_found(ground: Ground, method: str, path: str) -> None:
    answer = ground.ask(method, path)
    assert (answer.status, answer.words) == (404, "page not found")


@pytest.mark.parametrize("path", ["/swarm", "/nodes", "/services", "/tasks", "/nodes/node1", "/services/web"])
def test_a_worker_tells_nothing_of_the_swarm(ground: Ground, path: str) -> None:
    answer = ground.ask("GET", path, node=NODES[1])
    assert (answer.status, answer.words) == (503, WORKER_WORDS)


def test_a_worker_creates_no_overlay(ground: Ground) -> None:
    answer = ground.ask("POST", "/networks/create", {"Name": "mine", "Driver": "overlay"}, node=NODES[1])
    assert answer.status == 403


def test_info_tells_a_managers_place(ground: Ground) -> None:
    told = ground.get("/info")
    assert told["Name"] == NODES[0]
    assert told["ServerVersion"].startswith(ground.facts.version)
    place = told["Swarm"]
    assert (place["LocalNodeState"], place["ControlAvailable"]) == ("active", True)
    assert (place["Nodes"], place["Managers"]) == (3, 1)
    assert place["NodeID"] == ground.get(f"/nodes/{NODES[0]}")["ID"]
    assert place["Cluster"]["ID"] == ground.get("/swarm")["ID"]


def test_info_tells_a_workers_place(ground: Ground) -> None:
    place = ground.get("/info", node=NODES[1])["Swarm"]
    assert (place["LocalNodeState"], place["ControlAvailable"]) == ("active", False)
    assert place["NodeAddr"] == ground.addresses[NODES[1]]
    assert [row["Addr"] for row in place["RemoteManagers"]] == [f"{ground.addresses[NODES[0]]}:2377"]


def test_the_swarm_tells_its_pools_and_its_tokens(ground: Ground) -> None:
    told = ground.get("/swarm")
    assert (told["DefaultAddrPool"], told["SubnetSize"], told["DataPathPort"]) == (["10.0.0.0/8"], 24, 4789)
    assert all(told["JoinTokens"][role].startswith("SWMTKN-1-") for role in ("Worker", "Manager"))
    assert shape(told["Spec"]["Dispatcher"]) == {"HeartbeatPeriod": "int"}


@pytest.mark.parametrize("verb", ["init", "join"])
def test_a_node_is_in_one_swarm_at_most(ground: Ground, verb: str) -> None:
    body = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "127.0.0.1", "RemoteAddrs": ["127.0.0.1:2377"]}
    answer = ground.ask("POST", f"/swarm/{verb}", {**body, "JoinToken": "SWMTKN-1-x"})
    assert (answer.status, answer.words) == (503, IN_A_SWARM)


@pytest.mark.parametrize("path", ["/nodes", "/networks", "/services", "/tasks"])
def test_a_filter_that_it_does_not_know_is_refused(ground: Ground, path: str) -> None:
    answer = ground.ask("GET", path, filters='{"nope":["x"]}')
    assert (answer.status, answer.words) == (400, f"{ground.facts.says_invalid} filter 'nope'")


def test_filters_that_are_no_json_are_refused(ground: Ground) -> None:
    assert ground.ask("GET", "/nodes", filters="junk").status == ground.facts.unreadable_filter


def test_filters_come_as_lists_or_as_maps(ground: Ground) -> None:
    rows = [ground.get("/nodes", filters=text) for text in ('{"role":["manager"]}', '{"role":{"manager":true}}')]
    assert [[row["Description"]["Hostname"] for row in found] for found in rows] == [[NODES[0]]] * 2


@pytest.mark.parametrize("path", ["/networks/create", "/services/create"])
def test_a_body_that_is_no_json_is_refused(ground: Ground, path: str) -> None:
    assert ground.ask("POST", path, "junk").status == 400
