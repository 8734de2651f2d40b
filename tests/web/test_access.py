"""Who gets in where: every route, signed out, without a token, without the right."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from overlayweb.domain.lifecycle import ChangeStatus, DesiredState
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import jobs
from overlayweb.urls import urlpatterns
from overlayweb.web.security import POLICY

ROUTES = sorted(pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern) and pattern.name)
OPEN = {"health", "setup", "sign-in"}
ADMINS_ONLY = {
    "demo-remove",
    "people",
    "people-invite",
    "people-approval",
    "people-role",
    "cluster-add",
    "cluster-edit",
    "cluster-node",
    "cluster-node-forget",
    "cluster-nodes",
    "cluster-remove",
    "readiness-hide",
    "readiness-rotate",
    "readiness-token",
    "reserved-export",
    "reserved-import",
    "reserved-range",
    "reserved-ranges",
    "reserved-range-release",
}
NOT_FOR_READERS = {
    "change-again",
    "change-approve",
    "change-reject",
    "change-withdraw",
    "drift-adopt",
    "drift-record",
    "ingress-customise",
    "ingress-repair",
    "ingress-preview",
    "job-accept",
    "job-cancel",
    "job-restore",
    "job-resume",
    "network-connect",
    "network-containers",
    "network-delete",
    "network-new",
    "network-new-preview",
    "network-replace",
    "network-replace-preview",
    "readiness-check",
    "service-connect",
    "service-ports",
}
FOR_READERS = set(ROUTES) - OPEN - ADMINS_ONLY - NOT_FOR_READERS
"""Whatever is new is found here, and has to be put where it belongs."""
BY_POST_ONLY = {
    "demo-remove",
    "cluster-node-forget",
    "cluster-remove",
    "change-approve",
    "change-reject",
    "change-withdraw",
    "cluster-look",
    "drift-adopt",
    "drift-record",
    "ingress-preview",
    "job-accept",
    "job-cancel",
    "job-restore",
    "job-resume",
    "network-new-preview",
    "network-replace-preview",
    "people-approval",
    "people-invite",
    "people-role",
    "readiness-check",
    "readiness-hide",
    "readiness-token",
    "reserved-import",
    "reserved-range-release",
    "sign-out",
    "theme",
}


def address(route: str, change: ChangeRequest) -> str:
    """The route's address with everything that exists in it."""
    pattern = next(p for p in urlpatterns if isinstance(p, URLPattern) and p.name == route)
    known = {"name": change.cluster.name, "pk": change.pk, "token": "not-a-token", "role": "worker"}
    known["network_id"] = "id-backend"
    known["service_id"] = "id-shop_web"
    return reverse(route, kwargs={key: known[key] for key in pattern.pattern.converters})


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in OPEN])
def test_signed_out_goes_to_sign_in(route: str, change: ChangeRequest, visitor: Client) -> None:
    path = address(route, change)
    for answer in (visitor.get(path), visitor.post(path)):
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"/sign-in?next={path}"


