"""Services: how their specs come back, what is refused, and what the lists show."""

import pytest

from overlayweb.domain.specs import Spec, same
from tests.contract import deeds
from tests.contract.deeds import SECOND, rpc
from tests.contract.engines import number
from tests.contract.grounds import Document, Ground
from tests.contract.shapes import SERVICE, shape
from tests.lab import services
from tests.lab.services import host_port, ingress_port, replicated

DNS = rpc("InvalidArgument", "name must be valid as a DNS name component")
FULL = {
    "Parallelism": 1,
    "FailureAction": "pause",
    "Monitor": 5_000_000_000,
    "MaxFailureRatio": 0,
    "Order": "stop-first",
}


def _create(ground: Ground, spec: Document) -> str:
    return deeds.create(ground, spec, wait=False)


def test_a_service_is_told_whole(ground: Ground) -> None:
    made = deeds.web(ground)
    (row,) = [row for row in ground.get("/services") if row["ID"] == made]
    assert shape(row) == shape(deeds.service(ground, made)) == SERVICE
    assert row["Endpoint"]["VirtualIPs"][0]["NetworkID"] == deeds.ingress(ground)["Id"]
    deeds.remove(ground, made)


def test_the_list_tells_counts_when_asked(ground: Ground) -> None:
    made = deeds.create(ground, replicated("counted", replicas=2))
    assert deeds.status(ground, made) == {"RunningTasks": 2, "DesiredTasks": 2, "CompletedTasks": 0}
    assert all("ServiceStatus" not in row for row in ground.get("/services"))
    deeds.remove(ground, made)


def test_a_global_service_is_wanted_once_on_each_node(ground: Ground) -> None:
    made = deeds.create(ground, services.everywhere("agent"))
    counts = {"RunningTasks": 3, "DesiredTasks": 3, "CompletedTasks": 0}
    ground.until(lambda: deeds.status(ground, made) == counts, "one to be wanted and to run on each node")
    deeds.remove(ground, made)


def test_creation_is_answered_by_an_id(ground: Ground) -> None:
    answer = ground.ask("POST", "/services/create", replicated("answered", replicas=0))
    warnings = {"Warnings": None} if ground.facts.warns else {}
    assert (answer.status, answer.content) == (201, {"ID": answer.content["ID"], **warnings})
    assert len(answer.content["ID"]) == 25
    deeds.remove(ground, answer.content["ID"])


@pytest.mark.parametrize(
    "spec",
    [
        replicated("read", ingress_port(8101), host_port(9101), replicas=0, stack="shop"),
        services.start_first("read", ingress_port(8101)),
        {
            **replicated("read", replicas=0),
            "RollbackConfig": {"Parallelism": 2, "FailureAction": "continue", "Order": "stop-first"},
        },
    ],
    ids=["ports", "update", "rollback"],
)
def test_a_spec_comes_back_with_the_same_meaning(ground: Ground, spec: Document) -> None:
    made = _create(ground, spec)
    told = deeds.service(ground, made)["Spec"]
    deeds.remove(ground, made)
    assert told["TaskTemplate"].pop("Runtime") == "container"
    assert told["TaskTemplate"]["ContainerSpec"].pop("Isolation") == "default"
    assert same(Spec.of(told), Spec.of(spec))


def test_what_is_empty_is_left_out(ground: Ground) -> None:
    container = {"Image": "lab/web:1", "Init": True, "Env": [], "Labels": None}
    template = {"ContainerSpec": container, "Networks": [], "Placement": {}, "ForceUpdate": 0}
    spec = {
        "Name": "empty",
        "TaskTemplate": template,
        "EndpointSpec": {},
        "UpdateConfig": None,
        "Mode": {"Replicated": {"Replicas": 0}},
    }
    made = _create(ground, spec)
    told = deeds.service(ground, made)["Spec"]
    assert told["TaskTemplate"]["ContainerSpec"] == {"Image": "lab/web:1", "Init": True, "Isolation": "default"}
    assert "Networks" not in told["TaskTemplate"]
    assert "UpdateConfig" not in told
    deeds.remove(ground, made)


