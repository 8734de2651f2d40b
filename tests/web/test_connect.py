"""The form that connects, from a service and from a network; the page of a service; the matrix."""

import time

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from overlayweb.domain.connect_plans import ConnectPlan
from overlayweb.domain.links import Link
from overlayweb.models import ChangeRequest, Cluster, codec
from tests.domain.builders import make_network, make_service, make_swarm
from tests.web.pages import beside, text

pytestmark = pytest.mark.django_db


def url(route: str, *args: str) -> str:
    return reverse(route, args=args)


@pytest.fixture
def page(cluster: Cluster) -> str:
    return url("service-connect", "prod", "id-shop_web")


def test_ticked_and_unticked_become_a_change_with_a_plan(as_author: Client, page: str) -> None:
    posted = {"shown": ["id-backend", "id-payments"], "on": ["id-payments"], "alias-id-payments": "shop, till"}
    answer = as_author.post(page, {**posted, "reason": "Payments call the shop."})
    change = ChangeRequest.objects.get()
    assert answer.headers["Location"] == url("change", str(change.pk))
    plan = ConnectPlan.of(change.plan_record.plan())
    assert set(plan.request.links) == {
        Link(service_id="id-shop_web", network_id="id-backend", attach=False),
        Link(service_id="id-shop_web", network_id="id-payments", aliases=("shop", "till")),
    }
    shown = as_author.get(url("change", str(change.pk))).content.decode()
    assert "shop_worker" in shown, "who is cut is named"
    again = as_author.get(url("change-again", str(change.pk))).content.decode()
    assert 'value="shop till"' in again


def test_nothing_ticked_or_no_reason_is_refused(as_author: Client, page: str) -> None:
    same = {"shown": ["id-backend", "id-payments"], "on": ["id-backend"]}
    for posted in ({**same, "reason": "why"}, {**same, "on": ["id-backend", "id-payments"]}):
        assert as_author.post(page, posted).status_code == 422
    assert not ChangeRequest.objects.exists()


def test_a_blocker_is_said_and_nothing_is_asked(as_author: Client, page: str) -> None:
    posted = {"shown": ["id-payments"], "on": ["id-payments"], "alias-id-payments": "not!"}
    answer = as_author.post(page, posted)
    assert answer.status_code == 422
    assert beside(answer, "refused") == "Not asked for: 1 thing to mend."
    assert "“not!” is no name" in text(answer)
    assert "Say why" in beside(answer, "verdict-reason"), "together with the rest"
    assert not ChangeRequest.objects.exists()


def test_while_it_is_typed_the_plan_alone_comes_back(as_author: Client, page: str) -> None:
    posted = {"shown": ["id-payments"], "on": ["id-payments"]}
    answer = as_author.post(page, posted, headers={"HX-Request": "true"}).content.decode()
    assert answer.lstrip().startswith('<div class="preview"')
    assert "docker service update" in answer


def test_from_a_network_services_are_ticked(as_author: Client, cluster: Cluster) -> None:
    page = url("network-connect", cluster.name, "id-payments")
    assert "wiki" in as_author.get(page).content.decode()
    as_author.post(page, {"shown": ["id-wiki"], "on": ["id-wiki"], "reason": "why"})
    plan = ConnectPlan.of(ChangeRequest.objects.get().plan_record.plan())
    assert plan.request.links == (Link(service_id="id-wiki", network_id="id-payments"),)


def test_a_service_shows_its_neighbours_by_network(as_reader: Client, cluster: Cluster) -> None:
    shown = as_reader.get(url("service", cluster.name, "id-shop_web")).content.decode()
    assert url("service", cluster.name, "id-shop_worker") in shown
    assert "node1" in shown
    assert url("service-connect", cluster.name, "id-shop_web") not in shown, "a reader changes nothing"
    assert as_reader.get(url("service", cluster.name, "no-such")).status_code == 404


def test_the_matrix_is_filtered_and_quick_at_200_by_50(as_reader: Client, cluster: Cluster) -> None:
    networks = [make_network(f"net{n:02}", f"10.{n + 20}.0.0/24") for n in range(60)]
    services = [
        make_service(f"stack_svc{n:03}", published=(), network_ids=(f"id-net{n % 60:02}", f"id-net{(n + 1) % 60:02}"))
        for n in range(250)
    ]
    cluster.observation = codec.dump(make_swarm(services=services, networks=networks, observed_at=timezone.now()))
    cluster.save()
    page = url("reach", cluster.name)
    as_reader.get(page)
    began = time.perf_counter()
    shown = as_reader.get(page).content.decode()
    assert time.perf_counter() - began < 1.0
    assert "200 of 250 services" in shown
    assert "50 of 60 overlays" in shown
    narrowed = as_reader.get(page, {"service": "svc007"}, headers={"HX-Request": "true"}).content.decode()
    assert narrowed.count('<th scope="row">') == 1
    assert "Nothing fits" in as_reader.get(page, {"service": "nobody"}).content.decode()
