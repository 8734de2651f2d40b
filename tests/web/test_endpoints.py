"""Where clusters and nodes are reached: editing, removing, asking nodes themselves."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from overlayweb.domain.lifecycle import ChangeStatus
from overlayweb.domain.swarm import NodeView, Swarm
from overlayweb.models import ChangeRequest, Cluster, NodeEndpoint
from overlayweb.services import clusters, jobs
from tests.web import wedges
from tests.web.pages import beside, text, value
from tests.web.test_clusters import TCP, pem

NODES = "/clusters/prod/nodes"
SOCKET = {"hostname": "node2", "endpoint": "unix:///run/node2.sock"}


def secured() -> dict[str, str]:
    certificate, key = pem()
    return {"tls_ca": certificate, "tls_certificate": certificate, "tls_key": key}


def test_a_node_is_asked_at_its_own_address(cluster: Cluster, as_administrator: Client) -> None:
    assert "node2 192.168.50.12 not asked" in text(as_administrator.get(NODES))
    assert as_administrator.post(NODES, SOCKET).headers["Location"] == NODES
    kept = NodeEndpoint.objects.get()
    assert (kept.cluster, kept.hostname, kept.endpoint) == (cluster, "node2", "unix:///run/node2.sock")
    page = text(as_administrator.get(NODES))
    assert "node2 192.168.50.12 unix:///run/node2.sock Asked at the next look." in page
    cluster.refresh_from_db()
    assert cluster.asked_at is not None


def test_what_it_says_stands_beside_what_the_manager_shows(
    cluster: Cluster, swarm: Swarm, as_administrator: Client
) -> None:
    as_administrator.post(NODES, SOCKET)
    as_administrator.post(NODES, {"hostname": "node3", "endpoint": "unix:///run/node3.sock"})
    views = (
        NodeView(node_id="id-node2", hostname="node2", observed_at=timezone.now(), ingress_ids=("gone" * 6,)),
        NodeView(node_id="id-node3", hostname="node3", observed_at=timezone.now(), error="It does not answer."),
    )
    wedges.see(cluster, replace(swarm, node_views=views))
    page = text(as_administrator.get(NODES))
    assert "Stale Its own engine lists the removed ingress gonegonegone." in page
    assert "Not answered It does not answer." in page
    page = text(as_administrator.get("/clusters/prod/ingress/"))
    assert "Stale exact Its own engine lists the removed ingress gonegonegone." in page
    assert "Its own engine could not be asked: It does not answer." in page


def test_a_nodes_key_is_kept_encrypted_and_never_shown(cluster: Cluster, as_administrator: Client) -> None:
    parts = secured()
    as_administrator.post(NODES, {"hostname": "node1", "endpoint": "tcp://node1.example:2376", **parts})
    kept = NodeEndpoint.objects.get()
    assert kept.tls_key == parts["tls_key"]
    secret = parts["tls_key"].splitlines()[1]
    assert secret not in kept.tls_key_sealed
    page = as_administrator.get(f"{NODES}/{kept.pk}")
    assert secret not in page.content.decode()
    assert value(page, "endpoint") == "tcp://node1.example:2376"
    edited = {**parts, "hostname": "node1", "endpoint": "tcp://10.0.0.9:2376", "tls_key": ""}
    as_administrator.post(f"{NODES}/{kept.pk}", edited)
    kept.refresh_from_db()
    assert (kept.endpoint, kept.tls_key) == ("tcp://10.0.0.9:2376", parts["tls_key"])


def test_nodes_that_are_not_there_and_addresses_that_are_none_are_refused(
    cluster: Cluster, as_administrator: Client
) -> None:
    page = as_administrator.post(NODES, {"hostname": "node9", "endpoint": "http://node9"})
    assert "node9 is not one of the available choices" in beside(page, "id_hostname_error")
    assert "Write unix:///path/of/docker.sock" in beside(page, "id_endpoint_error")
    page = as_administrator.post(NODES, {"hostname": "node2", "endpoint": "tcp://node2:2376"})
    assert "without TLS, anybody who reaches the port" in beside(page, "id_tls_key_error")
    assert not NodeEndpoint.objects.exists()


def test_a_node_is_forgotten_even_when_it_has_left_the_swarm(cluster: Cluster, as_administrator: Client) -> None:
    gone = NodeEndpoint.objects.create(cluster=cluster, hostname="old9", endpoint="unix:///run/old9.sock")
    assert "old9 unix:///run/old9.sock No node of this name is in the Swarm now." in text(as_administrator.get(NODES))
    as_administrator.post(f"{NODES}/{gone.pk}/forget")
    assert not NodeEndpoint.objects.exists()
    assert as_administrator.post(f"{NODES}/{gone.pk}/forget").status_code == 404


def test_another_address_is_looked_at_anew_and_the_key_is_kept(cluster: Cluster, as_administrator: Client) -> None:
    parts = secured()
    as_administrator.post("/clusters/prod/edit", {**TCP, "name": "prod", **parts})
    page = as_administrator.get("/clusters/prod/edit")
    assert value(page, "endpoint") == TCP["endpoint"]
    assert parts["tls_key"].splitlines()[1] not in page.content.decode()
    answer = as_administrator.post("/clusters/prod/edit", {**TCP, "name": "prod-eu", **parts, "tls_key": ""})
    assert answer.headers["Location"] == "/clusters/prod-eu/"
    cluster.refresh_from_db()
    assert (cluster.name, cluster.tls_key, cluster.automatic) == ("prod-eu", parts["tls_key"], False)
    assert cluster.swarm() is None
    _, other = pem()
    page = as_administrator.post("/clusters/prod-eu/edit", {**TCP, **parts, "tls_key": other})
    assert "does not belong to the certificate" in beside(page, "id_tls_key_error")


def test_another_name_alone_keeps_what_was_seen(cluster: Cluster, as_administrator: Client) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(endpoint="unix:///run/docker.sock", automatic=True)
    as_administrator.post("/clusters/prod/edit", {"name": "shop", "endpoint": "unix:///run/docker.sock"})
    cluster.refresh_from_db()
    assert (cluster.name, cluster.automatic) == ("shop", True)
    assert cluster.swarm() is not None


@pytest.fixture
def busy(change: ChangeRequest, reviewer: User) -> Cluster:
    """A cluster with a queued job."""
    jobs.queue(change=change, approved_by=reviewer, now=timezone.now())
    return change.cluster


def test_while_a_job_is_open_the_cluster_stays_as_it_is(busy: Cluster, as_administrator: Client) -> None:
    page = as_administrator.post("/clusters/prod/edit", {"name": "prod", "endpoint": "unix:///run/other.sock"})
    assert "A job of this cluster is queued or running." in text(page)
    as_administrator.post("/clusters/prod/remove")
    assert "A job of this cluster is queued or running." in text(as_administrator.get("/clusters/prod/edit"))
    busy.refresh_from_db()
    assert (busy.endpoint, busy.removed_at) == ("tcp://10.2.0.11:2376", None)


def test_a_removed_cluster_leaves_its_history_and_nothing_else(
    cluster: Cluster, change: ChangeRequest, as_administrator: Client
) -> None:
    NodeEndpoint.objects.create(cluster=cluster, hostname="node2", endpoint="unix:///run/node2.sock")
    assert "prod is removed." in text(as_administrator.post("/clusters/prod/remove", follow=True))
    cluster.refresh_from_db()
    change.refresh_from_db()
    assert change.status == ChangeStatus.WITHDRAWN
    assert not NodeEndpoint.objects.exists()
    assert (cluster.tls_key_sealed, cluster.observation) == ("", "")
    assert as_administrator.get("/clusters/prod/").status_code == 404
    assert "The cluster was removed." in text(as_administrator.get("/history/"))
    page = text(as_administrator.get(f"/changes/{change.pk}/"))
    assert "Rebuild ingress → 10.11.0.0/16" in page
    assert "Plan again" not in page
    assert as_administrator.get(f"/changes/{change.pk}/again").status_code == 404
    assert "No cluster yet" in text(as_administrator.get("/"))
    assert clusters.look_at_due(now=timezone.now()) == 0
    as_administrator.post("/clusters/add", {"name": "prod", "endpoint": "unix:///run/docker.sock"})
    assert Cluster.objects.get(name="prod").pk != cluster.pk


def test_the_cluster_of_docker_host_is_found_again_by_another_name_and_stays_away_when_removed(
    db: None, as_administrator: Client
) -> None:
    clusters.register_local(now=timezone.now())
    local = Cluster.objects.get()
    as_administrator.post("/clusters/local/edit", {"name": "shop", "endpoint": local.endpoint})
    clusters.register_local(now=timezone.now())
    assert Cluster.objects.get().name == "shop"
    as_administrator.post("/clusters/shop/remove")
    clusters.register_local(now=timezone.now())
    assert Cluster.objects.get().removed_at is not None


def test_the_demo_keeps_its_address_and_is_removed_in_its_own_way(cluster: Cluster, as_administrator: Client) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(demo=True)
    assert as_administrator.get("/clusters/prod/edit").status_code == 404
    assert as_administrator.post("/clusters/prod/remove").status_code == 404
    assert "/clusters/prod/edit" not in as_administrator.get("/clusters/prod/").content.decode()
