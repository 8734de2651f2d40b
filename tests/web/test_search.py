"""One search across clusters: what is found, in which order, and when it is a jump."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from overlayweb.models import Cluster
from overlayweb.services import search
from tests.domain.builders import make_network, make_service, make_swarm
from tests.web import job_stories, pages
from tests.web.inventories import make_cluster, make_large_swarm

MOST_QUERIES = 14
"""Of the whole page: session, person, role, frame; six are the search's."""


@pytest.fixture
def shops(db: None) -> tuple[Cluster, Cluster]:
    """Two clusters, each with an overlay and a service of a shop; one of a different name in each."""
    made = []
    for cluster, own in (("north", "north_only"), ("south", "south_only")):
        front = make_network("shop_front", "10.0.20.0/24")
        networks = [front, make_network(own, "10.0.30.0/24")]
        services = [make_service("shop_web", published=(8001,), network_ids=(front.id,))]
        swarm = make_swarm(services=services, networks=networks, observed_at=timezone.now())
        made.append(make_cluster(cluster, swarm))
    return made[0], made[1]


def found(client: Client, text: str) -> list[tuple[str, str]]:
    """Name and cluster of everything on the page, in order."""
    answer = client.get("/search", {"q": text})
    assert answer.status_code == 200
    return [(hit.title, hit.cluster) for group in answer.context["groups"] for hit in group.hits]


def test_clusters_are_searched_together_and_the_one_looked_at_comes_first(
    shops: tuple[Cluster, Cluster], as_reader: Client
) -> None:
    as_reader.get("/clusters/south/")
    expected = [("shop_front", "south"), ("shop_front", "north"), ("shop_web", "south"), ("shop_web", "north")]
    assert found(as_reader, "shop") == expected
    as_reader.get("/clusters/north/")
    assert found(as_reader, "SHOP")[0] == ("shop_front", "north")


@pytest.mark.parametrize("text", ["8001", "10.0.20.0/24", "shop front", "shop\0_front"])
def test_ports_subnets_and_several_words_are_found(
    text: str, shops: tuple[Cluster, Cluster], as_reader: Client
) -> None:
    assert {name for name, _ in found(as_reader, text)} <= {"shop_front", "shop_web"}
    assert len(found(as_reader, text)) >= 2


@pytest.mark.parametrize(("text", "cluster"), [("north_only", "north"), ("SOUTH_only", "south"), ("uth_onl", "south")])
def test_where_only_one_can_be_meant_its_page_opens(
    text: str, cluster: str, shops: tuple[Cluster, Cluster], as_reader: Client
) -> None:
    answer = as_reader.get("/search", {"q": text}, follow=True)
    assert answer.request["PATH_INFO"].startswith(f"/clusters/{cluster}/networks/")
    assert f"{cluster}_only" in pages.text(answer)


def test_the_name_typed_wins_over_any_number_that_contain_it(db: None, as_reader: Client) -> None:
    names = ["web", *(f"a_web{number}" for number in range(search.MOST + 5))]
    networks = [make_network(name, f"10.0.{number}.0/24") for number, name in enumerate(names)]
    make_cluster("shop", make_swarm(networks=networks, observed_at=timezone.now()))
    answer = as_reader.get("/search", {"q": "web"})
    assert answer.status_code == 302
    assert "/networks/id-web/" in answer.headers["Location"]


def test_changes_are_found_by_reason_and_lead_to_their_jobs(as_reader: Client) -> None:
    shop = job_stories.cluster("shop")
    waiting = job_stories.change(shop, subnet="10.12.0.0/16", author="ana", reason="The VPN took it.")
    assert as_reader.get("/search", {"q": "vpn took"}).headers["Location"] == f"/changes/{waiting.pk}/"
    job = job_stories.queued(shop, subnet="10.11.0.0/16")
    assert as_reader.get("/search", {"q": "10.11.0.0/16"}).headers["Location"] == f"/jobs/{job.pk}/"


def test_what_is_not_found_says_what_is_looked_in(shops: tuple[Cluster, Cluster], as_reader: Client) -> None:
    assert "Nothing fits “nowhere”. Networks and services are found by name" in pages.text(
        as_reader.get("/search", {"q": "nowhere"})
    )
    assert "Nothing fits" not in pages.text(as_reader.get("/search", {"q": "  "}))


def test_an_error_is_explained_whole_with_what_the_cluster_shows(as_reader: Client) -> None:
    make_cluster("shop", make_swarm(ingress=None, observed_at=timezone.now()))
    prefix = "Nov 30 16:39:43 node1 dockerd[812]: " + "x" * 300
    answer = as_reader.get(
        "/search", {"q": f"{prefix} service needs ingress network, but no ingress network is present"}
    )
    text = pages.text(answer)
    assert "What this error means The Swarm has no ingress network." in text
    assert "Nothing fits" not in text


def test_what_an_error_names_is_found_beside_what_it_means(shops: tuple[Cluster, Cluster], as_reader: Client) -> None:
    wanted = "network with name shop_front already exists"
    job_stories.change(shops[0], subnet="10.12.0.0/16", reason=wanted)
    answer = as_reader.get("/search", {"q": wanted})
    assert "What this error means" in pages.text(answer)
    assert [group.title for group in answer.context["groups"]] == ["Changes"]


def test_a_large_cluster_is_cut_and_leads_to_its_list(as_reader: Client) -> None:
    make_cluster("large", make_large_swarm(40, observed_at=timezone.now()))
    as_reader.get("/search", {"q": "stack"})
    with CaptureQueriesContext(
        connection,
    ) as asked:
        answer = as_reader.get("/search", {"q": "stack"})
    assert [(group.title, len(group.hits)) for group in answer.context["groups"]] == [
        ("Networks", search.MOST),
        ("Services", search.MOST),
    ]
    assert [group.more for group in answer.context["groups"]] == [
        "/clusters/large/networks/?q=stack",
        "/clusters/large/services/?q=stack",
    ]
    assert f"The first {search.MOST}. All in their list" in pages.text(answer)
    assert len(asked) <= MOST_QUERIES


def test_the_page_of_the_search_has_one_field(db: None, as_reader: Client) -> None:
    pages_of_both = (as_reader.get(path).content.decode() for path in ("/search", "/history/"))
    assert [page.count('<input type="search"') for page in pages_of_both] == [1, 1]


def test_the_top_bar_has_search_and_what_waits(as_author: Client, as_reader: Client) -> None:
    job_stories.change(job_stories.cluster("shop"), author="ana")
    assert "Inbox: 1" in pages.text(as_author.get("/history/"))
    assert "Inbox" not in pages.text(as_reader.get("/history/"))
    assert 'action="/search"' in as_reader.get("/history/").content.decode()
