"""Overview, adding clusters, reserved ranges, the banner, the theme."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster, Job, ReservedRange
from overlayweb.web import frame
from tests.domain.builders import make_ingress
from tests.web.pages import beside, text, value
from tests.web.test_ingress import see

TCP = {"name": "prod-eu", "endpoint": "tcp://manager.example:2376"}


def pem() -> tuple[str, str]:
    """A certificate that signs itself, and its key, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "manager")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def test_without_a_cluster_the_overview_says_how_to_add_one(as_administrator: Client, as_author: Client) -> None:
    assert "Add a cluster" in text(as_administrator.get("/"))
    page = text(as_author.get("/"))
    assert "No cluster yet" in page
    assert "Add a cluster" not in page


NO_MANAGER = "The engine at unix:///run/docker.sock is not a manager. Run `docker swarm init` on it."


def test_an_engine_here_that_is_no_manager_is_said_where_there_is_no_real_cluster(
    as_author: Client, settings: Settings
) -> None:
    settings.OVERLAYWEB_NO_MANAGER = NO_MANAGER
    said = NO_MANAGER.replace("`", "")
    assert said in text(as_author.get("/"))
    cluster = Cluster.objects.create(name="demo", endpoint="unix:///demo.sock", demo=True, created_at=timezone.now())
    assert said in text(as_author.get("/clusters/demo/"))
    Cluster.objects.filter(pk=cluster.pk).update(demo=False)
    assert said not in text(as_author.get("/clusters/demo/"))


def test_the_overview_is_the_cluster_that_was_looked_at_last(cluster: Cluster, as_author: Client) -> None:
    Cluster.objects.create(name="aaa", endpoint="unix:///run/docker.sock", created_at=timezone.now())
    assert as_author.get("/").headers["Location"] == "/clusters/aaa/"
    as_author.get("/clusters/prod/ingress/")
    assert as_author.get("/").headers["Location"] == "/clusters/prod/"


def test_a_healthy_cluster(cluster: Cluster, change: ChangeRequest, as_reviewer: Client) -> None:
    page = text(as_reviewer.get("/clusters/prod/"))
    for words in ("Nothing seen", "3 nodes", "3 services, 2 published", "Rebuild ingress → 10.11.0.0/16", "Ana Author"):
        assert words in page
    assert "Leader" in page


