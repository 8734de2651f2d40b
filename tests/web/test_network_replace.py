"""The form in which an overlay is replaced, and the plan that it shows."""

from django.test import Client

from overlayweb.domain.replace_plans import ReplacePlan
from overlayweb.models import ChangeRequest, Cluster
from tests.web.pages import beside, text, value

FORM = "/clusters/prod/networks/id-backend/replace"
TYPED = {"name": "backend-wide", "subnets": "10.31.0.0/22", "mtu": "1400", "attachable": "on", "labels": ""}


def test_the_form_begins_with_the_settings_of_the_network(cluster: Cluster, as_author: Client) -> None:
    page = as_author.get(FORM)
    assert value(page, "name") == "backend"
    assert "10.0.9.0/24" in text(page)
    assert "10.0.9.1" not in beside(page, "id_subnets"), "a gateway that nobody chose follows the subnet"
    assert (value(page, "services"), value(page, "replicas")) == ("2", "2")
    assert "No change yet" in beside(page, "preview")
    assert "Another network of the Swarm is called" not in text(page), "nobody has made a mistake yet"


def test_the_preview_shows_each_service_and_the_phases(cluster: Cluster, as_author: Client) -> None:
    page = text(as_author.post(f"{FORM}/preview", TYPED))
    for words in (
        "shop_web",
        "shop_worker",
        "onto both backend and backend-wide",
        "Remove backend",
        "10.31.0.0/22",
        "in part",
    ):
        assert words in page
    assert "wiki" not in page


def test_asked_for_it_becomes_a_change(cluster: Cluster, as_author: Client) -> None:
    answer = as_author.post(FORM, {**TYPED, "options": "", "reason": "The subnet is too small."})
    change = ChangeRequest.objects.get()
    assert answer["Location"] == f"/changes/{change.pk}/"
    plan = ReplacePlan.of(change.plan_record.plan())
    assert (plan.before.name, plan.after.name, plan.after.mtu) == ("backend", "backend-wide", 1400)
    page = text(as_author.get(f"/changes/{change.pk}/"))
    assert "Replace backend → backend-wide 10.31.0.0/22" in page
    assert "Restarts of each" in page
    again = as_author.get(f"/changes/{change.pk}/again")
    assert value(again, "name") == "backend-wide"


def test_what_is_in_the_way_is_said_beside_its_field_and_nothing_is_asked_for(
    cluster: Cluster, as_author: Client
) -> None:
    answer = as_author.post(FORM, {**TYPED, "subnets": "10.9.1.0/25", "mtu": "20", "reason": "Why not"})
    assert answer.status_code == 422
    assert "10.9.1.0/25 overlaps overlay payments" in beside(answer, "verdict-subnets")
    assert "outside 576 to 9000" in beside(answer, "verdict-mtu")
    assert not ChangeRequest.objects.exists()


def test_the_same_name_and_even_the_same_subnet_go_by_an_interim_network(cluster: Cluster, as_author: Client) -> None:
    typed = {**TYPED, "name": "backend", "subnets": "10.0.9.0/24", "keep_name": "on"}
    page = text(as_author.post(f"{FORM}/preview", typed))
    assert "services pass over backend-interim" in page
    assert "overlaps" not in page
    assert "Make backend with the old name" in page


def test_a_network_that_is_not_there_is_a_404(cluster: Cluster, as_author: Client) -> None:
    assert as_author.get("/clusters/prod/networks/id-nothing/replace").status_code == 404
