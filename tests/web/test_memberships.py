"""The forms that make a Swarm and let an engine join: what they show, refuse and ask for, and who may."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from overlayweb.models import ActionKind, ChangeRequest, Cluster, Job, MembershipAction, ReservedRange
from overlayweb.services import jobs
from tests.web.engines import outside
from tests.web.pages import beside, text, value

PAGE = "/clusters/prod/readiness/"
SWARM = {"advertise": "10.4.0.9", "pools": "10.30.0.0/16", "size": "26"}


def test_an_engine_in_no_swarm_is_offered_one(
    as_administrator: Client, as_author: Client, as_reader: Client, cluster: Cluster
) -> None:
    outside(cluster)
    assert "In no Swarm" in text(as_administrator.get(PAGE))
    line = "docker swarm init --advertise-addr 10.4.0.9 --default-addr-pool 10.30.0.0/16"
    for who in (as_administrator, as_author, as_reader):
        shown = beside(who.get(f"{PAGE}initialise", SWARM), "preview")
        assert f"{line} --default-addr-pool-mask-length 26" in shown
        assert "room for 1,024" in shown
    form = text(as_administrator.get(f"{PAGE}initialise"))
    assert ("Ask for approval" in form, "Say why" in form) == (True, False)
    for who in (as_author, as_reader):
        assert "Ask for approval" not in text(who.get(f"{PAGE}initialise"))
        assert who.post(f"{PAGE}initialise", {**SWARM, "reason": "mine"}).status_code == 403
    assert not ChangeRequest.objects.exists()
    answer = as_administrator.post(f"{PAGE}initialise", {**SWARM, "reason": "The new rack"})
    change = ChangeRequest.objects.get()
    assert answer.headers["Location"] == f"/changes/{change.pk}/"
    assert (change.kind, change.author.username, change.title) == ("swarm_init", "clara", "Make a Swarm on prod")
    page = text(as_reader.get(f"/changes/{change.pk}/"))
    assert "pools, size and data-path port can not be changed later" in page
    assert "10.30.0.0/16" in page
    assert "Make a Swarm on prod" in text(as_reader.get(PAGE))


def test_a_swarm_that_a_job_has_just_made_is_waited_for(
    as_administrator: Client, administrator: User, cluster: Cluster
) -> None:
    outside(cluster)
    as_administrator.post(f"{PAGE}initialise", {**SWARM, "reason": "The new rack"})
    change = ChangeRequest.objects.get()
    job = jobs.queue(change=change, approved_by=administrator, now=timezone.now())
    assert "In no Swarm" in text(as_administrator.get(PAGE))
    Job.objects.filter(pk=job.pk).update(status="succeeded", finished_at=timezone.now())
    page = as_administrator.get(PAGE)
    assert "The Swarm is made" in text(page)
    assert "Make a Swarm…" not in text(page)
    assert 'hx-trigger="every 1s"' in page.content.decode()
    Cluster.objects.filter(pk=cluster.pk).update(error_at=timezone.now(), error="Nothing listens there.")
    assert "The Swarm is made" not in text(as_administrator.get(PAGE)), "the look after it failed"


def test_all_that_is_wrong_with_a_swarm_is_told_at_once_and_nothing_is_lost(
    as_administrator: Client, cluster: Cluster
) -> None:
    outside(cluster)
    asked = {"advertise": "127.0.0.1", "pools": "8.0.0.0/8\n10.30.0.0/33", "size": "x", "data_path_port": "7"}
    page = as_administrator.post(f"{PAGE}initialise", asked)
    assert page.status_code == 422
    for field, words in (
        ("advertise", "loopback"),
        ("pools", "/33 is longer"),
        ("size", "whole number"),
        ("data_path_port", "outside 1024"),
        ("reason", "Say why"),
    ):
        assert words in beside(page, f"verdict-{field}"), field
    assert value(page, "advertise") == "127.0.0.1"
    assert value(page, "data_path_port") == "7"
    assert not ChangeRequest.objects.exists()


def test_what_is_typed_is_answered_by_the_plan_alone(as_reader: Client, cluster: Cluster) -> None:
    outside(cluster)
    answer = as_reader.post(f"{PAGE}initialise", SWARM, headers={"HX-Request": "true"})
    assert "docker swarm init" in beside(answer, "preview")
    assert "<h1>" not in answer.content.decode()
    assert "Say why" not in text(answer)


def test_a_change_of_the_membership_is_planned_again_from_what_it_asked_for(
    as_administrator: Client, cluster: Cluster
) -> None:
    outside(cluster)
    as_administrator.post(f"{PAGE}initialise", {**SWARM, "data_path_port": "7789", "reason": "The new rack"})
    old = ChangeRequest.objects.get()
    form = as_administrator.get(f"/changes/{old.pk}/again")
    assert [value(form, name) for name in ("advertise", "size", "data_path_port")] == ["10.4.0.9", "26", "7789"]
    as_administrator.post(f"/changes/{old.pk}/again", {**SWARM, "size": "27", "reason": "Smaller"})
    old.refresh_from_db()
    assert (old.status, old.replaced_by.get().reason) == ("withdrawn", "Smaller")


def test_members_do_not_reject_what_administrators_decide(
    as_administrator: Client, as_reviewer: Client, cluster: Cluster
) -> None:
    outside(cluster)
    as_administrator.post(f"{PAGE}initialise", {**SWARM, "reason": "The new rack"})
    change = ChangeRequest.objects.get()
    page = as_reviewer.get(f"/changes/{change.pk}/")
    assert "Only administrators approve or reject this." in text(page)
    assert "Approve plan" not in text(page)
    said = {"plan_sha256": change.plan_record.sha256, "reason": "no"}
    assert as_reviewer.post(f"/changes/{change.pk}/reject", said).status_code == 403
    assert as_reviewer.post(f"/changes/{change.pk}/approve", said).status_code == 409
    change.refresh_from_db()
    assert change.status == "pending"


def test_pools_are_held_against_reserved_ranges(as_reader: Client, cluster: Cluster) -> None:
    ReservedRange.objects.create(cidr="10.30.4.0/24", name="office VPN")
    page = as_reader.get(f"{PAGE}initialise", {"pools": "10.30.0.0/16"})
    assert "overlaps reserved range office VPN" in beside(page, "verdict-pools")
    assert "docker swarm init" not in beside(page, "preview")
    mended = as_reader.post(f"{PAGE}initialise", {"pools": "10.30.0.0/16", "use": "pools=10.31.0.0/16"})
    assert "--default-addr-pool 10.31.0.0/16" in beside(mended, "preview")


def test_a_swarm_is_not_made_where_there_is_one(as_administrator: Client, cluster: Cluster) -> None:
    page = as_administrator.post(f"{PAGE}initialise", {"advertise": "10.4.0.9", "reason": "one more"})
    assert page.status_code == 422
    assert "This engine is a manager already: the command is for another one." in text(page)
    assert not ChangeRequest.objects.exists()


def test_an_engine_that_nobody_has_asked_gets_the_command_and_no_plan(
    as_administrator: Client, cluster: Cluster
) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(observation="", observed_at=None, error="Nothing listens there.")
    shown = beside(as_administrator.get(f"{PAGE}initialise", {"advertise": "10.4.0.9"}), "preview")
    assert "Nobody has asked the engine of prod yet" in shown
    assert "docker swarm init --advertise-addr 10.4.0.9" in shown


@pytest.fixture
def spare(cluster: Cluster) -> Cluster:
    """Another engine, in no Swarm, asked a moment ago."""
    made = Cluster.objects.create(name="spare", endpoint="tcp://10.2.0.99:2376", created_at=timezone.now())
    outside(made)
    return made


JOIN = {"role": "manager", "remote": "192.168.50.11:2377", "advertise": "10.2.0.99"}


def test_a_registered_engine_joins_by_a_change(
    as_administrator: Client, as_author: Client, as_reader: Client, cluster: Cluster, spare: Cluster
) -> None:
    asked = {**JOIN, "joins": str(spare.pk)}
    form = as_administrator.get(f"{PAGE}join", asked)
    assert "spare at tcp://10.2.0.99:2376" in text(form)
    shown = beside(form, "preview")
    assert "fresh, registered as spare" in shown
    assert "docker swarm join --token TOKEN --advertise-addr 10.2.0.99 192.168.50.11:2377" in shown
    assert "With two managers nothing in the Swarm can change" in shown
    assert as_author.post(f"{PAGE}join", {**asked, "reason": "mine"}).status_code == 403
    as_administrator.post(f"{PAGE}join", {**asked, "reason": "A second one"})
    change = ChangeRequest.objects.get()
    assert (change.kind, change.cluster, change.title) == ("swarm_join", cluster, "Let spare join as manager")
    assert "2377/tcp" in text(as_reader.get(f"/changes/{change.pk}/"))
    assert "Let spare join as manager" in text(as_reader.get(PAGE))
    assert "Let spare join as manager of prod" in text(as_reader.get("/clusters/spare/readiness/"))


def test_joining_asks_for_an_engine_and_a_reason_at_once(
    as_administrator: Client, cluster: Cluster, spare: Cluster
) -> None:
    page = as_administrator.post(f"{PAGE}join", {**JOIN, "remote": "10.9.9.9:99999"})
    assert page.status_code == 422
    assert "Choose the engine that joins" in beside(page, "verdict-joins")
    assert "“99999” is no port" in beside(page, "verdict-remote")
    assert "Say why" in beside(page, "verdict-reason")
    other = as_administrator.post(f"{PAGE}join", {**JOIN, "joins": cluster.pk, "reason": "itself"})
    assert "This engine can not join" in beside(other, "verdict-joins")
    assert not ChangeRequest.objects.exists()


def test_without_a_registered_engine_there_is_only_the_command(as_administrator: Client, cluster: Cluster) -> None:
    page = as_administrator.get(f"{PAGE}join")
    assert "Ask for approval" not in text(page)
    assert "docker swarm join --token TOKEN" in beside(page, "preview")
    Cluster.objects.filter(pk=cluster.pk).update(demo=True)
    Cluster.objects.create(name="spare", endpoint="tcp://10.2.0.99:2376", created_at=timezone.now())
    assert "Ask for approval" not in text(as_administrator.get(f"{PAGE}join")), "the demo's nodes are no machines"


@pytest.mark.parametrize("engines", [0, 1])
def test_an_answer_has_a_place_on_its_page_for_each_of_its_verdicts(
    as_administrator: Client, cluster: Cluster, engines: int
) -> None:
    """Else htmx complains to the console with each key."""
    for number in range(engines):
        Cluster.objects.create(name="spare", endpoint=f"tcp://10.2.0.9{number}:2376", created_at=timezone.now())
    page = as_administrator.get(f"{PAGE}join").content.decode()
    typed = dict.fromkeys(re.findall(r'name="(\w+)"', page), "") | JOIN
    answer = as_administrator.post(f"{PAGE}join", typed, headers={"HX-Request": "true"}).content.decode()
    verdicts = set(re.findall(r'id="(verdict-\w+)"', answer))
    assert verdicts <= set(re.findall(r'id="(verdict-\w+)"', page))
    assert ("verdict-joins" in verdicts) == bool(engines)


def test_the_demos_engine_makes_no_swarm(as_administrator: Client, cluster: Cluster) -> None:
    outside(cluster)
    Cluster.objects.filter(pk=cluster.pk).update(demo=True)
    page = as_administrator.post(f"{PAGE}initialise", {**SWARM, "reason": "for show"})
    assert (page.status_code, "Ask for approval" in text(page)) == (422, False)
    assert "docker swarm init" in beside(page, "preview")
    assert not ChangeRequest.objects.exists()


def test_what_was_done_before_there_were_changes_stays_readable(
    as_reader: Client, cluster: Cluster, administrator: User
) -> None:
    MembershipAction.objects.create(
        cluster=cluster,
        person=administrator,
        kind=ActionKind.EARLIER,
        told="Made a Swarm: size 26",
        asked_at=timezone.now(),
        ended_at=timezone.now(),
    )
    assert "Made a Swarm: size 26 Clara Admin" in text(as_reader.get(PAGE))
