"""Overlay networks: what is told of them, what is refused, and what is taken without a word."""

import json
from typing import Any

import pytest

from tests.contract import deeds
from tests.contract.deeds import rpc
from tests.contract.grounds import NODES, Document, Ground
from tests.contract.shapes import NETWORK, shape
from tests.lab import services


def _overlay(ground: Ground, name: str, *, subnet: str = "", api: str = "", **more: object) -> str:
    """Create an overlay and return its id."""
    ipam = {"IPAM": {"Driver": "default", "Config": [{"Subnet": subnet}]}} if subnet else {}
    return str(ground.do("POST", "/networks/create", _body(name, **ipam, **more), api=api)["Id"])


def _body(name: str, **more: object) -> Document:
    return {"Name": name, "Driver": "overlay", "CheckDuplicate": True, **more}


def _row(ground: Ground, network_id: str) -> Document:
    """The network in the manager's list."""
    return next(row for row in ground.get("/networks") if row["Id"] == network_id)


def _allocated(ground: Ground, network_id: str) -> bool:
    return bool(_row(ground, network_id)["Driver"])


def _remove(ground: Ground, *network_ids: str) -> None:
    for network_id in network_ids:
        ground.do("DELETE", f"/networks/{network_id}")


def test_an_overlay_is_told_whole(ground: Ground) -> None:
    made = _overlay(ground, "plain")
    ground.until(lambda: _allocated(ground, made), "the overlay to be allocated")
    ipv4 = {"EnableIPv4": "bool"} if ground.facts.tells_ipv4 else {}
    told = ground.get(f"/networks/{made}")
    assert bool(told.pop("Status", None)) == (ground.facts.api >= "1.52")
    assert shape(_row(ground, made)) == shape(told) == {**NETWORK, **ipv4}
    _remove(ground, made)


def test_settings_are_told_as_they_were_given(ground: Ground) -> None:
    made = _overlay(
        ground,
        "settings",
        subnet="10.71.0.0/24",
        Attachable=True,
        Internal=True,
        Labels={"owner": "shop"},
        Options={"encrypted": "false", "com.docker.network.driver.mtu": "abc"},
    )
    ground.until(lambda: _allocated(ground, made), "the overlay to be allocated")
    row = _row(ground, made)
    assert row["IPAM"]["Config"] == [{"Subnet": "10.71.0.0/24", "Gateway": "10.71.0.1"}]
    assert (row["Attachable"], row["Internal"], row["Ingress"]) == (True, True, False)
    assert row["Labels"] == {"owner": "shop"}
    assert row["Options"].pop("com.docker.network.driver.overlay.vxlanid_list").isdigit()
    assert row["Options"] == {"encrypted": "false", "com.docker.network.driver.mtu": "abc"}
    _remove(ground, made)


def test_a_range_and_a_gateway_are_told_as_they_were_given(ground: Ground) -> None:
    config = {"Subnet": "10.72.0.0/24", "IPRange": "10.72.0.128/25", "Gateway": "10.72.0.9"}
    made = _overlay(ground, "range", IPAM={"Driver": "default", "Config": [config]})
    ground.until(lambda: _allocated(ground, made), "the overlay to be allocated")
    assert _row(ground, made)["IPAM"]["Config"] == [config]
    _remove(ground, made)


def test_the_ingress_of_a_new_swarm_has_the_first_subnet_of_the_pool(fresh: Ground) -> None:
    (row,) = [row for row in fresh.get("/networks") if row["Ingress"]]
    assert (row["Name"], row["Scope"], row["Driver"]) == ("ingress", "swarm", "overlay")
    assert row["IPAM"]["Config"] == [{"Subnet": "10.0.0.0/24", "Gateway": "10.0.0.1"}]
    assert (row["Containers"], row["Labels"], "Peers" in row) == (None, None, False)


def test_inspecting_the_ingress_tells_the_nodes_endpoint_and_the_peers(ground: Ground) -> None:
    told = ground.get("/networks/ingress")
    assert [row["Name"] for row in told["Containers"].values()] == ["ingress-endpoint"]
    assert {peer["IP"] for peer in told["Peers"]} <= set(ground.addresses.values())


def test_asked_for_another_scope_the_engine_answers_from_the_swarms_store(ground: Ground) -> None:
    made = ground.get("/networks/ingress")["Id"]
    told = ground.get(f"/networks/{made}", scope="global")
    assert (told["Name"], told["Scope"], told.get("Containers"), told.get("Peers")) == ("ingress", "swarm", None, None)
    assert ground.get(f"/networks/{made}", scope="swarm")["Containers"]
    assert ground.ask("GET", "/networks/bridge", scope="global").status == 404


def test_each_node_lists_its_own_networks(ground: Ground) -> None:
    for name in NODES:
        own = {row["Name"]: (row["Driver"], row["Scope"]) for row in ground.get("/networks", node=name)}
        assert own["bridge"] == ("bridge", "local")
        assert own["docker_gwbridge"] == ("bridge", "local")
        assert (own["host"], own["none"]) == (("host", "local"), ("null", "local"))


