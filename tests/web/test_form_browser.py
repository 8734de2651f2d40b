"""The form in a real browser: live while it is typed, whole without JavaScript, never losing a word."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import APIResponse, Browser, Error, Page, Route, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from overlayweb.domain.plans import IngressPlan
from overlayweb.models import ChangeRequest, Cluster, Job
from tests.browser.people import complains
from tests.domain.builders import make_service, make_swarm
from tests.web import inventories, wedges
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.django_db(transaction=True)]

FORM = "/clusters/prod/ingress/customise"
DESK = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=390, height=844)
REFUSED = re.compile(r"\b(401|403|422)\b")
"""A browser says of every refusal that it is one; what the page says of it is tested."""
PATHS = (
    *("/", "/clusters/prod/", "/clusters/prod/ingress/", FORM, "/clusters/add", "/clusters/prod/reserved", "/people"),
    *("/clusters/prod/ingress/repair", "/clusters/prod/nodes", "/clusters/prod/edit", "/history/", "/jobs/"),
    *("/clusters/prod/networks/", "/clusters/prod/networks/new", "/clusters/prod/networks/id-backend/"),
    *(f"/clusters/prod/networks/id-backend/{page}" for page in ("connect", "replace", "delete", "containers")),
    *(
        "/clusters/prod/services/",
        "/clusters/prod/services/id-shop_web/",
        "/clusters/prod/services/id-shop_web/connect",
        "/clusters/prod/services/id-shop_web/ports",
    ),
    *("/clusters/prod/reach", "/clusters/prod/addresses", "/clusters/prod/drift"),
    *("/clusters/prod/readiness/", *(f"/clusters/prod/readiness/{page}" for page in ("join", "bridge"))),
)


@contextmanager
def window(
    browser: Browser,
    live_server: LiveServer,
    client: Client,
    *,
    javascript: bool = True,
    phone: bool = False,
    refused: re.Pattern[str] = REFUSED,
) -> Iterator[Page]:
    """A browser window with the client's session. Whatever else the console says against a page fails the test."""
    complaints: list[str] = []
    context = browser.new_context(
        base_url=live_server.url, viewport=PHONE if phone else DESK, java_script_enabled=javascript
    )
    cookie = client.cookies["overlayweb_session"]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if complains(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with closing(context):
        yield page
    assert [said for said in complaints if not refused.search(said)] == []


def test_verdicts_and_plan_follow_what_is_typed(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto(FORM)
        page.get_by_label("Why").fill("The VPN took it.")
        page.get_by_label("Subnet").fill("10.9.0.0/16")
        expect(page.locator("#verdict-subnet")).to_contain_text("overlaps overlay payments")
        expect(page.locator("#preview")).to_contain_text("1 thing to mend")
        page.locator("#verdict-subnet").get_by_role("button", name="use 10.10.0.0/16").click()
        expect(page.get_by_label("Subnet")).to_have_value("10.10.0.0/16")
        expect(page.get_by_label("Subnet")).to_be_focused()
        expect(page.locator("#preview")).to_contain_text("Create ingress 10.10.0.0/16")
        expect(page.get_by_label("Why")).to_have_value("The VPN took it.")
        page.get_by_role("button", name="Ask for approval").click()
        page.wait_for_url("**/changes/*/")
    assert IngressPlan.of(ChangeRequest.objects.get().plan_record.plan()).after.subnet == "10.10.0.0/16"


def test_typing_is_never_overwritten_by_an_answer(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto(FORM)
        page.get_by_label("Subnet").fill("")
        page.get_by_label("Subnet").press_sequentially("10.11.0.0/16", delay=130)
        expect(page.locator("#preview")).to_contain_text("Create ingress 10.11.0.0/16")
        expect(page.get_by_label("Subnet")).to_have_value("10.11.0.0/16")
        expect(page.get_by_label("Subnet")).to_be_focused()


def test_reading_the_plan_is_never_cut_short_by_an_answer(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    forms = (
        (FORM, "Subnet", "10.11.0.0/16", "10.12.0.0/16"),
        ("/clusters/prod/networks/new", "Name", "lake", "pond"),
        ("/clusters/prod/networks/id-backend/replace", "Subnets", "10.44.0.0/22", "10.48.0.0/22"),
    )
    with window(browser, live_server, as_author) as page:
        for path, label, first, then in forms:
            page.goto(path)
            page.get_by_label(label, exact=True).fill(first)
            expect(page.locator("#preview")).to_contain_text(first)
            folds = page.locator("#preview details:not([open]) > summary")
            while folds.count():
                folds.first.press("Enter")
            read = page.locator("#by-hand").locator("summary, button").first
            read.focus()
            page.get_by_label(label, exact=True).evaluate(
                "(e, text) => { e.value = text; e.dispatchEvent(new Event('input', {bubbles: true})) }", then
            )
            expect(page.locator("#preview")).to_contain_text(then)
            expect(read).to_be_focused()
            expect(folds).to_have_count(0)


def test_all_of_it_works_without_javascript(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client, as_reviewer: Client
) -> None:
    with window(browser, live_server, as_author, javascript=False) as page:
        page.goto(FORM)
        page.get_by_label("Subnet").fill("10.9.0.0/16")
        page.get_by_label("Subnet").press("Enter")
        expect(page.locator("#verdict-subnet")).to_contain_text("overlaps overlay payments")
        page.get_by_role("button", name="use 10.10.0.0/16").click()
        page.get_by_label("Why").fill("The VPN took it.")
        page.get_by_role("button", name="Check", exact=True).click()
        expect(page.locator("#preview")).to_contain_text("Create ingress 10.10.0.0/16")
        page.get_by_role("button", name="Ask for approval").click()
        expect(page.locator("#decision")).to_contain_text("somebody else has to approve it")
        address = page.url
    with window(browser, live_server, as_reviewer, javascript=False) as page:
        page.goto(address)
        page.get_by_text("Shorter: ports dark").first.click()
        expect(page.get_by_text("Swarm lets go").first).to_be_visible()
        page.get_by_role("button", name="Approve plan").click()
        page.wait_for_url("**/jobs/*/")
    assert Job.objects.count() == 1


def test_a_session_that_ends_while_typing_is_said_and_costs_nothing(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto(FORM)
        page.get_by_label("Why").fill("A long reason.")
        page.context.clear_cookies()
        page.get_by_label("Subnet").fill("10.11.0.0/16")
        expect(page.locator("#lost-session")).to_be_visible()
        other = page.context.new_page()
        other.goto("/sign-in")
        other.get_by_label("User name").fill("ana")
        other.get_by_label("Password").fill(PASSWORD)
        other.get_by_role("button", name="Sign in").click()
        other.wait_for_url("**/clusters/prod/")
        other.close()
        page.get_by_label("Subnet").fill("10.12.0.0/16")
        expect(page.locator("#preview")).to_contain_text("Create ingress 10.12.0.0/16")
        expect(page.locator("#lost-session")).to_be_hidden()
        expect(page.get_by_label("Why")).to_have_value("A long reason.")
        page.get_by_role("button", name="Ask for approval").click()
        page.wait_for_url("**/changes/*/")
    assert ChangeRequest.objects.get().reason == "A long reason."


def test_the_theme_changes_without_a_reload(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto(FORM)
        page.get_by_label("Why").fill("A long reason.")
        page.locator("summary", has_text="Theme").click()
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.get_by_label("Why")).to_have_value("A long reason.")
        expect(page.get_by_role("button", name="Dark")).to_be_hidden()
        page.goto("/clusters/prod/")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_menus_work_by_keyboard(browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto("/clusters/prod/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
        menu = page.locator("summary", has_text="Cluster")
        menu.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="prod", exact=True)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="prod", exact=True)).to_be_hidden()
        expect(menu).to_be_focused()


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_no_page_breaks_the_policy_or_the_width(
    browser: Browser, live_server: LiveServer, change: ChangeRequest, as_administrator: Client, *, phone: bool
) -> None:
    back = timezone.now()
    Cluster.objects.update(observed_at=back, was_away_since=back - timedelta(seconds=9), back_at=back)
    with window(browser, live_server, as_administrator, phone=phone) as page:
        for path in (*PATHS, f"/changes/{change.pk}/", f"/changes/{change.pk}/again"):
            answer = page.goto(path)
            assert answer, path
            assert answer.ok, path
            page.evaluate("document.querySelectorAll('details.fold').forEach(fold => fold.open = true)")
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, path
            unnamed = page.evaluate(
                "[...document.querySelectorAll('button, a, input:not([type=hidden]), select, textarea')].filter("
                "e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).map(e => e.outerHTML)"
            )
            assert unnamed == [], path


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_a_repair_breaks_neither(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_administrator: Client, *, phone: bool
) -> None:
    wedges.see(cluster, wedges.wedged())
    asked = wedges.ask(cluster)
    paths = (
        "/clusters/prod/ingress/repair",
        f"/changes/{asked.pk}/",
        "/clusters/prod/ingress/",
        "/clusters/prod/nodes",
    )
    with window(browser, live_server, as_administrator, phone=phone) as page:
        for path in paths:
            page.goto(path)
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, path


@pytest.mark.parametrize("phone", [False, True])
def test_the_heads_of_the_matrix_stay_while_it_is_scrolled(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_reader: Client, *, phone: bool
) -> None:
    wedges.see(cluster, inventories.make_large_swarm(60, observed_at=timezone.now()))
    with window(browser, live_server, as_reader, phone=phone) as page:
        page.goto("/clusters/prod/reach")
        whole = page.get_by_role("region", name="Services by overlays")
        heads = [page.locator("table.who thead th").last, page.locator("table.who tbody th").last]
        whole.evaluate("e => e.scrollTo(e.scrollWidth, e.scrollHeight)")
        frame = whole.bounding_box()
        assert frame is not None
        network, service = (head.bounding_box() for head in heads)
        assert network is not None
        assert service is not None
        assert network["y"] == pytest.approx(frame["y"], abs=2)
        assert service["x"] == pytest.approx(frame["x"], abs=2)
        assert whole.evaluate("e => e.scrollTop > 0 && e.scrollLeft > 0")


def test_a_choice_made_while_other_rows_are_on_their_way_is_kept(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    services = [make_service(f"shop_svc{n:03}", published=(10_000 + n,)) for n in range(150)]
    wedges.see(cluster, make_swarm(services=services))
    held: list[tuple[Route, APIResponse]] = []
    with window(browser, live_server, as_author) as page:
        page.goto(FORM)
        page.locator("summary", has_text="How each of").click()
        page.route("**/ingress/preview", lambda route: held.append((route, route.fetch())), times=1)
        page.get_by_label("Find a service").fill("svc149")
        while not held:
            page.wait_for_timeout(20)
        page.get_by_label("shop_svc007").select_option("stop")
        with suppress(Error):  # nobody waits for it any more
            held[0][0].fulfill(response=held[0][1])
        expect(page.locator(".strategy label")).to_have_text(["shop_svc149"])
        expect(page.locator("#strategies")).to_contain_text("1 more is chosen by hand")
        expect(page.locator("input[name=chosen]")).to_have_value("id-shop_svc007=stop")


def test_a_phone_has_five_entries_and_the_others_under_more(
    browser: Browser, live_server: LiveServer, change: ChangeRequest, as_author: Client
) -> None:
    with window(browser, live_server, as_author, phone=True) as page:
        page.goto("/clusters/prod/")
        entries = page.get_by_role("navigation", name="Pages").locator("> ul > li:visible")
        expect(entries).to_have_text(
            ["Overview", "Networks", "Services", re.compile(r"Changes\s*1"), re.compile("More")]
        )
        assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.rail > ul'))") == 0
        page.locator("summary", has_text="More").click()
        page.get_by_role("link", name="History").click()
        page.wait_for_url("**/history/")
        expect(page.locator("summary", has_text="More")).to_have_attribute("aria-current", "true")


@pytest.mark.parametrize(
    ("path", "field", "typed"),
    [
        (FORM, "Subnet", "10.10.0.0/16"),
        ("/clusters/prod/networks/new", "Name", "lake"),
        ("/clusters/prod/networks/id-backend/replace", "MTU", "1400"),
        ("/clusters/prod/networks/id-backend/connect", "Aliases of wiki", "pages"),
    ],
)
def test_a_refusal_is_taken_back_when_the_reason_is_typed(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client, path: str, field: str, typed: str
) -> None:
    with window(browser, live_server, as_author) as page:
        page.goto(path)
        page.get_by_label(field).first.fill(typed)
        if "Aliases" in field:
            page.get_by_role("checkbox", name="wiki").check()
        page.get_by_role("button", name="Ask for approval").click()
        why = page.get_by_label("Why")
        expect(page.get_by_role("alert").filter(has_text="Not asked for")).to_be_focused()
        expect(why).to_have_attribute("aria-invalid", "true")
        why.fill("The VPN took it.")
        expect(page.get_by_text("Not asked for")).to_be_hidden()
        expect(page.get_by_text("Say why")).to_be_hidden()
        expect(why).not_to_have_attribute("aria-invalid", "true")
