"""Containers of no service on an overlay: each is a Swarm task of its own kind, and the engine of its node moves it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import deeds
from tests.contract.grounds import NODES, Ground


@pytest.fixture(scope="module")
def overlays(ground: Ground) -> Iterator[dict[str, str]]:
    """One that is attachable and one that is not, by name, with full ids."""
    made = {name: deeds.create_overlay(ground, name, Attachable=name == "open") for name in ("open", "closed")}
    yield made
    for key in made.values():
        ground.do("DELETE", f"/networks/{key}")


@pytest.fixture(params=NODES[:2], ids=["manager", "worker"])
def box(request: pytest.FixtureRequest, ground: Ground) -> Iterator[tuple[str, str]]:
    """A container on the node: the node's name and its id."""
    made = ground.run(request.param, f"box-{request.param}")
    yield request.param, made
    ground.remove(request.param, made)
    ground.until(lambda: not _attachments(ground), "its place to go")


def _attachments(ground: Ground) -> list[Any]:
    found: list[Any] = ground.filtered("/tasks", runtime="attachment")
    return found


def _networks_of(ground: Ground, box: tuple[str, str]) -> set[str]:
    node, container_id = box
    row = next(row for row in ground.get("/containers/json", node=node) if row["Id"] == container_id)
    return {one["NetworkID"] for one in row["NetworkSettings"]["Networks"].values()}


def test_it_is_connected_by_its_own_engine_and_stands_among_the_attachments(
    ground: Ground, overlays: dict[str, str], box: tuple[str, str]
) -> None:
    node, container_id = box
    path, body = f"/networks/{overlays['open']}", {"Container": container_id}
    answer = ground.ask("POST", f"{path}/connect", body, node=node)
    assert (answer.status, answer.content) == (200, None)
    ground.until(lambda: _attachments(ground)[0]["Status"]["State"] == "running", "it to be told as running")
    (row,) = _attachments(ground)
    assert row["Spec"]["NetworkAttachmentSpec"] == {"ContainerID": container_id}
    assert row["Spec"]["Runtime"] == "attachment"
    assert (row["DesiredState"], row.get("ServiceID")) == ("running", None)
    assert row["NodeID"] == ground.get(f"/nodes/{node}")["ID"]
    assert deeds.attached(row) == [overlays["open"]]
    assert row["ID"] not in {listed["ID"] for listed in ground.get("/tasks")}
    assert overlays["open"] in _networks_of(ground, box)
    (address,) = row["NetworksAttachments"][0]["Addresses"]
    assert ground.get(path, node=node)["Containers"][container_id]["IPv4Address"] == address

    removal = ground.ask("DELETE", path)
    assert (removal.status, f"is in use by task {row['ID']}" in removal.words) == (400, True)
    again = ground.ask("POST", f"{path}/connect", body, node=node)
    assert (again.status, again.words) == (409, f"box-{node} is already attached to network open")

    answer = ground.ask("POST", f"{path}/disconnect", {**body, "Force": False}, node=node)
    assert (answer.status, answer.content) == (200, None)
    ground.until(lambda: not _attachments(ground), "its place to go")
    assert overlays["open"] not in _networks_of(ground, box)
    assert ground.ask("POST", f"{path}/disconnect", body, node=node).status in (404, 500)


def test_what_can_not_be_connected_is_refused(ground: Ground, overlays: dict[str, str], box: tuple[str, str]) -> None:
    node, container_id = box
    words = "Could not attach to network {0}: rpc error: code = {1} desc = network {0} {2}"
    for ref, code, reason in (
        (overlays["closed"], "PermissionDenied", "not manually attachable"),
        ("nope", "NotFound", "not found"),
    ):
        answer = ground.ask("POST", f"/networks/{ref}/connect", {"Container": container_id}, node=node)
        assert (answer.status >= 400, answer.words) == (True, words.format(ref, code, reason))
    answer = ground.ask("POST", f"/networks/{overlays['open']}/connect", {"Container": "nope"}, node=node)
    assert (answer.status, answer.words) == (404, "No such container: nope")