def test_a_spec_that_is_written_back_comes_back_to_the_byte(ground: Ground) -> None:
    made = _create(ground, services.start_first("byte", ingress_port(8101)))
    before = deeds.service(ground, made)
    deeds.change(ground, made)
    after = deeds.service(ground, made)
    assert Spec.of(after["Spec"]).text == Spec.of(before["Spec"]).text
    assert after["PreviousSpec"] == before["Spec"]
    assert after["Version"]["Index"] > before["Version"]["Index"]
    deeds.remove(ground, made)


KNOWN_SINCE = {"1.44": ("Healthcheck", "StartInterval"), "1.46": ("OomScoreAdj",)}
"""Parts of a container's spec, by the API version that brought them."""


@pytest.mark.parametrize("asked", ["1.41", "1.43", "1.44", "1.45", "1.46", "1.51"])
def test_what_the_asked_api_version_does_not_know_is_left_out(ground: Ground, asked: str) -> None:
    """A version that the engine does not speak stands for the nearest one that it does."""
    api = sorted([asked, ground.facts.oldest_api, ground.facts.api], key=number)[1]
    spec = replicated("dated", replicas=0)
    check = {"Test": ["CMD", "true"], "StartPeriod": SECOND, "StartInterval": SECOND}
    spec["TaskTemplate"]["ContainerSpec"] |= {"Healthcheck": check, "OomScoreAdj": 7}
    made = ground.do("POST", "/services/create", spec, api=api)["ID"]
    told = deeds.service(ground, made)["Spec"]["TaskTemplate"]["ContainerSpec"]
    deeds.remove(ground, made)
    there = {("Healthcheck", key) for key in told["Healthcheck"]} | {(key,) for key in told}
    assert {since for since, part in KNOWN_SINCE.items() if part in there} == {
        since for since in KNOWN_SINCE if number(since) <= number(api)
    }


