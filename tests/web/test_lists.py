"""The lists of networks and services: filtered, sorted and paged by the server, with few questions to the database."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from overlayweb.domain import capacity, network_plans
from overlayweb.domain.ingress_settings import JOB_LABEL
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.swarm import OWNER_LABEL, STACK_LABEL
from overlayweb.models import ChangeRequest, Cluster, Job
from tasks import observations
from tests.domain.builders import make_ingress, make_network, make_service, make_swarm, make_swarm_tasks
from tests.web import pages
from tests.web.inventories import make_cluster, make_large_swarm

MOST_QUERIES = 8
LISTS = ("networks", "services")
NONE = "\N{EN DASH}"


@pytest.fixture
def large(db: None) -> Cluster:
    return make_cluster("large", make_large_swarm(120, observed_at=timezone.now()))


@pytest.fixture
def varied(db: None) -> Cluster:
    """Five overlays and four services, no two alike."""
    front = make_network("front", "10.0.20.0/24", attachable=True, mtu="1400")
    back = make_network("shop_back", "10.0.3.0/24", encrypted=True, attachable=False, internal=True)
    stuck = make_network("stuck", "")
    full = make_network("full", "10.0.100.0/29")
    services = [
        make_service(
            "shop_web", published=(8001,), network_ids=(front.id, back.id), vips=((front.id, "10.0.20.2/24"),)
        ),
        make_service("shop_db", published=(), network_ids=(back.id,), replicas=1, update_state="updating"),
        make_service("jobs", published=(), network_ids=(full.id,), replicas=6),
        make_service("alone", published=(), replicas=0),
    ]
    tasks = [task for service in services for task in make_swarm_tasks(service)]
    swarm = make_swarm(
        services=services,
        networks=[front, back, stuck, full, make_network("idle", "10.0.4.0/24")],
        ingress=make_ingress("10.20.0.0/24"),
        swarm_tasks=[task for task in tasks if task.id != "task-jobs-6"],
        observed_at=timezone.now(),
    )
    return make_cluster("varied", swarm)


@pytest.fixture
def names(as_author: Client) -> Callable[[str], list[str]]:
    """The names that a list shows, in order, for an address."""

    def of(address: str) -> list[str]:
        answer = as_author.get(address)
        assert answer.status_code == 200
        return [row.name for row in answer.context["listing"].page]

    return of


@pytest.mark.parametrize("place", LISTS)
@pytest.mark.parametrize("query", ["", "?q=net000&sort=-services&page=2"])
def test_a_page_asks_the_database_little_however_long_the_list(
    place: str, query: str, large: Cluster, as_administrator: Client
) -> None:
    small = make_cluster("small", make_large_swarm(12, observed_at=timezone.now()))
    asked = {}
    for cluster in (large, small):
        address = f"/clusters/{cluster.name}/{place}/{query}"
        as_administrator.get(address)  # the session remembers the cluster
        cache.clear()
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert as_administrator.get(address).status_code == 200
        asked[cluster.name] = len(captured)
        assert not any('"overlayweb_cluster"."observation"' in row["sql"] for row in captured.captured_queries)
    assert asked["large"] <= MOST_QUERIES
    assert asked["small"] == asked["large"]


@pytest.mark.parametrize("place", LISTS)
def test_every_row_is_on_one_page_and_no_row_on_two(
    place: str, large: Cluster, names: Callable[[str], list[str]]
) -> None:
    found = [name for page in (1, 2, 3) for name in names(f"/clusters/large/{place}/?sort=-state&page={page}")]
    assert len(found) == len(set(found)) == (121 if place == "networks" else 120)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["front", "full", "idle", "ingress", "shop_back", "stuck"]),
        ("?q=SHOP", ["shop_back"]),
        ("?q=10.0.3", ["shop_back"]),
        ("?q=10.0+front", ["front"]),
        ("?q=nothing", []),
        ("?show=encrypted", ["shop_back"]),
        ("?show=internal", ["shop_back"]),
        ("?show=unallocated", ["stuck"]),
        ("?show=unused", ["idle", "stuck"]),
        ("?show=tight", ["full"]),
        ("?show=local", ["docker_gwbridge"]),
        ("?show=nonsense&sort=nonsense", ["front", "full", "idle", "ingress", "shop_back", "stuck"]),
        ("?sort=-name", ["stuck", "shop_back", "ingress", "idle", "full", "front"]),
        ("?sort=subnet", ["shop_back", "idle", "front", "full", "ingress", "stuck"]),
        ("?sort=-services", ["shop_back", "front", "full", "ingress", "idle", "stuck"]),
        ("?sort=-mtu", ["front", "full", "idle", "ingress", "shop_back", "stuck"]),
        ("?sort=state", ["stuck", "front", "full", "idle", "ingress", "shop_back"]),
    ],
)
def test_networks_are_filtered_and_sorted(
    query: str, expected: list[str], varied: Cluster, names: Callable[[str], list[str]]
) -> None:
    assert names(f"/clusters/varied/networks/{query}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["alone", "jobs", "shop_db", "shop_web"]),
        ("?q=8001", ["shop_web"]),
        ("?q=shop_back", ["shop_db", "shop_web"]),
        ("?q=shop/web:1", ["alone", "jobs", "shop_db", "shop_web"]),
        ("?show=short", ["jobs"]),
        ("?show=updating", ["shop_db"]),
        ("?show=published", ["shop_web"]),
        ("?show=attached&sort=-containers", ["jobs", "shop_web", "shop_db"]),
        ("?show=alone", ["alone"]),
        ("?sort=state", ["jobs", "shop_db", "shop_web", "alone"]),
        ("?sort=-networks", ["shop_web", "jobs", "shop_db", "alone"]),
    ],
)
def test_services_are_filtered_and_sorted(
    query: str, expected: list[str], varied: Cluster, names: Callable[[str], list[str]]
) -> None:
    assert names(f"/clusters/varied/services/{query}") == expected


def test_what_a_row_says(varied: Cluster, as_reader: Client) -> None:
    networks = pages.text(as_reader.get("/clusters/varied/networks/"))
    assert "10.0.20.0/24" in networks
    assert "6 of 254" in networks, "the gateway, a VIP, two containers, their two nodes"
    services = pages.text(as_reader.get("/clusters/varied/services/"))
    assert "5 of 6" in services
    assert "Below strength" in services
    assert "Updating" in services
    assert "None wanted" in services


@pytest.fixture
def owned(author: User, reviewer: User) -> Cluster:
    """Overlays that a job of Ana's made, one of Ben's, a stack, and nobody known.

    What Ben's job made is of a stack too. ``copied`` bears the mark of a job of another cluster, ``forged`` of none.
    """
    elsewhere = make_cluster("elsewhere", make_swarm(networks=[], observed_at=timezone.now()))
    cluster = make_cluster("owned", make_swarm(networks=[], observed_at=timezone.now()))
    marks = [
        f"{job_of(cluster, author).pk}-1",
        f"{job_of(cluster, reviewer).pk}-2",
        f"{job_of(elsewhere, author).pk}-1",
        "9" * 30,
    ]
    mine, bens, others, nobodys = (((JOB_LABEL, mark),) for mark in marks)
    networks = [
        make_network("lake", "10.0.30.0/24", labels=mine),
        make_network("shop_moved", "10.0.31.0/24", labels=(*bens, (STACK_LABEL, "shop"))),
        make_network("copied", "10.0.32.0/24", labels=others),
        make_network("forged", "10.0.33.0/24", labels=nobodys),
        make_network("office_net", "10.0.34.0/24", labels=((STACK_LABEL, "office"),)),
        make_network("plain", "10.0.35.0/24"),
        make_network("asked", "10.0.36.0/24", labels=((OWNER_LABEL, "payments team"), *mine)),
        make_network("said", "10.0.37.0/24", labels=((OWNER_LABEL, "x" * 300), (STACK_LABEL, "y" * 300))),
    ]
    assert observations.keep(cluster=cluster, swarm=make_swarm(networks=networks, observed_at=timezone.now()))
    return cluster


def job_of(cluster: Cluster, person: User) -> Job:
    """A job that carried out a change of this person."""
    now = timezone.now()
    change = ChangeRequest.objects.create(cluster=cluster, kind=network_plans.CREATE, author=person, created_at=now)
    return Job.objects.create(change=change, cluster=cluster, status=JobStatus.SUCCEEDED, created_at=now)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?sort=owner", ["lake", "shop_moved", "office_net", "asked", "said", "copied", "forged", "ingress", "plain"]),
        ("?sort=-owner", ["said", "asked", "office_net", "shop_moved", "lake", "copied", "forged", "ingress", "plain"]),
        ("?q=ana", ["asked", "lake"]),
        ("?q=payments", ["asked"]),
        ("?q=BEN+shop", ["shop_moved"]),
        ("?q=office", ["office_net"]),
    ],
)
def test_networks_are_found_and_sorted_by_their_owner(
    query: str, expected: list[str], owned: Cluster, names: Callable[[str], list[str]]
) -> None:
    assert names(f"/clusters/owned/networks/{query}") == expected


def test_the_owner_is_who_its_label_names_else_who_had_it_made_else_its_stack(
    owned: Cluster, as_reader: Client
) -> None:
    page = pages.text(as_reader.get("/clusters/owned/networks/"))
    assert dict(re.findall(r"(\w+) attachable 10\.\S+ .*? default (.*?) Ready", page)) == {
        "lake": "Ana Author",
        "shop_moved": "Ben Reviewer stack shop",
        "office_net": "stack office",
        "plain": NONE,
        "asked": "payments team made by Ana Author",
        "said": f"{'x' * 255} stack {'y' * 255}",
        "copied": NONE,
        "forged": NONE,
    }


def test_typing_brings_the_list_alone_and_going_back_the_whole_page(varied: Cluster, as_reader: Client) -> None:
    for place in LISTS:
        address = f"/clusters/varied/{place}/?q=shop"
        fragment = as_reader.get(address, headers={"HX-Request": "true"})
        again = as_reader.get(address, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
        assert "<html" not in fragment.content.decode()
        assert 'id="found"' in fragment.content.decode()
        assert "<html" in again.content.decode()
        assert "HX-Request" in fragment["Vary"]


def test_the_heads_keep_what_is_asked_for_and_turn_the_order(varied: Cluster, as_reader: Client) -> None:
    page = as_reader.get("/clusters/varied/networks/?q=shop&sort=-services").content.decode()
    assert 'href="?q=shop&amp;sort=services"' in page
    assert 'aria-sort="descending"' in page
    assert 'href="?q=shop"' in page, "by name, the usual order"


def test_nothing_found_is_said_with_the_way_out(varied: Cluster, as_reader: Client) -> None:
    for place, word in (("networks", "No network fits “zzz”"), ("services", "No service fits “zzz”")):
        answer = as_reader.get(f"/clusters/varied/{place}/?q=zzz")
        assert word in pages.text(answer)
        assert f'href="/clusters/varied/{place}/"' in answer.content.decode()


def test_a_cluster_that_was_never_seen_says_why(db: None, as_reader: Client) -> None:
    Cluster.objects.create(name="new", endpoint="unix:///x", created_at=timezone.now(), error="It does not answer.")
    for place in LISTS:
        assert "The cluster is not seen" in pages.text(as_reader.get(f"/clusters/new/{place}/"))


def test_how_old_it_is_and_whether_the_engine_is_away_stand_above(varied: Cluster, as_reader: Client) -> None:
    now = timezone.now()
    observations.keep_failure(cluster=varied, error="Nothing listens there.", now=now - timedelta(minutes=3))
    Cluster.objects.update(observed_at=now - timedelta(minutes=4), news_at=now - timedelta(minutes=3, seconds=30))
    page = pages.text(as_reader.get("/clusters/varied/networks/"))
    assert "seen 4 min ago , news 3 min ago" in page
    assert "not answering now, since 3 min ago" in page
    assert "Nothing listens there." in page

    swarm = varied.swarm()
    assert swarm is not None
    assert observations.keep(cluster=varied, swarm=replace(swarm, observed_at=timezone.now()))
    page = pages.text(as_reader.get("/clusters/varied/networks/"))
    assert "not answering" not in page
    assert "was away from" in page


def test_pages_beside_the_lists_show_the_first_of_many_and_lead_to_them(db: None, as_author: Client) -> None:
    services = [make_service(f"web{n:03}", published=(8000 + n,)) for n in range(101)]
    networks = [make_network(f"stuck{n:02}", "") for n in range(31)]
    make_cluster("many", make_swarm(services=services, networks=networks, observed_at=timezone.now()))
    page = as_author.get("/clusters/many/ingress/")
    assert "101 services publish through it" in pages.text(page)
    assert "100 of 101 services · Show all" in pages.text(page)
    assert "web099" in pages.text(page)
    assert "web100" not in pages.text(page)
    assert b'href="/clusters/many/services/?show=published"' in page.content
    page = as_author.get("/clusters/many/")
    assert pages.text(page).count("has no addresses") == 30
    assert "1 more. The lists show them all" in pages.text(page)


def test_nearly_full_counts_the_worst_moment_of_an_update(
    db: None, as_author: Client, names: Callable[[str], list[str]]
) -> None:
    """Four containers that start the new one first are eight while they update, as pages of capacity count them."""
    busy, calm = make_network("busy", "10.0.5.0/28"), make_network("calm", "10.0.6.0/28")
    services = [
        make_service("first", published=(), network_ids=(busy.id,), replicas=4, update_config={"Order": "start-first"}),
        make_service("then", published=(), network_ids=(calm.id,), replicas=4),
    ]
    swarm = make_swarm(services=services, networks=[busy, calm], observed_at=timezone.now())
    make_cluster("varied", swarm)
    filling = capacity.filling_of(swarm=swarm, network_id=busy.id)
    assert filling is not None
    assert filling.used < 0.8 * filling.usable
    assert filling.level == "tight"
    assert names("/clusters/varied/networks/?show=tight") == ["busy"]
    page = pages.text(as_author.get("/clusters/varied/networks/"))
    assert f"{filling.used} of {filling.usable} {filling.peak} while updating" in page