def test_a_worker_does_not_list_what_has_not_come_to_it(ground: Ground) -> None:
    made = _overlay(ground, "elsewhere")
    assert made not in {row["Id"] for row in ground.get("/networks", node=NODES[1])}
    assert ground.ask("GET", f"/networks/{made}", node=NODES[1]).status == 404
    _remove(ground, made)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"driver": "overlay"}, {"ingress"}),
        ({"scope": "swarm"}, {"ingress"}),
        ({"name": "ing"}, {"ingress"}),
        ({"type": "custom"}, {"ingress", "docker_gwbridge"}),
        ({"type": "builtin"}, {"bridge", "host", "none"}),
        ({"label": "owner"}, set()),
        ({"name": "bridge"}, {"bridge", "docker_gwbridge"}),
    ],
)
def test_networks_are_filtered(ground: Ground, filters: dict[str, str], names: set[str]) -> None:
    assert {row["Name"] for row in ground.filtered("/networks", **filters)} == names


def test_networks_are_filtered_by_label_and_the_beginning_of_an_id(ground: Ground) -> None:
    made = _overlay(ground, "labelled", Labels={"owner": "shop"})
    by = [{"label": "owner"}, {"label": "owner=shop"}, {"id": made[:12]}, {"label": "owner=other"}]
    assert [[row["Id"] for row in ground.filtered("/networks", **one)] for one in by] == [[made]] * 3 + [[]]
    _remove(ground, made)


def test_a_network_is_found_by_id_the_beginning_of_it_and_name(ground: Ground) -> None:
    made = _overlay(ground, "found")
    ground.until(lambda: _allocated(ground, made), "the overlay to be allocated")
    assert {ground.get(f"/networks/{ref}")["Id"] for ref in (made, made[:12], "found")} == {made}
    _remove(ground, made[:12])
    assert ground.ask("GET", "/networks/found").words == "network found not found"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (_body("bad.name"), 400, rpc("InvalidArgument", "name must be valid as a DNS name component")),
        (_body("-name"), 400, rpc("InvalidArgument", "name must be valid as a DNS name component")),
        (_body("a" * 64), 400, rpc("InvalidArgument", "name must be 63 characters or fewer")),
        (_body("ingress"), 409, "network with name ingress already exists"),
    ],
)
def test_a_wrong_overlay_is_refused(ground: Ground, body: Document, status: int, words: str) -> None:
    answer = ground.ask("POST", "/networks/create", body)
    assert (answer.status, answer.words) == (status, words)


def test_a_name_can_have_63_letters(ground: Ground) -> None:
    _remove(ground, _overlay(ground, "a" * 63))


@pytest.mark.parametrize("more", [{"CheckDuplicate": True}, {"CheckDuplicate": False}, {}], ids=["yes", "no", "unsaid"])
def test_a_name_is_taken_once_whether_it_is_asked_for_or_not(ground: Ground, more: dict[str, bool]) -> None:
    made = _overlay(ground, "taken")
    answer = ground.ask("POST", "/networks/create", {"Name": "taken", "Driver": "overlay", **more})
    assert (answer.status, answer.words) == (409, "network with name taken already exists")
    _remove(ground, made)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"Subnet": "junk"}, "junk"),
        ({"Subnet": "10.73.0.0/24", "Gateway": "10.1.1.1"}, "10.1.1.1"),
    ],
)
def test_addresses_that_can_not_be_are_refused(ground: Ground, config: dict[str, str], words: str) -> None:
    answer = ground.ask("POST", "/networks/create", _body("wrong", IPAM={"Config": [config]}))
    assert answer.status in (400, 500)
    assert words in answer.words


def test_a_subnet_with_host_bits_is_refused_where_addresses_are_checked(ground: Ground) -> None:
    answer = ground.ask("POST", "/networks/create", _body("bits", IPAM={"Config": [{"Subnet": "10.73.0.5/24"}]}))
    if ground.facts.checks_addresses:
        assert answer.status == 400
        assert answer.words == "invalid network config:\ninvalid subnet 10.73.0.5/24: it should be 10.73.0.0/24"
    else:
        assert answer.status == 201
        _remove(ground, answer.content["Id"])


def test_an_overlap_is_taken_without_a_word_and_never_allocated(ground: Ground) -> None:
    first = _overlay(ground, "first", subnet="10.74.0.0/24")
    second = _overlay(ground, "second", subnet="10.74.0.0/25")
    ground.until(lambda: _allocated(ground, first), "the first to be allocated")
    ground.let_pass(2)
    row = _row(ground, second)
    assert (row["Driver"], row["IPAM"], row["Options"]) == ("", {"Driver": "", "Options": None, "Config": None}, None)
    _remove(ground, second, first)