def test_what_is_wrong_is_said_first(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    nodes = (*swarm.nodes[:2], replace(swarm.nodes[2], state="down"))
    tasks = tuple(task for task in swarm.swarm_tasks if task.id != "task-wiki-1")
    see(cluster, replace(swarm, nodes=nodes, swarm_tasks=tasks))
    page = text(as_author.get("/clusters/prod/"))
    assert "node3 is down" in page
    assert "wiki runs 0 of 1 containers." in page
    assert "Nothing seen" not in page


def test_two_ingress_networks_are_shown_with_their_ids(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    see(cluster, replace(swarm, networks=(*swarm.networks, make_ingress("10.5.0.0/24", id="second", name="other"))))
    page = text(as_author.get("/clusters/prod/ingress/"))
    assert "The Swarm has 2 ingress networks: ingress 10.0.0.0/24 (id" in page
    assert "other second 10.5.0.0/24" in page


def test_an_engine_that_does_not_answer_is_said_on_every_page(
    cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    see(cluster, swarm, error="The engine does not answer. Start it.")
    for path in ("/clusters/prod/", "/clusters/prod/ingress/", "/changes/", "/history/"):
        assert "The engine does not answer. Start it." in text(as_author.get(path))
    assert "not answering now" in text(as_author.get("/clusters/prod/"))


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (JobStatus.RUNNING, "ingress_rebuild", "The ingress is being rebuilt. Watch the job"),
        (JobStatus.RUNNING, "mesh_repair", "The routing mesh is being repaired. Watch the job"),
        (JobStatus.RUNNING, "network_replace", "A job is changing overlay networks. Watch the job"),
        (
            JobStatus.NEEDS_OPERATOR,
            "ingress_rebuild",
            "A job has stopped half-way and waits for a person. See what to do",
        ),
    ],
)
def test_a_job_that_holds_the_cluster_is_in_the_banner(
    status: JobStatus, kind: str, words: str, change: ChangeRequest, as_author: Client
) -> None:
    Job.objects.create(change=change, cluster=change.cluster, status=status, kind=kind, created_at=timezone.now())
    answer = as_author.get("/clusters/prod/")
    assert words in text(answer)
    assert f'href="/jobs/{change.job.pk}/"' in answer.content.decode()


def test_looking_again_asks_a_worker_and_goes_back(cluster: Cluster, as_author: Client) -> None:
    before = timezone.now()
    answer = as_author.post("/clusters/prod/look", {"next": "/clusters/prod/ingress/"})
    assert answer.headers["Location"] == "/clusters/prod/ingress/"
    cluster.refresh_from_db()
    assert cluster.asked_at is not None
    assert cluster.asked_at >= before


def test_who_asked_for_a_look_is_told_until_it_has_ended(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    as_author.post("/clusters/prod/look")
    waiting = as_author.get("/changes/")
    assert "A worker looks at the cluster. What it finds appears here by itself." in text(waiting)
    address = re.search(r'hx-get="(/clusters/prod/news[^"]*)"', waiting.content.decode())
    assert address
    news = as_author.get(unescape(address[1]))
    assert text(news) in ("Waiting for 0 s.", "Waiting for 1 s.")
    assert "HX-Trigger" not in news.headers
    see(cluster, swarm)
    assert as_author.get(unescape(address[1])).headers["HX-Trigger"] == '{"seen": {}}'
    assert "A worker looks at the cluster" not in text(as_author.get("/changes/"))


def test_a_look_that_takes_long_says_where_to_look(cluster: Cluster, as_author: Client) -> None:
    since = int(timezone.now().timestamp()) - 70
    news = as_author.get("/clusters/prod/news", {"since": str(since), "known": frame.known(cluster)})
    assert text(news).startswith("Waiting for 70 s. A look takes a second or two: see whether the worker")
    assert text(as_author.get("/clusters/prod/news", {"since": "nonsense"})) == "Waiting for 0 s."


@pytest.mark.parametrize("wanted", ["https://elsewhere.example/", "//elsewhere.example/", ""])
def test_going_back_never_leaves(wanted: str, cluster: Cluster, as_author: Client) -> None:
    answer = as_author.post("/clusters/prod/look", {"next": wanted})
    assert answer.headers["Location"] == "/clusters/prod/"


def test_adding_a_socket(as_administrator: Client) -> None:
    answer = as_administrator.post("/clusters/add", {"name": "lab", "endpoint": "unix:///run/lab/docker.sock"})
    assert answer.headers["Location"] == "/clusters/lab/"
    assert Cluster.objects.get().endpoint == "unix:///run/lab/docker.sock"


def test_adding_tcp_keeps_the_key_encrypted_and_shows_it_nowhere(as_administrator: Client) -> None:
    certificate, key = pem()
    parts = {"tls_ca": certificate, "tls_certificate": certificate, "tls_key": key}
    as_administrator.post("/clusters/add", {**TCP, **parts})
    assert Cluster.objects.get().tls_key == key
    with connection.cursor() as cursor:
        cursor.execute("SELECT tls_key FROM overlayweb_cluster")
        stored = cursor.fetchone()[0]
    secret = key.splitlines()[1]
    assert secret not in stored
    for path in ("/clusters/prod-eu/", "/clusters/prod-eu/ingress/", "/clusters/add"):
        assert secret not in as_administrator.get(path).content.decode()


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("ssh://admin@manager", "does not reach managers over SSH yet"),
        ("http://manager:2375", "Write unix:///path/of/docker.sock, or tcp://host:2376."),
        ("tcp://", "Write unix:///path/of/docker.sock, or tcp://host:2376."),
        ("tcp://user@host:2376", "Write unix:///path/of/docker.sock, or tcp://host:2376."),
        ("tcp://host:99999", "Write unix:///path/of/docker.sock, or tcp://host:2376."),
        ("/var/run/docker.sock", "Write unix:///path/of/docker.sock, or tcp://host:2376."),
    ],
)
def test_addresses_that_are_refused(endpoint: str, words: str, as_administrator: Client) -> None:
    page = as_administrator.post("/clusters/add", {"name": "x", "endpoint": endpoint})
    assert words in beside(page, "id_endpoint_error")
    assert value(page, "endpoint") == endpoint
    assert not Cluster.objects.exists()