@pytest.mark.parametrize("route", ROUTES)
def test_post_without_token_is_refused(route: str, change: ChangeRequest, administrator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(administrator, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.post(address(route, change))
    assert answer.status_code == 403
    assert b"Nothing was changed" in answer.content


@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_carries_the_policy(route: str, change: ChangeRequest, as_administrator: Client) -> None:
    answer = as_administrator.get(address(route, change))
    assert answer.headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize("route", sorted(BY_POST_ONLY))
def test_what_changes_something_does_not_answer_get(
    route: str, change: ChangeRequest, as_administrator: Client
) -> None:
    assert as_administrator.get(address(route, change)).status_code == 405


@pytest.mark.parametrize("route", sorted(ADMINS_ONLY))
def test_pages_of_administrators_do_not_exist_for_others(
    route: str, change: ChangeRequest, as_reviewer: Client
) -> None:
    path = address(route, change)
    answer = as_reviewer.post(path) if route in BY_POST_ONLY else as_reviewer.get(path)
    assert answer.status_code == 404


def asked_by(client: Client, route: str, change: ChangeRequest) -> int:
    """The status when this client asks for the route in the way that it answers."""
    job = jobs.queue(change=change, approved_by=change.author, now=timezone.now())
    path = address(route, change)
    path = path.replace(f"/jobs/{change.pk}/", f"/jobs/{job.pk}/")
    return (client.post(path) if route in BY_POST_ONLY else client.get(path)).status_code


@pytest.mark.parametrize("route", sorted(NOT_FOR_READERS))
def test_readers_change_nothing(route: str, change: ChangeRequest, as_reader: Client) -> None:
    assert asked_by(as_reader, route, change) == 403
    change.refresh_from_db()
    assert change.status == ChangeStatus.PENDING
    assert change.job.desired_state == DesiredState.RUN


@pytest.mark.parametrize("route", sorted(NOT_FOR_READERS))
def test_members_do(route: str, change: ChangeRequest, as_reviewer: Client) -> None:
    # 404: withdrawing is the author's; 422: an approval without the plan's hash.
    assert asked_by(as_reviewer, route, change) in {200, 302, 404, 422}


@pytest.mark.parametrize("route", sorted(FOR_READERS - {"job-stream"}))
def test_readers_see_everything(route: str, change: ChangeRequest, as_reader: Client) -> None:
    assert asked_by(as_reader, route, change) in {200, 204, 302}


def test_a_reader_is_told_who_does_it(cluster: Cluster, as_reader: Client) -> None:
    answer = as_reader.get("/clusters/prod/ingress/customise")
    assert b"You are a reader here" in answer.content
    page = as_reader.get("/clusters/prod/ingress/").content
    assert b"Customise" not in page


@pytest.mark.parametrize("route", ["people", "cluster-add", "cluster-edit", "cluster-nodes", "reserved-ranges"])
def test_administrators_see_them(route: str, change: ChangeRequest, as_administrator: Client) -> None:
    assert as_administrator.get(address(route, change)).status_code == 200


@pytest.mark.parametrize("path", ["/clusters/none/", "/clusters/none/ingress/", "/changes/999/", "/changes/999/again"])
def test_missing_things_are_404(path: str, cluster: Cluster, as_author: Client) -> None:
    answer = as_author.get(path)
    assert answer.status_code == 404
    assert b"Nothing here" in answer.content


@pytest.mark.parametrize("path", ["networks/none/", "networks/none/replace", "services/none/", "services/none/connect"])
def test_what_a_cluster_has_no_more_is_a_404_that_leads_on(path: str, cluster: Cluster, as_author: Client) -> None:
    answer = as_author.get(f"/clusters/prod/{path}")
    assert answer.status_code == 404
    assert b"prod has no" in answer.content
    assert f'href="/clusters/prod/{path.partition("/")[0]}/"'.encode() in answer.content


def test_what_was_typed_about_a_network_that_is_gone_is_shown_to_be_copied(cluster: Cluster, as_author: Client) -> None:
    typed = {"subnets": "10.31.0.0/22\n10.32.0.0/22", "mtu": "", "encrypted": "on", "reason": "The <old> one is full."}
    answer = as_author.post("/clusters/prod/networks/none/replace", typed)
    assert answer.status_code == 404
    assert b"The &lt;old&gt; one is full." in answer.content
    assert b"10.31.0.0/22<br>10.32.0.0/22" in answer.content
    assert b"<h2>What you typed" not in as_author.get("/clusters/prod/networks/none/replace").content


@pytest.mark.parametrize("page", ["replace", "containers", "connect"])
def test_of_the_ingress_nobody_says_that_it_is_gone(
    page: str, cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    answer = as_author.get(f"/clusters/prod/networks/{swarm.ingress_networks[0].id}/{page}")
    assert answer.status_code == 404
    assert b"Nothing here" in answer.content


def test_a_fragment_without_a_session_is_401_and_no_sign_in_page(cluster: Cluster, visitor: Client) -> None:
    answer = visitor.post("/clusters/prod/ingress/preview", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.content == b""


def test_health_needs_no_sign_in(visitor: Client) -> None:
    answer = visitor.get("/health")
    assert (answer.status_code, answer.content) == (200, b"ok")