def test_defaults_are_told_when_asked(ground: Ground) -> None:
    made = _create(ground, replicated("defaults", replicas=0))
    told = ground.get(f"/services/{made}", insertDefaults=True)["Spec"]
    assert (told["UpdateConfig"], told["RollbackConfig"]) == (FULL, FULL)
    assert told["TaskTemplate"]["RestartPolicy"] == {"Condition": "any", "Delay": 5_000_000_000, "MaxAttempts": 0}
    assert told["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] == 10_000_000_000
    assert "EndpointSpec" not in told
    assert "UpdateConfig" not in deeds.service(ground, made)["Spec"]
    deeds.remove(ground, made)


def test_port_0_is_chosen_by_the_swarm_and_not_in_the_spec(ground: Ground) -> None:
    made = deeds.create(ground, replicated("chosen", ingress_port(0), replicas=1))
    told = deeds.service(ground, made)
    (port,) = told["Endpoint"]["Ports"]
    assert 30000 <= port["PublishedPort"] <= 32767
    assert "PublishedPort" not in told["Spec"]["EndpointSpec"]["Ports"][0]
    deeds.remove(ground, made)


@pytest.mark.parametrize(
    ("spec", "status", "words"),
    [
        (
            replicated("there"),
            409,
            rpc("AlreadyExists", "name conflicts with an existing object: service there already exists"),
        ),
        (
            replicated("other", ingress_port(8111)),
            400,
            rpc("InvalidArgument", "port '8111' is already in use by service 'there' ({id}) as an ingress port"),
        ),
        (replicated("bad name"), 400, DNS),
        (
            replicated("twice", ingress_port(8102), ingress_port(8102)),
            400,
            rpc("InvalidArgument", "EndpointSpec: duplicate published ports provided"),
        ),
        (
            {**replicated("rr"), "EndpointSpec": {"Mode": "dnsrr", "Ports": [ingress_port(8103)]}},
            400,
            rpc("InvalidArgument", "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"),
        ),
        (
            {"Name": "bare", "TaskTemplate": {"ContainerSpec": {}}},
            400,
            rpc("InvalidArgument", "ContainerSpec: image reference must be provided"),
        ),
        (replicated("lost", networks=["nope"]), 500, "network nope not found"),
    ],
    ids=["name", "port", "bad name", "port twice", "dnsrr", "no image", "no network"],
)
def test_a_wrong_service_is_refused(ground: Ground, there: str, spec: Document, status: int, words: str) -> None:
    answer = ground.ask("POST", "/services/create", spec)
    assert (answer.status, answer.words) == (status, words.format(id=there))


@pytest.fixture(scope="module")
def there(ground: Ground) -> str:
    """A service that is there, on port 8111, without Swarm tasks."""
    ground.reset()
    return _create(ground, replicated("there", ingress_port(8111), replicas=0))


def test_the_ingress_is_no_network_to_name(ground: Ground) -> None:
    answer = ground.ask("POST", "/services/create", replicated("named", networks=[deeds.ingress(ground)["Id"]]))
    words = 'Service cannot be explicitly attached to the ingress network "ingress"'
    assert (answer.status, answer.words) == (400, rpc("InvalidArgument", f"{words}"))


@pytest.mark.parametrize(
    ("change", "query", "status", "words"),
    [
        ({}, {"version": 1}, 500, rpc("Unknown", "update out of sequence")),
        ({}, {}, 400, "invalid service version '': strconv.ParseUint: parsing \"\": invalid syntax"),
        (
            {"Name": "renamed"},
            {"version": 0},
            501,
            rpc("Unimplemented", "renaming services is not supported"),
        ),
        (
            {"Mode": {"Global": {}}},
            {"version": 0},
            501,
            rpc("Unimplemented", "service mode change is not allowed"),
        ),
        (
            {},
            {"version": 0, "rollback": "previous"},
            400,
            rpc("FailedPrecondition", "service {id} does not have a previous spec"),
        ),
        ({}, {"version": 0, "rollback": "junk"}, 500, "unrecognized rollback option junk"),
        ({}, {"version": 0, "registryAuthFrom": "junk"}, 500, "unsupported registryAuthFrom value"),
    ],
    ids=["old version", "no version", "name", "mode", "no previous", "rollback", "credentials"],
)
def test_a_wrong_update_is_refused(
    ground: Ground, there: str, change: Document, query: Document, status: int, words: str
) -> None:
    row = deeds.service(ground, there)
    asked = {**query, "version": row["Version"]["Index"]} if query.get("version") == 0 else query
    answer = ground.ask("POST", f"/services/{there}/update", {**row["Spec"], **change}, **asked)
    assert (answer.status, answer.words) == (status, words.format(id=there))


def test_a_service_that_is_not_there_is_not_found(ground: Ground) -> None:
    spec = replicated("nope")
    for method, path, body in (
        ("GET", "/services/nope", None),
        ("POST", "/services/nope/update?version=1", spec),
        ("DELETE", "/services/nope", None),
    ):
        answer = ground.ask(method, path, body)
        assert (answer.status, answer.words) == (404, "service nope not found")


def test_services_are_filtered(ground: Ground, there: str) -> None:
    other = _create(ground, {**services.everywhere("filtered"), "Labels": {"owner": "shop"}})
    by = [
        {"name": "there"},
        {"name": "the"},
        {"id": there},
        {"id": there[:12]},
        {"mode": "global"},
        {"mode": "replicated"},
        {"label": "owner=shop"},
        {"label": "owner=other"},
    ]
    found = [{row["ID"] for row in ground.filtered("/services", **one)} for one in by]
    assert found == [{there}, {there}, {there}, {there}, {other}, {there}, {other}, set()]
    deeds.remove(ground, other)


def test_a_service_is_found_by_id_the_beginning_of_it_and_name(ground: Ground, there: str) -> None:
    assert {ground.get(f"/services/{ref}")["ID"] for ref in (there, there[:12], "there")} == {there}


def test_a_service_on_a_network_without_addresses_stays_new(ground: Ground) -> None:
    first = deeds.create_overlay(ground, "whole", IPAM={"Config": [{"Subnet": "10.79.0.0/24"}]})
    body = {"Name": "hung", "Driver": "overlay", "IPAM": {"Config": [{"Subnet": "10.79.0.0/24"}]}}
    second = ground.do("POST", "/networks/create", body)["Id"]
    made = _create(ground, replicated("stuck", networks=[second]))
    ground.let_pass(3)
    assert deeds.states(ground, made) == {"new": 3}
    deeds.remove(ground, made)
    for key in (second, first):
        ground.do("DELETE", f"/networks/{key}")
