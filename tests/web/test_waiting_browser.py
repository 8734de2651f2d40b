"""Pages that wait for a look at the cluster show what it found by themselves."""

import re
from dataclasses import replace

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from overlayweb.domain.lifecycle import ChangeStatus, JobStatus
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster, Job, ReadinessCheck, codec
from tests.web.test_drift import see
from tests.web.test_form_browser import window

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def unseen(db: None) -> Cluster:
    """A cluster that was added a moment ago: nobody has looked at it yet."""
    return Cluster.objects.create(name="prod", endpoint="unix:///run/docker.sock", created_at=timezone.now())


def look_finds(cluster: Cluster, swarm: Swarm) -> None:
    """A look that ended well, as the worker keeps it."""
    seen = {"observation": codec.dump(swarm), "observed_at": timezone.now(), "error": "", "error_at": None}
    Cluster.objects.filter(pk=cluster.pk).update(**seen)


def look_fails(cluster: Cluster, error: str) -> None:
    """A look that got no answer."""
    Cluster.objects.filter(pk=cluster.pk).update(error=error, error_at=timezone.now())


def test_the_form_comes_by_itself(
    browser: Browser, live_server: LiveServer, unseen: Cluster, swarm: Swarm, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto("/clusters/prod/ingress/customise")
        expect(page.get_by_text("Not looked at yet")).to_be_visible()
        expect(page.get_by_text("Waiting for 2")).to_be_visible()
        look_finds(unseen, swarm)
        page.get_by_label("Subnet").fill("10.9.0.0/16")
        expect(page.locator("#verdict-subnet")).to_contain_text("overlaps overlay payments")


def test_without_javascript_a_link_brings_it(
    browser: Browser, live_server: LiveServer, unseen: Cluster, swarm: Swarm, as_author: Client
) -> None:
    with window(browser, live_server, as_author, javascript=False) as page:
        page.goto("/clusters/prod/ingress/customise")
        look_finds(unseen, swarm)
        page.get_by_role("link", name="Reload").click()
        expect(page.get_by_label("Subnet")).to_be_visible()


@pytest.mark.parametrize("path", ["/clusters/prod/", "/clusters/prod/ingress/"])
def test_what_was_seen_or_why_not_comes_by_itself(
    browser: Browser, live_server: LiveServer, unseen: Cluster, swarm: Swarm, as_author: Client, path: str
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto(path)
        look_fails(unseen, "The engine does not answer.")
        expect(page.get_by_text("The engine does not answer.")).to_be_visible()
        page.get_by_role("button", name="Look again").focus()
        look_fails(unseen, "The engine refuses the certificate.")
        expect(page.get_by_text("The engine refuses the certificate.")).to_be_visible()
        expect(page.get_by_role("button", name="Look again")).to_be_focused()
        look_finds(unseen, swarm)
        expect(page.get_by_text("engine refuses")).to_be_hidden()
        expect(page.get_by_text("10.0.0.0/24").first).to_be_visible()


def test_a_look_that_was_asked_for_leaves_alone_what_is_typed(
    browser: Browser, live_server: LiveServer, cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto("/clusters/prod/")
        page.get_by_role("button", name="Look again").click()
        expect(page.get_by_text("A worker looks at the cluster.")).to_be_visible()
        page.goto("/clusters/prod/ingress/customise")
        page.get_by_label("Why").fill("A long reason.")
        look_finds(cluster, swarm)
        expect(page.get_by_text("A worker looks at the cluster.")).to_be_hidden()
        expect(page.get_by_label("Why")).to_have_value("A long reason.")


FRAME_MS = 10_000
"""So often a page asks whether its banners still hold."""
PATHS = ("/clusters/prod/services/", "/clusters/prod/ingress/customise", "/changes/")


@pytest.mark.parametrize("path", PATHS)
def test_why_an_engine_is_away_is_told_anew_on_an_open_page(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client, path: str
) -> None:
    with window(browser, live_server, as_author) as page:
        page.clock.install()
        page.goto(path)
        page.get_by_label("Search or jump").fill("half a word")
        banner = page.locator("#banners").get_by_role("alert").and_(page.locator(":visible"))
        for error in ("The engine does not answer.", "The engine refuses the certificate."):
            look_fails(cluster, error)
            page.clock.run_for(FRAME_MS)
            expect(banner).to_contain_text(error)
        Cluster.objects.update(error="")
        page.clock.run_for(FRAME_MS)
        expect(banner).to_have_count(0)
        expect(page.get_by_label("Search or jump")).to_have_value("half a word")
        expect(page.get_by_label("Search or jump")).to_be_focused()


def test_pages_that_only_show_follow_what_is_seen_and_leave_the_reader_where_they_are(
    browser: Browser, live_server: LiveServer, change: ChangeRequest, swarm: Swarm, as_author: Client
) -> None:
    cluster, node = change.cluster, swarm.nodes[0]
    with window(browser, live_server, as_author) as page:
        page.clock.install()
        page.goto("/clusters/prod/ingress/")
        page.get_by_text("What the ingress is").click()
        page.get_by_role("link", name="Customise").focus()
        see(cluster, replace(swarm, services=swarm.services[1:]))
        service = page.get_by_role("rowheader", name=swarm.services[0].name)
        expect(service).to_be_visible()
        page.clock.run_for(FRAME_MS)
        expect(service).to_have_count(0)
        expect(page.get_by_text("Every node listens on each of them")).to_be_visible()
        expect(page.get_by_role("link", name="Customise")).to_be_focused()

        page.goto("/clusters/prod/")
        page.get_by_role("link", name="Settings, services, nodes").focus()
        for nodes, gone in (((replace(node, state="down"), *swarm.nodes[1:]), 1), (swarm.nodes, 0)):
            see(cluster, replace(swarm, nodes=nodes))
            page.clock.run_for(FRAME_MS)
            expect(page.get_by_text(f"{node.hostname} is down")).to_have_count(gone)
        for status, count in ((ChangeStatus.WITHDRAWN, 0), (ChangeStatus.PENDING, 1)):
            ChangeRequest.objects.update(status=status)
            page.clock.run_for(FRAME_MS)
            expect(page.get_by_role("heading", name="Waits for approval")).to_have_count(count)
        expect(page.get_by_role("link", name="Settings, services, nodes")).to_be_focused()


@pytest.mark.parametrize(("noun", "name"), [("service", "wiki"), ("network", "backend")])
def test_a_page_of_one_thing_follows_it_to_its_end(
    browser: Browser, live_server: LiveServer, cluster: Cluster, swarm: Swarm, as_author: Client, noun: str, name: str
) -> None:
    """Whoever reads it stays where they are, and is told when it is gone, without being asked to reload."""
    path = f"/clusters/prod/{noun}s/id-{name}/"
    services = tuple(row for row in swarm.services if row.name != name)
    networks = tuple(row for row in swarm.networks if row.name != name)
    asked: list[str] = []
    with window(browser, live_server, as_author, refused=re.compile(r"\b404\b")) as page:
        page.clock.install()
        page.goto(path)
        page.get_by_role("link", name=f"{noun.capitalize()}s of prod").focus()
        see(cluster, replace(swarm, services=services, networks=networks))
        page.clock.run_for(FRAME_MS)
        expect(page.get_by_role("heading", name=f"No such {noun}")).to_be_visible()
        expect(page.get_by_role("link", name=f"{noun.capitalize()}s of prod")).to_be_focused()
        page.on("request", lambda request: asked.append(request.url))
        page.clock.run_for(FRAME_MS)
        page.get_by_role("link", name=f"Show all {noun}s").click()
        page.wait_for_url(f"**/clusters/prod/{noun}s/")
    assert [url for url in asked if url.endswith(path)] == [], "asked for again and again"


@pytest.mark.parametrize(
    ("path", "field", "typed"), [("replace", "MTU", "1400"), ("connect", "Aliases of wiki", "pages")]
)
def test_a_form_about_a_network_that_is_gone_says_so_and_keeps_what_is_typed(
    browser: Browser,
    live_server: LiveServer,
    cluster: Cluster,
    swarm: Swarm,
    as_author: Client,
    path: str,
    field: str,
    typed: str,
) -> None:
    with window(browser, live_server, as_author, refused=re.compile(r"\b404\b")) as page:
        page.goto(f"/clusters/prod/networks/id-backend/{path}")
        page.get_by_label("Why").fill("A long reason.")
        see(cluster, replace(swarm, networks=tuple(row for row in swarm.networks if row.name != "backend")))
        page.get_by_label(field).first.fill(typed)
        expect(page.locator("#preview")).to_contain_text("prod has no network with this id")
        expect(page.locator("#preview").get_by_role("link", name="Show all networks")).to_be_visible()
        expect(page.get_by_label("Why")).to_have_value("A long reason.")


@pytest.mark.parametrize("phone", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_the_marks_of_the_rail_follow_what_runs_and_what_waits(
    browser: Browser, live_server: LiveServer, change: ChangeRequest, as_author: Client, path: str, *, phone: bool
) -> None:
    job = Job.objects.create(cluster=change.cluster, change=change, kind=change.kind, created_at=timezone.now())
    with window(browser, live_server, as_author, phone=phone) as page:
        page.clock.install()
        page.goto(path)
        running = page.locator("#more-running" if phone else "#rail-running")
        waiting = page.locator("#rail-pending")
        expect(running).to_be_visible()
        expect(waiting).to_have_text("1")
        Job.objects.filter(pk=job.pk).update(status=JobStatus.SUCCEEDED)
        ChangeRequest.objects.update(status="rejected")
        page.clock.run_for(FRAME_MS)
        expect(running).to_be_hidden()
        expect(waiting).to_be_hidden()


def test_a_check_that_goes_on_leaves_alone_what_is_typed(
    browser: Browser, live_server: LiveServer, wide: Cluster, as_author: Client
) -> None:
    ReadinessCheck.objects.create(cluster=wide, asked_at=timezone.now())
    with window(browser, live_server, as_author) as page:
        page.goto("/clusters/prod/readiness/")
        find = page.get_by_label("Find a node")
        find.press_sequentially("node0777")
        expect(page.locator("#found").get_by_text("node0001")).to_be_hidden()
        for _ in range(2):
            with page.expect_response("**/readiness/**"):
                pass
        expect(find).to_have_value("node0777")
        expect(find).to_be_focused()
        expect(page.locator("#found").get_by_text("node0001")).to_be_hidden()


def test_a_page_that_stays_open_goes_on_saying_how_old_it_is(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        page.clock.install()
        page.goto("/clusters/prod/")
        seen = page.locator("time").first
        expect(seen).to_have_text(re.compile(r"^(just now|\d+ s ago)$"))
        page.clock.fast_forward("05:30")
        expect(seen).to_have_text("5 min ago")
        page.clock.fast_forward("26:00:00")
        expect(seen).to_have_text("1 d ago")
