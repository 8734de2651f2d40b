"""The ingress page and the form in which a rebuild is asked for."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from overlayweb.domain.plans import IngressPlan
from overlayweb.domain.swarm import IpamConfig, Swarm
from overlayweb.models import ChangeRequest, Cluster, codec
from overlayweb.services import ranges
from tests.domain.builders import make_ingress, make_service, make_swarm
from tests.web.pages import beside, text, value

FORM = "/clusters/prod/ingress/customise"
PREVIEW = "/clusters/prod/ingress/preview"
TYPED = {"name": "ingress", "subnet": "10.11.0.0/16", "gateway": "", "mtu": "1450", "ip_range": "", "labels": ""}


def see(cluster: Cluster, swarm: Swarm | None, error: str = "") -> None:
    """Let the cluster look like this."""
    cluster.observation = codec.dump(swarm) if swarm else ""
    cluster.observed_at = timezone.now() if swarm else None
    cluster.error, cluster.error_at = error, timezone.now()
    cluster.save()


def test_the_page_shows_settings_services_and_nodes(cluster: Cluster, as_author: Client) -> None:
    page = text(as_author.get("/clusters/prod/ingress/"))
    for words in ("10.0.0.0/24", "10.0.0.1", "shop_web", "8001→80/tcp", "8443→80/tcp", "wiki", "3 of 3", "2 of 2"):
        assert words in page
    assert "shop_worker" not in page


def test_a_node_that_is_not_on_the_ingress_is_named(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    networks = (make_ingress(peers=("192.168.50.11", "192.168.50.13")), *swarm.networks[1:])
    elsewhere = tuple(task for task in swarm.swarm_tasks if task.node_id != "id-node2")
    see(cluster, replace(swarm, networks=networks, swarm_tasks=elsewhere))
    page = text(as_author.get("/clusters/prod/ingress/"))
    assert "node2 192.168.50.12 Absent inferred It is not among the ingress's peers." in page
    assert "node2 is not on the ingress" in text(as_author.get("/clusters/prod/"))


def test_the_form_begins_with_the_settings_of_today(cluster: Cluster, as_author: Client) -> None:
    page = as_author.get(FORM)
    assert value(page, "subnet") == "10.0.0.0/24"
    assert value(page, "gateway") == ""  # the first address, which follows the subnet
    assert "No change yet" in beside(page, "preview")


def test_a_gateway_that_somebody_chose_is_kept(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    chosen = make_ingress(ipam=(IpamConfig(subnet="10.0.0.0/24", gateway="10.0.0.254"),))
    see(cluster, replace(swarm, networks=(chosen, *swarm.networks[1:])))
    page = as_author.get(FORM)
    assert value(page, "gateway") == "10.0.0.254"
    assert "No change yet" in beside(page, "preview")


def test_the_preview_follows_what_is_typed(cluster: Cluster, as_author: Client) -> None:
    answer = as_author.post(PREVIEW, TYPED, headers={"HX-Request": "true"})
    preview = beside(answer, "preview")
    for words in ("longest time a port is dark", "shop_web", "Create ingress 10.11.0.0/16", "Point of no return"):
        assert words in preview
    assert "docker network create --driver overlay --ingress --subnet 10.11.0.0/16 --gateway 10.11.0.1" in preview
    assert "lies inside Swarm's default address pool" in beside(answer, "verdict-subnet")
    assert b"<html" not in answer.content
    assert b"<input" not in answer.content
    assert not ChangeRequest.objects.exists()


def test_the_chosen_strategy_is_in_the_preview(cluster: Cluster, as_author: Client) -> None:
    answer = as_author.post(PREVIEW, {**TYPED, "strategy-id-wiki": "unpublish"})
    preview = beside(answer, "preview")
    assert "Restarts twice" in preview
    assert "Chosen by hand" in preview


def test_all_mistakes_at_once_each_beside_its_field_and_nothing_typed_is_lost(
    cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    busy = [make_service("wiki", published=(8081,), replicas=1, update_state="paused"), *swarm.services[:1]]
    see(cluster, replace(swarm, services=tuple(busy)))
    typed = {
        "name": "my ingress",
        "subnet": "10.9.0.0/16",
        "gateway": "10.9.0.0",
        "mtu": "abc",
        "ip_range": "10.8.0.0/24",
        "labels": "team=web\nno sign\ncom.docker.x=1",
        "strategy-id-shop_web": "unpublish",
        "reason": "",
    }
    page = as_author.post(FORM, typed)
    assert page.status_code == 422
    assert "does not take “my ingress”" in beside(page, "verdict-name")
    assert "overlaps overlay payments (10.9.1.0/24)" in beside(page, "verdict-subnet")
    assert "network address" in beside(page, "verdict-gateway")
    assert "whole number" in beside(page, "verdict-mtu")
    assert "not wholly inside" in beside(page, "verdict-ip_range")
    assert "Write it as key=value: no sign" in beside(page, "verdict-labels")
    assert "The label com.docker.x is in" in beside(page, "verdict-labels")
    assert "Say why" in beside(page, "verdict-reason")
    assert "paused update" in beside(page, "verdict-strategy-id-wiki")
    assert "8 things to mend" in text(page)
    for name in ("name", "subnet", "gateway", "mtu", "ip_range"):
        assert value(page, name) == typed[name]
    html = page.content.decode()
    assert "team=web\nno sign" in html
    assert '<option value="unpublish" selected>' in html
    assert not ChangeRequest.objects.exists()


def test_a_suggestion_is_taken_over_without_javascript(cluster: Cluster, as_author: Client) -> None:
    page = as_author.post(FORM, {**TYPED, "subnet": "10.9.0.0/16", "use": "subnet=10.10.0.0/16", "reason": "VPN"})
    assert page.status_code == 200
    assert value(page, "subnet") == "10.10.0.0/16"
    assert value(page, "mtu") == "1450"
    assert "VPN" in beside(page, "customise")
    assert "overlaps" not in beside(page, "verdict-subnet")
    assert not ChangeRequest.objects.exists()


def test_a_suggestion_changes_nothing_but_a_setting(cluster: Cluster, as_author: Client) -> None:
    page = as_author.post(FORM, {**TYPED, "reason": "VPN", "use": "reason=other"})
    assert "VPN" in beside(page, "customise")
    assert "other" not in beside(page, "customise").split("VPN")[0].split("Why")[-1]


def test_check_shows_the_plan_and_asks_for_nothing(cluster: Cluster, as_author: Client) -> None:
    page = as_author.post(FORM, {**TYPED, "check": "1"})
    assert page.status_code == 200
    assert "Create ingress 10.11.0.0/16" in beside(page, "preview")
    assert beside(page, "verdict-reason") == ""
    assert not ChangeRequest.objects.exists()


def test_asking_makes_a_change_request_with_its_plan(cluster: Cluster, as_author: Client) -> None:
    labels = "team=web\n\n owner = ana "
    answer = as_author.post(FORM, {**TYPED, "labels": labels, "strategy-id-wiki": "unpublish", "reason": "VPN"})
    change = ChangeRequest.objects.get()
    assert answer.headers["Location"] == f"/changes/{change.pk}/"
    plan = IngressPlan.of(change.plan_record.plan())
    assert (change.author.username, change.reason, change.cluster) == ("ana", "VPN", cluster)
    assert (plan.after.subnet, plan.after.gateway, plan.after.mtu) == ("10.11.0.0/16", "10.11.0.1", 1450)
    assert plan.after.labels == (("owner", "ana"), ("team", "web"))
    assert plan.request.strategies == (("id-wiki", "unpublish"),)


def test_a_reserved_range_is_respected(cluster: Cluster, administrator: User, as_author: Client) -> None:
    ranges.reserve(cidr="10.11.128.0/17", name="office VPN", reason="Porto", person=administrator, now=timezone.now())
    answer = as_author.post(PREVIEW, TYPED)
    assert "overlaps reserved range office VPN (10.11.128.0/17, Porto)" in beside(answer, "verdict-subnet")


def test_without_an_ingress_the_form_creates_one(cluster: Cluster, as_author: Client) -> None:
    see(cluster, make_swarm(ingress=None))
    for path in ("/clusters/prod/", "/clusters/prod/ingress/", "/history/"):
        words = "There is no ingress network. The published ports of the services answer nowhere."
        assert words in text(as_author.get(path))
    page = as_author.post(FORM, {**TYPED, "check": "1"})
    assert "services publish ports through it: shop_web" in beside(page, "preview")
    assert "Plan a repair of the routing mesh" in beside(page, "preview")
    see(cluster, make_swarm(ingress=None, services=[]))
    page = as_author.post(FORM, {**TYPED, "check": "1"})
    assert "Create the ingress" in text(page)
    assert "This plan only creates one" in beside(page, "preview")
    assert "Point of no return" not in beside(page, "preview")


@pytest.mark.parametrize("path", ["/clusters/prod/", "/clusters/prod/ingress/", FORM])
def test_a_cluster_never_seen_says_why_and_what_to_do(path: str, cluster: Cluster, as_author: Client) -> None:
    see(cluster, None, error="The engine is not a manager of a Swarm. Run docker swarm init on it.")
    page = text(as_author.get(path))
    assert page.count("Run docker swarm init on it.") == 1
    assert "Look again" in page


def test_asking_for_a_cluster_never_seen_keeps_what_was_typed(cluster: Cluster, as_author: Client) -> None:
    see(cluster, None, error="The engine does not answer.")
    page = as_author.post(FORM, {**TYPED, "reason": "VPN"})
    assert page.status_code == 422
    assert value(page, "subnet") == "10.11.0.0/16"
    assert "The engine does not answer." in text(page)
