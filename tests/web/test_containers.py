"""The form in which standalone containers are connected to an overlay."""

from dataclasses import replace

import pytest
from django.test import Client

from overlayweb.domain.container_plans import ContainerPlan
from overlayweb.domain.swarm import Container, Swarm
from overlayweb.models import ChangeRequest, Cluster, codec
from tests.web.pages import beside, text

PAGE = "/clusters/prod/networks/id-backend/containers"
KEY = f"id-node1:{'f' * 64}"


@pytest.fixture(autouse=True)
def _seen(cluster: Cluster, swarm: Swarm) -> None:
    box = Container(id="f" * 64, name="shell", image="tools:1")
    cluster.observation = codec.dump(replace(swarm, manager_id="id-node1", containers=(box,)))
    cluster.save()


def test_what_is_ticked_becomes_a_change_and_can_be_planned_again(as_author: Client) -> None:
    page = text(as_author.get(PAGE))
    assert "shell on node1" in page
    assert "No change yet" in page
    assert "Not asked: node2, node3. An administrator can register their engines." in page
    typed = {"shown": KEY, "on": KEY}
    assert "+ backend" in beside(as_author.post(PAGE, {**typed, "check": "1"}), "preview")
    answer = as_author.post(PAGE, {**typed, "reason": "To look at the queue."})
    change = ChangeRequest.objects.get()
    assert answer["Location"] == f"/changes/{change.pk}/"
    assert change.title == "Connect shell to backend"
    assert [row.name for row in ContainerPlan.of(change.plan_record.plan()).joinings] == ["shell"]
    assert "shell" in text(as_author.get(f"/changes/{change.pk}/"))
    assert " checked" in as_author.get(f"/changes/{change.pk}/again").content.decode()


def test_nothing_ticked_and_no_reason_are_refused_with_what_was_typed(as_author: Client) -> None:
    answer = as_author.post(PAGE, {"shown": KEY, "reason": "Only so"})
    assert answer.status_code == 422
    assert "nothing is connected or disconnected" in text(answer)
    assert "Only so" in answer.content.decode()
    answer = as_author.post(PAGE, {"shown": KEY, "on": KEY})
    assert answer.status_code == 422
    assert "the reason is missing" in text(answer)
    assert not ChangeRequest.objects.exists()


def test_a_reader_and_the_ingress_get_no_form(as_reader: Client, as_author: Client, swarm: Swarm) -> None:
    assert as_reader.get(PAGE).status_code in {403, 404}
    (ingress,) = swarm.ingress_networks
    assert as_author.get(f"/clusters/prod/networks/{ingress.id}/containers").status_code == 404
