"""Forms by keyboard alone: every stop can be seen, and Tab leads everywhere."""

import pytest
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from overlayweb.domain.connect_plans import ConnectPlan
from overlayweb.domain.network_plans import CreatePlan
from overlayweb.domain.plans import IngressPlan
from overlayweb.domain.replace_plans import ReplacePlan
from overlayweb.models import ChangeRequest, Cluster
from tests.domain.builders import make_service, make_swarm
from tests.web import wedges
from tests.web.test_form_browser import FORM, window

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.django_db(transaction=True)]


def open_by_keyboard(page: Page, path: str) -> None:
    """Open the page and jump over its frame."""
    page.goto(path)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus; whatever has it on the way shows that, and is in sight."""
    for _ in range(80):
        page.keyboard.press("Tab")
        there, unseen = wanted.evaluate(
            "e => { const on = document.activeElement, s = getComputedStyle(on), r = on.getBoundingClientRect();"
            " const marked = (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none';"
            " const seen = marked && r.height > 0 && r.bottom > 0 && r.top < innerHeight;"
            " return [e === on, seen ? '' : on.outerHTML] }"
        )
        assert unseen == "", "the focus cannot be seen"
        if there:
            return
    raise AssertionError(f"no Tab leads to {wanted}")


def ask(page: Page) -> None:
    """Write the reason and press the button, both by keyboard."""
    tab_to(page, page.get_by_label("Why"))
    with page.expect_response(lambda answer: answer.request.method == "POST"):  # the plan follows what is typed
        page.keyboard.type("By keyboard.")
    tab_to(page, page.get_by_role("button", name="Ask for approval"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/changes/*/**")


def test_networks_are_made_connected_and_replaced_by_keyboard(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    with window(browser, live_server, as_author) as page:
        open_by_keyboard(page, "/clusters/prod/networks/new")
        tab_to(page, page.get_by_label("Name"))
        page.keyboard.type("lake")
        tab_to(page, page.get_by_role("button", name="Pick a block"))
        page.keyboard.press("Enter")
        expect(page.locator("#preview")).to_contain_text("--subnet")
        expect(page.get_by_role("button", name="Pick a block")).to_be_focused()
        tab_to(page, page.get_by_label("Attachable"))
        page.keyboard.press("Space")
        ask(page)

        open_by_keyboard(page, "/clusters/prod/networks/id-backend/connect")
        tab_to(page, page.get_by_role("checkbox", name="wiki"))
        page.keyboard.press("Space")
        expect(page.locator("#preview")).to_contain_text("wiki")
        ask(page)

        open_by_keyboard(page, "/clusters/prod/networks/id-backend/replace")
        tab_to(page, page.get_by_label("Name", exact=True))
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("backend-wide")
        tab_to(page, page.get_by_label("Subnets"))
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("10.44.0.0/22")
        ask(page)
    made, connected, replaced = (change.plan_record.plan() for change in ChangeRequest.objects.order_by("pk"))
    settings = CreatePlan.of(made).request.settings
    assert (settings.name, settings.attachable, len(settings.subnets)) == ("lake", True, 1)
    assert [(link.service_id, link.attach) for link in ConnectPlan.of(connected).request.links] == [("id-wiki", True)]
    after = ReplacePlan.of(replaced).after
    assert (after.name, after.subnets[0].subnet) == ("backend-wide", "10.44.0.0/22")


def test_of_many_services_some_are_found_and_chosen_by_keyboard(
    browser: Browser, live_server: LiveServer, cluster: Cluster, as_author: Client
) -> None:
    services = [make_service(f"shop_svc{n:03}", published=(10_000 + n,)) for n in range(150)]
    wedges.see(cluster, make_swarm(services=services))
    with window(browser, live_server, as_author) as page:
        open_by_keyboard(page, FORM)
        tab_to(page, page.get_by_label("Subnet"))
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("10.11.0.0/16")
        tab_to(page, page.locator("summary", has_text="How each of the 150 services is taken off"))
        page.keyboard.press("Enter")
        for found, key in (("svc149", "shop_svc149"), ("svc077", "shop_svc077")):
            find = page.get_by_label("Find a service")
            find.focus()
            page.keyboard.press("ControlOrMeta+a")
            page.keyboard.type(found)
            expect(page.locator(".strategy label")).to_have_text([key])
            expect(find).to_be_focused()
            tab_to(page, page.get_by_label(key))
            page.keyboard.press("ArrowDown")
            expect(page.get_by_label(key)).to_have_value("stop")
        expect(page.locator("#strategies")).to_contain_text("1 more is chosen by hand")
        ask(page)
    plan = IngressPlan.of(ChangeRequest.objects.get().plan_record.plan())
    assert dict(plan.request.strategies) == {"id-shop_svc077": "stop", "id-shop_svc149": "stop"}