def test_an_overlap_is_allocated_when_what_it_overlaps_is_gone(ground: Ground) -> None:
    first, second = (_overlay(ground, name, subnet="10.75.0.0/24") for name in ("first", "second"))
    ground.until(lambda: _allocated(ground, first), "the first to be allocated")
    _remove(ground, first)
    ground.until(lambda: _allocated(ground, second), "the second to be allocated", seconds=60)
    _remove(ground, second)


def test_an_overlap_with_a_range_of_its_own_is_even_allocated(ground: Ground) -> None:
    first = _overlay(ground, "first", subnet="10.76.0.0/24")
    ground.until(lambda: _allocated(ground, first), "the first to be allocated")
    config = {"Subnet": "10.76.0.0/24", "IPRange": "10.76.0.128/26"}
    second = _overlay(ground, "second", IPAM={"Config": [config]})
    ground.until(lambda: _allocated(ground, second), "the second to be allocated")
    _remove(ground, second, first)


def test_a_31_is_taken_and_newer_engines_allocate_it(ground: Ground) -> None:
    made = _overlay(ground, "small", subnet="10.77.0.0/31")
    if ground.facts.allocates_31:
        ground.until(lambda: _allocated(ground, made), "the /31 to be allocated")
    else:
        ground.let_pass(2)
        assert not _allocated(ground, made)
    _remove(ground, made)


def test_inspecting_what_is_not_allocated(ground: Ground) -> None:
    first, second = (_overlay(ground, name, subnet="10.78.0.0/24") for name in ("first", "second"))
    ground.until(lambda: _allocated(ground, first), "the first to be allocated")
    answer = ground.ask("GET", f"/networks/{second}")
    if ground.facts.hides_unallocated:
        assert (answer.status, answer.words) == (404, f"network {second} not found")
    else:
        assert (answer.status, answer.content["Driver"], "Peers" in answer.content) == (200, "", False)
    _remove(ground, second, first)


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("bridge", 403, "bridge is a pre-defined network and cannot be removed"),
        ("nope", 404, "network nope not found"),
    ],
)
def test_what_can_not_be_removed_is_refused(ground: Ground, name: str, status: int, words: str) -> None:
    answer = ground.ask("DELETE", f"/networks/{name}")
    assert (answer.status, answer.words) == (status, words)


def test_networks_of_different_subnets_come_from_the_pool_one_after_the_other(fresh: Ground) -> None:
    made = [_overlay(fresh, f"pool{index}") for index in range(3)]
    fresh.until(lambda: all(_allocated(fresh, key) for key in made), "all to be allocated")
    found = {config["Subnet"] for key in made for config in _ipam(fresh, key)}
    assert found == {"10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"}


def test_an_overlay_of_two_subnets_uses_both_to_the_last_address(ground: Ground) -> None:
    """Eleven of twelve: two gateways, three nodes, a VIP, five tasks; which comes from where is left to chance."""
    asked = [{"Subnet": f"10.79.{number}.0/29"} for number in (0, 1)]
    made = deeds.create_overlay(ground, "two", IPAM={"Driver": "default", "Config": asked})
    row = _row(ground, made)
    assert row["IPAM"]["Config"] == [{**one, "Gateway": one["Subnet"].replace("0/29", "1")} for one in asked]
    assert len(row["Options"]["com.docker.network.driver.overlay.vxlanid_list"].split(",")) == len(asked)
    web = deeds.create(ground, services.replicated("spread", replicas=5, networks=[made]))
    (vip,) = deeds.service(ground, web)["Endpoint"]["VirtualIPs"]
    running = [row for row in deeds.rows(ground, web) if row["Status"]["State"] == "running"]
    given = [
        vip["Addr"],
        *(address for row in running for one in row["NetworksAttachments"] for address in one["Addresses"]),
    ]
    assert (len(set(given)), {address.rpartition(".")[0] for address in given}) == (6, {"10.79.0", "10.79.1"})
    assert {address.partition("/")[2] for address in given} == {"29"}
    deeds.remove(ground, web)
    _remove(ground, made)


def test_an_overlay_is_not_allocated_where_one_of_its_subnets_overlaps_and_then_takes_none(ground: Ground) -> None:
    first = deeds.create_overlay(ground, "first", IPAM={"Config": [{"Subnet": "10.80.1.0/24"}]})
    asked = [{"Subnet": "10.80.0.0/24"}, {"Subnet": "10.80.1.0/24"}]
    second = _overlay(ground, "second", IPAM={"Driver": "default", "Config": asked})
    ground.let_pass(2)
    assert not _allocated(ground, second)
    third = deeds.create_overlay(ground, "third", IPAM={"Config": asked[:1]})
    _remove(ground, third, second, first)


def _ipam(ground: Ground, network_id: str) -> Any:
    return _row(ground, network_id)["IPAM"]["Config"]


def test_removal_is_answered_by_nothing(ground: Ground) -> None:
    answer = ground.ask("DELETE", f"/networks/{_overlay(ground, 'gone')}")
    assert (answer.status, answer.content) == (204, None)
    assert json.dumps(ground.get("/networks")).count('"gone"') == 0