def test_all_that_is_wrong_with_tls_at_once(as_administrator: Client) -> None:
    certificate, _ = pem()
    _, other_key = pem()
    page = as_administrator.post(
        "/clusters/add", {**TCP, "name": "add", "tls_certificate": certificate, "tls_key": other_key}
    )
    assert "name is taken" in beside(page, "id_name_error")
    assert "without TLS, anybody who reaches the port" in beside(page, "id_tls_ca_error")
    assert "does not belong to the certificate" in beside(page, "id_tls_key_error")
    page = as_administrator.post("/clusters/add", {**TCP, "tls_ca": "x", "tls_certificate": "y", "tls_key": "z"})
    for field in ("tls_ca", "tls_certificate", "tls_key"):
        assert "PEM" in beside(page, f"id_{field}_error")


def test_reserving_and_releasing_a_range(cluster: Cluster, as_administrator: Client) -> None:
    path = "/clusters/prod/reserved"
    as_administrator.post(path, {"cidr": "10.20.0.0/16", "name": "office VPN", "reason": ""})
    kept = ReservedRange.objects.get()
    assert "10.20.0.0/16 office VPN" in text(as_administrator.get(path))
    for cidr, words in (("10.20.0.0/16", "reserved already"), ("10.20.0.1/16", "Did you mean 10.20.0.0/16?")):
        assert words in beside(as_administrator.post(path, {"cidr": cidr, "name": "x"}), "id_cidr_error")
    as_administrator.post(f"{path}/{kept.pk}/release")
    assert not ReservedRange.objects.exists()
    assert "Released 10.20.0.0/16 · office VPN Clara Admin" in text(as_administrator.get(path))
    assert as_administrator.post(f"{path}/{kept.pk}/release").status_code == 404


def test_a_range_is_edited_and_the_history_keeps_what_it_said(cluster: Cluster, as_administrator: Client) -> None:
    path = "/clusters/prod/reserved"
    for cidr, name in (("10.20.0.0/16", "office"), ("10.30.0.0/16", "vpc")):
        as_administrator.post(path, {"cidr": cidr, "name": name, "owner": "net team"})
    form = f"{path}/{ReservedRange.objects.get(name='office').pk}"
    assert value(as_administrator.get(form), "owner") == "net team"
    taken = as_administrator.post(form, {"cidr": "10.30.0.0/16", "name": "office"})
    assert "reserved already" in beside(taken, "id_cidr_error")
    as_administrator.post(form, {"cidr": "10.20.0.0/15", "name": "offices", "owner": "net team"})
    assert set(ReservedRange.objects.values_list("cidr", "name")) == {
        ("10.20.0.0/15", "offices"),
        ("10.30.0.0/16", "vpc"),
    }
    as_administrator.post(form, {"cidr": "10.20.0.0/15", "name": "offices", "owner": "net team"})  # says nothing new
    page = text(as_administrator.get(path))
    assert page.count("Edited") == 1
    assert "Edited 10.20.0.0/15 · offices · net team Before: 10.20.0.0/16 · office · net team Clara Admin" in page


def test_the_theme_is_kept_without_and_with_javascript(cluster: Cluster, as_author: Client) -> None:
    answer = as_author.post("/theme", {"theme": "dark", "next": "/clusters/prod/"})
    assert answer.headers["Location"] == "/clusters/prod/"
    assert b'<html lang="en" data-theme="dark">' in as_author.get("/clusters/prod/").content
    answer = as_author.post("/theme", {"theme": "neon"}, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Trigger"] == '{"theme": {"value": ""}}'
    assert b"data-theme" not in as_author.get("/clusters/prod/").content.split(b"<head>")[0]
