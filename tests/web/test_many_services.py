"""The pages of an ingress change with 300 published services: a part is shown, all of it counts, any of it is found."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from overlayweb.domain.plans import IngressPlan, Strategy
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes
from tests.domain.builders import make_request, make_service, make_swarm
from tests.web import inventories, job_stories, wedges
from tests.web.pages import beside, text, value
from tests.web.test_ingress import FORM, PREVIEW, TYPED, see

SERVICES, MOST, PAGE = 300, 100, 50
HTMX = {"HX-Request": "true"}
LATE = "shop_svc299"
"""By name it stands behind all that is shown."""


@pytest.fixture
def swarm() -> Swarm:
    """Every service is called shop_svc000 and on, takes 10 s to stop, and publishes one port; the last one takes 30."""
    services = [make_service(f"shop_svc{n:03}", published=(10_000 + n,)) for n in range(SERVICES - 1)]
    return make_swarm(services=[*services, make_service(LATE, published=(10_299,), stop_grace_seconds=30.0)])


def ids(*numbers: int) -> list[str]:
    return [f"id-shop_svc{number:03}" for number in numbers]


def chosen(numbers: range, way: str = "stop") -> str:
    """The choices for these services, as the form carries along what it does not show."""
    return " ".join(f"{key}={way}" for key in ids(*numbers))


def shown(answer: object) -> list[str]:
    """The services whose strategies can be chosen on the page, in order."""
    return re.findall(r'<select id="id_strategy-id-(\w+)"', getattr(answer, "content", b"").decode())


def sent(answer: object) -> dict[str, str]:
    """Everything that a browser sends of the choices on this page."""
    html = getattr(answer, "content", b"").decode()
    found = {"chosen": value(answer, "chosen"), "found": value(answer, "found")}
    for name, options in re.findall(r'<select id="[^"]*"\s+name="(strategy-[^"]+)".*?>(.*?)</select>', html, re.DOTALL):
        taken = re.search(r'value="(\w+)" selected', options)
        found[name] = taken[1] if taken else "automatic"
    return found


def asked(change: ChangeRequest) -> dict[str, str]:
    """The strategies that the plan was asked for with."""
    return dict(IngressPlan.of(change.plan_record.plan()).request.strategies)


def test_the_form_shows_a_hundred_and_says_so(cluster: Cluster, as_author: Client) -> None:
    page = as_author.get(FORM)
    assert shown(page) == [f"shop_svc{n:03}" for n in range(MOST)]
    assert "How each of the 300 services is taken off" in text(page)
    assert "100 of 300 are shown." in beside(page, "strategies")


def test_what_is_chosen_outlives_every_filter(cluster: Cluster, as_author: Client) -> None:
    found = as_author.post(FORM, {**TYPED, **sent(as_author.get(FORM)), "q": "svc299", "check": "1"})
    assert shown(found) == [LATE]
    second = {**TYPED, **sent(found), f"strategy-id-{LATE}": "stop", "q": "SVC15", "check": "1"}
    found = as_author.post(FORM, second)
    assert shown(found) == [f"shop_svc{n:03}" for n in range(150, 160)]
    assert "1 more is chosen by hand, and stays so." in beside(found, "strategies")
    third = {**TYPED, **sent(found), "strategy-id-shop_svc155": "unpublish", "q": "", "check": "1"}
    found = as_author.post(FORM, third)
    assert shown(found)[:3] == ["shop_svc155", LATE, "shop_svc000"], "chosen by hand first"
    undone = {**TYPED, **sent(found), f"strategy-id-{LATE}": "automatic", "reason": "VPN"}
    as_author.post(FORM, undone)
    assert asked(ChangeRequest.objects.get()) == {"id-shop_svc155": "unpublish"}


def test_a_suggestion_a_refusal_and_planning_again_keep_more_choices_than_are_shown(
    cluster: Cluster, as_author: Client
) -> None:
    many = dict.fromkeys(ids(*range(150, SERVICES)), "stop")
    typed = {**TYPED, "chosen": chosen(range(150, SERVICES)), "reason": ""}
    taken = as_author.post(FORM, {**typed, "use": "subnet=10.12.0.0/16"})
    assert value(taken, "subnet") == "10.12.0.0/16"
    assert shown(taken) == [f"shop_svc{n:03}" for n in range(150, 250)]
    refused = as_author.post(FORM, {**typed, **sent(taken)})
    assert refused.status_code == 422
    as_author.post(FORM, {**typed, **sent(refused), "reason": "VPN"})
    change = ChangeRequest.objects.get()
    assert asked(change) == many
    again = as_author.get(f"/changes/{change.pk}/again")
    as_author.post(f"/changes/{change.pk}/again", {**TYPED, **sent(again), "mtu": "1400", "reason": "Smaller."})
    assert asked(ChangeRequest.objects.get(replaces=change)) == many


def test_while_it_is_typed_other_rows_come_only_for_another_text(cluster: Cluster, as_author: Client) -> None:
    rows = sent(as_author.get(FORM))
    same = as_author.post(PREVIEW, {**TYPED, **rows, "q": ""}, headers=HTMX)
    assert shown(same) == []
    assert same.content.count(b'hx-swap-oob="true"') == 7 + MOST
    other = as_author.post(PREVIEW, {**TYPED, **rows, "strategy-id-shop_svc290": "stop", "q": " svc299 "}, headers=HTMX)
    assert shown(other) == [LATE]
    assert value(other, "found") == "svc299"
    assert value(other, "chosen") == "id-shop_svc290=stop"
    assert "Chosen by hand" in beside(other, "preview")


def test_a_refused_service_comes_first_and_an_unknown_way_is_named(
    cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    busy = [make_service(LATE, published=(10_299,), update_state="paused"), *swarm.services[:-1]]
    see(cluster, make_swarm(services=busy))
    page = as_author.post(FORM, {**TYPED, "chosen": "id-shop_svc007=stop id-gone=stop", "reason": "VPN"})
    assert shown(page)[:3] == [LATE, "shop_svc007", "shop_svc000"]
    assert "paused update" in beside(page, f"verdict-strategy-id-{LATE}")
    see(cluster, swarm)
    page = as_author.post(FORM, {**TYPED, "strategy-id-shop_svc250": "shoot", "q": "svc00", "reason": "VPN"})
    assert page.status_code == 422
    assert shown(page)[:2] == ["shop_svc250", "shop_svc000"]
    assert "“shoot” is no way to take a service off" in beside(page, "verdict-strategy-id-shop_svc250")
    assert "1 thing to mend" in beside(page, "preview")
    assert not ChangeRequest.objects.exists()


def test_the_preview_shows_the_longest_dark_of_all(cluster: Cluster, as_author: Client) -> None:
    answer = as_author.post(PREVIEW, TYPED, headers=HTMX)
    preview = beside(answer, "preview")
    assert answer.content.count(b'class="arithmetic"') == PAGE
    assert "50 of 300 are shown." in preview
    assert preview.index(LATE) < preview.index("shop_svc000")
    assert "The first 100 lines. The page of the change has them all as a file." in preview


@pytest.fixture
def change(cluster: Cluster) -> ChangeRequest:
    return changes.submit(
        cluster=cluster,
        request=make_request(strategies={"id-shop_svc100": Strategy.UNPUBLISH}),
        author=job_stories.person("ana"),
        reason="VPN",
        now=timezone.now(),
    )


def test_who_decides_turns_over_and_finds_all_of_them(change: ChangeRequest, as_reviewer: Client) -> None:
    address = f"/changes/{change.pk}/"
    page = as_reviewer.get(address)
    assert page.content.count(b'class="arithmetic"') == PAGE
    assert f"/changes/{change.pk}/?page=2" in page.content.decode()
    found = beside(page, "found")
    assert "1 to 50 of 300" in found
    assert re.findall(r"shop_svc\d+", found)[0] == LATE, "the longest dark first"
    names = set()
    for number in range(1, 7):
        part = as_reviewer.get(address, {"page": number}, headers=HTMX)
        assert b"<html" not in part.content
        assert f'href="/changes/{change.pk}/?page=' in part.content.decode()
        names |= set(re.findall(r"shop_svc\d+", part.content.decode()))
    assert len(names) == SERVICES
    for text_typed in ("svc100", "10100→80"):
        one = as_reviewer.get(address, {"q": text_typed}, headers=HTMX)
        assert "Restarts twice" in beside(one, "found")
        assert one.content.count(b'class="arithmetic"') == 1
    assert "No service of this plan fits “nobody”" in text(as_reviewer.get(address, {"q": "nobody"}))


def test_a_refused_decision_still_leads_to_the_other_pages(change: ChangeRequest, as_reviewer: Client) -> None:
    page = as_reviewer.post(f"/changes/{change.pk}/approve", {"plan_sha256": "0" * 64}).content.decode()
    assert f'href="/changes/{change.pk}/?page=2"' in page
    assert f'hx-get="/changes/{change.pk}/"' in page


def test_all_commands_are_a_file(change: ChangeRequest, as_reader: Client) -> None:
    page = as_reader.get(f"/changes/{change.pk}/").content.decode()
    address = f"/changes/{change.pk}/commands"
    assert f'<a href="{address}" download>' in page
    assert page.count("docker service inspect") < MOST
    answer = as_reader.get(address)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="change-{change.pk}-commands.txt"'
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode().splitlines() == list(change.plan_record.plan().commands)


def test_what_has_moved_is_told_in_a_few_sentences(change: ChangeRequest, as_reviewer: Client) -> None:
    see(change.cluster, make_swarm(services=[make_service("shop_svc000", published=(10_000,))]))
    said = text(as_reviewer.get(f"/changes/{change.pk}/"))
    assert said.count("no longer publishes through the ingress") == 20
    assert f"And {SERVICES - 1 - 20} more." in said


def test_a_repair_shows_a_part_of_what_hangs_and_of_what_it_looks_after(cluster: Cluster, as_author: Client) -> None:
    swarm = cluster.swarm()
    assert swarm is not None
    see(cluster, inventories.wedged(swarm))
    page = as_author.get("/clusters/prod/ingress/repair")
    html = page.content.decode()
    assert html.count("ingress sandbox already present</span>") == 10
    assert "300 of 300 published" in text(page)
    assert "/clusters/prod/services/?show=short" in html
    assert html.count("it comes back to full strength") == PAGE
    asked_for = wedges.ask(Cluster.objects.get())
    part = as_author.get(f"/changes/{asked_for.pk}/", {"q": "svc29"}, headers=HTMX)
    assert part.content.decode().count('<th scope="row">') == 10


def test_the_page_of_a_job_shows_and_follows_a_part(cluster: Cluster, as_reviewer: Client) -> None:
    story = job_stories.recorded(job_stories.queued(cluster))
    story.take_off(story.begin(), ["shop_svc120", "shop_svc121"])
    address = f"/jobs/{story.job.pk}/"
    page = as_reviewer.get(address).content.decode()
    assert page.count('<tr id="service-') == PAGE
    rows = re.search(r'data-rows="([^"]*)"', page)
    assert rows
    assert rows[1].split(",") == ids(*range(PAGE))
    leaving = as_reviewer.get(address, {"show": "releasing"}, headers=HTMX).content.decode()
    assert re.findall(r'<tr id="service-id-(\w+)"', leaving) == ["shop_svc120", "shop_svc121"]
    assert 'data-rows="id-shop_svc120,id-shop_svc121"' in leaving
    live = as_reviewer.get(f"{address}live?after=0&services=id-shop_svc120").content.decode()
    assert re.findall(r'<tr id="service-id-(\w+)"', live) == ["shop_svc120"]
    assert "298 still up, 2 leaving" in live, "all are counted"
    nobody = as_reviewer.get(address, {"q": "nobody"}, headers=HTMX).content.decode()
    assert 'data-rows=""' in nobody
    assert "<tr id=" not in as_reviewer.get(f"{address}live", {"services": ""}).content.decode()
