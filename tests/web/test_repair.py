"""Repair of a wedged mesh: the banner, the page, the change, the job that waits for somebody at a node."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from overlayweb.domain import repair_plans
from overlayweb.domain.lifecycle import ChangeStatus, DesiredState
from overlayweb.domain.plans import IngressPlan
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes
from tests.domain.builders import make_ingress, make_service, make_swarm
from tests.web import job_stories, wedges
from tests.web.pages import beside, text, value

REPAIR = "/clusters/prod/ingress/repair"
WHY = {"reason": "Half of the shop is dark."}


@pytest.fixture
def wedged(cluster: Cluster) -> Cluster:
    """The mesh as the careless script leaves it."""
    wedges.see(cluster, wedges.wedged())
    return cluster


def test_every_page_says_that_the_mesh_is_wedged_and_offers_the_repair(wedged: Cluster, as_author: Client) -> None:
    for path in ("/clusters/prod/", "/clusters/prod/ingress/", "/changes/", "/jobs/", "/history/"):
        answer = as_author.get(path)
        said = beside(answer, "banners")
        assert "The routing mesh is wedged: node1 and node3 hold an ingress that the Swarm has removed" in said
        assert "Plan a repair" in said
        assert f'href="{REPAIR}"' in answer.content.decode()


def test_a_reader_sees_the_diagnosis_without_the_button(wedged: Cluster, as_reader: Client) -> None:
    said = beside(as_reader.get("/clusters/prod/"), "banners")
    assert "The routing mesh is wedged" in said
    assert "Plan a repair" not in said


def test_the_page_shows_the_evidence(wedged: Cluster, as_author: Client) -> None:
    page = text(as_author.get(REPAIR))
    assert "node1 leader 192.168.50.11 Stale exact Its engine still lists ingress 10.0.0.0/24." in page
    assert "node2 192.168.50.12 Present inferred" in page
    assert "node3 192.168.50.13 Stale inferred It is a peer of the removed ingress 10.0.0.0/24." in page
    assert f"shop_web 1 of 3 {wedges.REFUSAL} The node still holds an ingress that the Swarm has removed." in page
    assert "1 of 2 published" in page


def test_the_page_shows_the_plan_with_the_leader_last(wedged: Cluster, as_author: Client) -> None:
    answer = as_author.get(REPAIR)
    page = text(answer)
    assert "2 engines that a person restarts" in re.sub(r"(engines that a person restarts) 2", r"2 \1", page)
    assert page.index("Restart Docker on node3") < page.index("Restart Docker on node1")
    assert answer.content.decode().count('data-copy="systemctl restart docker"') == 2
    assert "The job does not touch it: it comes back to full strength as the nodes do." in page
    assert "Subnet" not in page


def test_asking_makes_a_change_that_a_colleague_decides(
    wedged: Cluster, as_author: Client, as_reviewer: Client
) -> None:
    assert "the reason is missing" in text(as_author.post(REPAIR, {"reason": ""}))
    address = as_author.post(REPAIR, WHY).headers["Location"]
    change = ChangeRequest.objects.get()
    assert (change.kind, change.title) == (repair_plans.KIND, "Repair the routing mesh")
    page = text(as_reviewer.get(address))
    for words in ("Half of the shop is dark.", "Restart Docker on node3", "Approve plan", "What is wrong"):
        assert words in page
    assert "See the planned repair" in beside(as_author.get("/clusters/prod/"), "banners")
    as_reviewer.post(f"{address}approve", {"plan_sha256": change.plan_record.sha256})
    change.refresh_from_db()
    assert change.status == ChangeStatus.APPROVED
    assert change.job.kind == repair_plans.KIND
    assert "Repair the routing mesh" in text(as_author.get("/jobs/"))


def test_a_repair_may_be_planned_again_and_withdrawn(wedged: Cluster, as_author: Client) -> None:
    first = as_author.post(REPAIR, WHY).headers["Location"]
    again = as_author.get(f"{first}again")
    assert "Plan again: Repair the routing mesh" in text(again)
    second = as_author.post(f"{first}again", WHY).headers["Location"]
    assert ChangeRequest.objects.get(pk=first.split("/")[2]).status == ChangeStatus.WITHDRAWN
    as_author.post(f"{second}withdraw")
    assert not ChangeRequest.objects.filter(status=ChangeStatus.PENDING).exists()


def test_a_mesh_that_is_whole_again_makes_the_change_unfit(wedged: Cluster, swarm: Swarm, as_reviewer: Client) -> None:
    asked = wedges.ask(wedged)
    wedges.see(wedged, swarm)
    page = text(as_reviewer.get(f"/changes/{asked.pk}/"))
    assert "it cannot be approved any more" in page
    assert "There is nothing to repair" in text(as_reviewer.get(REPAIR))
    answer = as_reviewer.post(REPAIR, WHY)
    assert answer.status_code == 422
    assert "There is nothing to repair" in text(answer)


def test_without_an_ingress_the_settings_are_asked_for_and_checked(cluster: Cluster, as_author: Client) -> None:
    wedges.see(cluster, wedges.without_ingress())
    page = as_author.get(REPAIR)
    assert value(page, "subnet") == "10.0.0.0/24"
    assert "Its last update took its ports off" in text(page)
    assert "There is no ingress network." in text(page)
    typed = {"kind": repair_plans.KIND, "name": "ingress", "subnet": "10.20.0.9/16"}
    assert "10.20.0.0/16" in beside(as_author.post("/clusters/prod/ingress/preview", typed), "verdict-subnet")
    refused = as_author.post(REPAIR, {**typed, **WHY})
    assert refused.status_code == 422
    as_author.post(REPAIR, {**typed, **WHY, "subnet": "10.20.0.0/16"})
    assert IngressPlan.of(ChangeRequest.objects.get().plan_record.plan()).after.subnet == "10.20.0.0/16"


def test_a_repair_goes_back_to_the_settings_of_the_last_job(cluster: Cluster, as_author: Client) -> None:
    last = job_stories.done(job_stories.dark(job_stories.recorded(job_stories.queued(cluster, subnet="10.44.0.0/16"))))
    assert last.ended
    wedges.see(cluster, wedges.without_ingress())
    assert value(as_author.get(REPAIR), "subnet") == "10.44.0.0/16"


def test_two_ingress_networks_are_named_with_the_plan_that_removes_both(cluster: Cluster, as_author: Client) -> None:
    first, second = make_ingress(), make_ingress("", id="second", name="other")
    web = make_service("web", vips=((first.id, "10.0.0.5/24"),))
    wedges.see(cluster, make_swarm(services=[web], ingress=first, networks=[second]))
    said = beside(as_author.get("/changes/"), "banners")
    assert "ingress 10.0.0.0/24 (id ingressoldaa), other without addresses (id second)." in said
    assert "Plan a repair" in said
    ingress = text(as_author.get("/clusters/prod/ingress/"))
    assert "ingress ingressoldaa 10.0.0.0/24 1 of 1 0 of 3 Removed last, and made again with its settings" in ingress
    assert "other second No addresses 0 of 1 0 of 3 Removed" in ingress
    assert ingress.count("Plan a repair") == 1, "in the banner"
    assert "Customise…" not in ingress
    page = as_author.get(REPAIR)
    assert value(page, "subnet") == "10.0.0.0/24"
    for words in ("Remove the 2 ingress networks", "docker network rm second", "docker network rm ingressold"):
        assert words in text(page)
    assert re.search(r"longest time a port is dark [\d.]+ s service that the job looks after 1 ", text(page))
    assert re.search(r"Its ports are dark for about [\d.]+ s\. Its containers stop and start once\.", text(page))


def test_the_job_names_who_does_what_where(wedged: Cluster, as_reviewer: Client) -> None:
    job = wedges.approved(wedged)
    assert beside(as_reviewer.get(f"/jobs/{job.pk}/"), "job-restarts") == ""
    story = job_stories.recorded(job)
    step = story.begin()
    story.ledger.progress(step, "Waiting for node3: run `systemctl restart docker` there (192.168.50.13)")
    answer = as_reviewer.get(f"/jobs/{job.pk}/")
    assert "Waits for a restart" in beside(answer, "job-state")
    asked = beside(answer, "now-restart-1")
    assert "Restart Docker on node3" in asked
    assert "systemctl restart docker" in asked
    assert "192.168.50.13" in asked
    assert "Engine 1 of 2, waiting for" in asked
    assert "Next: node1 (the leader)." in asked
    assert "Waits for a restart" in text(as_reviewer.get("/jobs/"))
    story.ledger.finish(step, "node3 let go of the removed ingress")
    story.begin()
    shown = beside(as_reviewer.get(f"/jobs/{job.pk}/live"), "job-restarts")
    assert "Engine 2 of 2, waiting for" in shown
    assert "Restart Docker on node1" in shown
    assert "started" not in beside(as_reviewer.get(f"/jobs/{job.pk}/"), "job-steps")


def test_a_node_that_stays_away_at_the_end_is_named_too(wedged: Cluster, as_reviewer: Client) -> None:
    job = wedges.approved(wedged)
    story = job_stories.recorded(job)
    for _ in range(3):
        story.do()
    step = story.begin()
    data = {
        "node_id": "id-node2",
        "hostname": "node2",
        "address": "192.168.50.12",
        "command": "systemctl restart docker",
    }
    story.ledger.announce("restart", "On node2 run …", step=step, subject="node2", data=data)
    answer = as_reviewer.get(f"/jobs/{job.pk}/")
    assert "Restart Docker on node2" in beside(answer, "job-restarts")
    assert "Waits for a restart" in beside(answer, "job-state")


def test_a_repair_that_waits_may_be_cancelled(wedged: Cluster, as_reviewer: Client) -> None:
    job = wedges.approved(wedged)
    job_stories.recorded(job).begin()
    page = text(as_reviewer.get(f"/jobs/{job.pk}/"))
    assert "The mesh stays as it is now." in page
    as_reviewer.post(f"/jobs/{job.pk}/cancel")
    job.refresh_from_db()
    assert job.desired_state == DesiredState.CANCEL


def test_while_it_runs_the_banner_says_repaired(wedged: Cluster, as_reviewer: Client) -> None:
    job_stories.started(wedges.approved(wedged))
    said = beside(as_reviewer.get("/clusters/prod/"), "banners")
    assert said.startswith("The routing mesh is being repaired. Watch the job")


def test_history_filters_by_kind(wedged: Cluster, as_author: Client) -> None:
    changes.withdraw(change=wedges.ask(wedged), now=timezone.now())
    assert "Repair the routing mesh" in text(as_author.get("/history/?kind=mesh_repair"))
    assert "Nothing in the history fits" in text(as_author.get("/history/?kind=ingress_rebuild"))
