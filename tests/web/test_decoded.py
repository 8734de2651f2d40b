"""What errors mean, wherever they are shown."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import Client
from django.utils import timezone

from overlayweb.domain import decoding
from overlayweb.domain.readiness import Check, EngineView, Membership
from overlayweb.domain.swarm import NodeView, Swarm
from overlayweb.models import Cluster, Event, MembershipAction, NodeEndpoint, ReadinessCheck, codec
from overlayweb.models.readiness import ActionKind
from tests.domain.builders import make_network, make_service, make_swarm, make_swarm_task
from tests.web import job_stories, wedges
from tests.web.pages import beside, text

NO_ROOM = "no suitable node (insufficient resources on 3 nodes)"
SHOP = make_service("shop_web", network_ids=("id-backend",))


def see(cluster: Cluster, swarm: Swarm) -> None:
    """A look that finds this now."""
    now = timezone.now()
    cluster.observation, cluster.observed_at = codec.dump(replace(swarm, observed_at=now)), now
    cluster.save()


def rejecting(error: str) -> Swarm:
    tasks = [make_swarm_task(SHOP, n, state="pending", error=error, node_id="") for n in (1, 2)]
    return make_swarm(services=[SHOP], swarm_tasks=tasks, networks=[make_network()])


def test_the_overview_tells_cause_evidence_and_next_action(cluster: Cluster, as_author: Client) -> None:
    see(cluster, rejecting(NO_ROOM))
    page = text(as_author.get("/clusters/prod/"))
    assert "No node has as much CPU or memory left as the service reserves." in page
    assert "2 tasks of shop_web say so now." in page
    assert "All 3 nodes are ready and active." in page


def test_a_service_that_hangs_in_new_without_a_word_is_explained(cluster: Cluster, as_author: Client) -> None:
    waiting = make_swarm_task(SHOP, 1, state="new", node_id="", state_at=timezone.now() - timedelta(minutes=5))
    see(cluster, make_swarm(services=[SHOP], swarm_tasks=[waiting], networks=[make_network("backend", "")]))
    page = text(as_author.get("/clusters/prod/"))
    assert "Swarm has not given the containers their addresses" in page
    assert "Without addresses now: backend." in page


def test_unknown_words_are_shown_as_they_are(cluster: Cluster, as_author: Client) -> None:
    see(cluster, rejecting("the flux is low"))
    page = text(as_author.get("/clusters/prod/"))
    assert "Swarm says: the flux is low." in page
    assert "The containers wait for a node that may run them." in page


def test_the_repair_is_linked_for_those_who_may_ask(cluster: Cluster, as_author: Client, as_reader: Client) -> None:
    wedges.see(cluster, wedges.wedged())
    link = 'href="/clusters/prod/ingress/repair">Plan a repair</a>'
    assert link in as_author.get("/clusters/prod/").content.decode()
    assert link not in as_reader.get("/clusters/prod/").content.decode()


def test_the_banner_explains_why_the_engine_does_not_answer(
    cluster: Cluster, as_administrator: Client, as_author: Client
) -> None:
    Cluster.objects.update(
        error="Could not list the nodes. Nothing listens at tcp://10.2.0.11:2376.", error_at=cluster.observed_at
    )
    said = beside(as_administrator.get("/clusters/prod/"), "banners")
    assert "What this means No engine listens there" in said
    assert "Edit the cluster's address" in said
    assert "Edit the cluster's address" not in beside(as_author.get("/clusters/prod/"), "banners")


def test_a_cluster_that_was_never_seen_is_explained_in_its_page(cluster: Cluster, as_author: Client) -> None:
    Cluster.objects.update(error="x509: certificate signed by unknown authority", observation="", observed_at=None)
    assert "do not trust each other's certificates" in text(as_author.get("/clusters/prod/"))


def test_a_job_that_waits_explains_its_sentences_with_what_shows_now(db: None, as_author: Client) -> None:
    job = job_stories.started(job_stories.queued(job_stories.cluster())).job
    see(job.cluster, rejecting("ingress sandbox already present"))
    job.attention = ["shop_web does not start: ingress sandbox already present."]
    job.status = "needs_operator"
    job.save()
    Event.objects.create(job=job, seq=900, at=timezone.now(), level="error", kind="x", message="update out of sequence")
    page = as_author.get(f"/jobs/{job.pk}/")
    notes = beside(page, "job-notes")
    assert "The node still holds an ingress that the Swarm has removed." in notes
    assert "2 tasks of shop_web say so now." in notes
    assert "Somebody else, or Swarm itself, changed it between reading and writing." in beside(page, "job-log")


@pytest.mark.parametrize("words", ["", "all is well", "<b>bold</b>"])
def test_the_tag_gives_nothing_for_what_is_not_known(words: str) -> None:
    shown = Template("{% load decoded %}{% decoded words %}").render(Context({"words": words}))
    assert shown.strip() == ""


def test_tags_for_services_and_networks_say_the_words_too() -> None:
    swarm = rejecting(NO_ROOM)
    lost = make_network("lost", "")
    page = Template("{% load decoded %}{% decoded_service service swarm %}{% decoded_network network swarm %}")
    shown = page.render(Context({"service": SHOP, "swarm": swarm, "network": lost}))
    assert NO_ROOM in shown
    assert "Swarm has not allocated lost." in shown


def test_the_page_of_a_service_tells_why_it_is_short(cluster: Cluster, as_author: Client) -> None:
    see(cluster, rejecting(NO_ROOM))
    page = as_author.get("/clusters/prod/services/id-shop_web/")
    said = beside(page, "short")
    assert "0 of 2 containers run" in said
    assert "No node has as much CPU or memory left as the service reserves." in said
    see(cluster, rejecting("a reason that nobody has seen before"))
    said = beside(as_author.get("/clusters/prod/services/id-shop_web/"), "short")
    assert "Swarm says: a reason that nobody has seen before" in said
    see(cluster, make_swarm(services=[SHOP], networks=[make_network()]))
    assert 'id="short"' not in as_author.get("/clusters/prod/services/id-shop_web/").content.decode()


def test_a_paused_update_is_told_on_the_services_page(cluster: Cluster, as_author: Client) -> None:
    paused = replace(SHOP, update_state="paused", update_message="update paused due to failure of task abc")
    see(cluster, make_swarm(services=[paused], networks=[make_network()]))
    said = beside(as_author.get("/clusters/prod/services/id-shop_web/"), "update")
    assert "Its update is paused" in said
    assert "update paused due to failure" in said


X509 = "x509: certificate signed by unknown authority"


def explains(said: str) -> bool:
    """Whether both the cause and the next action of ``X509`` are told."""
    known = decoding.decode(X509)
    assert known is not None
    return all(words.replace("`", "") in said for words in (known.cause, known.remedy))


@pytest.mark.parametrize(("ending", "status"), [("", "failed"), ("failed", "running")], ids=["ended", "turned back"])
def test_how_a_job_fails_is_explained(db: None, as_reader: Client, ending: str, status: str) -> None:
    job = job_stories.started(job_stories.queued(job_stories.cluster())).job
    see(job.cluster, make_swarm())
    job.outcome, job.ending, job.status = f"Create ingress failed: {X509}.", ending, status
    job.save()
    assert explains(beside(as_reader.get(f"/jobs/{job.pk}/"), "job-notes"))


def test_why_an_act_of_membership_failed_is_explained(cluster: Cluster, as_reader: Client, administrator: User) -> None:
    now = timezone.now()
    MembershipAction.objects.create(
        cluster=cluster, person=administrator, kind=ActionKind.ROTATE, asked_at=now, ended_at=now, error=X509
    )
    assert explains(text(as_reader.get("/clusters/prod/readiness/")))


@pytest.mark.parametrize(
    "engine",
    [
        EngineView(hostname="node2", membership=Membership.BROKEN, swarm_error=X509),
        EngineView(hostname="", error=X509),
    ],
    ids=["kept from its Swarm", "not asked"],
)
def test_why_an_engine_is_in_no_swarm_is_explained(cluster: Cluster, as_reader: Client, engine: EngineView) -> None:
    Cluster.objects.update(observation="", observed_at=None)
    now = timezone.now()
    check = codec.dump(Check(checked_at=now, engine=engine, ports=()))
    ReadinessCheck.objects.create(cluster=cluster, asked_at=now, checked_at=now, result=check)
    assert explains(text(as_reader.get("/clusters/prod/readiness/")))


def test_why_a_node_did_not_answer_the_check_is_explained(cluster: Cluster, as_author: Client) -> None:
    now = timezone.now()
    others = (EngineView(hostname="node2", error=X509), EngineView(hostname="node3"))
    check = Check(checked_at=now, engine=EngineView(hostname="node1", membership=Membership.MANAGER), others=others)
    ReadinessCheck.objects.create(cluster=cluster, asked_at=now, checked_at=now, result=codec.dump(check))
    page = text(as_author.get("/clusters/prod/readiness/"))
    assert f"asked node2 at its own address, and it did not answer: {X509}" in page
    assert explains(page)
    assert "asked node3" not in page


@pytest.mark.parametrize("path", ["nodes", "ingress/"])
def test_why_a_node_was_not_asked_is_explained(cluster: Cluster, as_administrator: Client, path: str) -> None:
    NodeEndpoint.objects.create(cluster=cluster, hostname="node1", endpoint="tcp://10.0.0.1:2376")
    view = NodeView(node_id="id-node1", hostname="node1", observed_at=timezone.now(), error=X509)
    see(cluster, make_swarm(node_views=(view,)))
    assert explains(text(as_administrator.get(f"/clusters/prod/{path}")))
