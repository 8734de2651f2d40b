"""The drift page: what differs, adopting it, and asking for the change back."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from overlayweb.domain import specs
from overlayweb.domain.ingress_settings import JOB_LABEL
from overlayweb.domain.lifecycle import ChangeStatus, JobStatus
from overlayweb.domain.network_plans import CreatePlan
from overlayweb.domain.ports import PublishedPort
from overlayweb.domain.replace_plans import ReplacePlan
from overlayweb.domain.swarm import STACK_LABEL, Swarm
from overlayweb.models import Adoption, ChangeRequest, Cluster, Job, codec, forget_seen
from overlayweb.services import changes, drifts
from tasks import observations
from tests.domain.builders import make_network, make_port, make_service
from tests.web.pages import beside, text, value

MOST_QUERIES = 8
DRIFT = "/clusters/prod/drift"


@pytest.fixture(autouse=True)
def _seen_now(cluster: Cluster, swarm: Swarm) -> None:
    see(cluster, swarm)


@pytest.fixture
def done(change: ChangeRequest) -> Job:
    """Ana's change, carried out an hour ago; the ingress is seen as it was before: somebody turned it back."""
    record, at = change.plan_record, timezone.now() - timedelta(hours=1)
    return Job.objects.create(
        change=change,
        cluster=change.cluster,
        kind=change.kind,
        plan_document=record.document,
        plan_sha256=record.sha256,
        status=JobStatus.SUCCEEDED,
        created_at=at,
        finished_at=at,
    )


def see(cluster: Cluster, swarm: Swarm) -> None:
    """A look that finds this now."""
    assert observations.keep(cluster=cluster, swarm=replace(swarm, observed_at=timezone.now()))
    cluster.refresh_from_db()


def adopt(client: Client, reason: str = "The VPN moved away.") -> str:
    """Adopt the first drift of the page as a person would; what the next page says."""
    page = client.get(DRIFT)
    sent = {name: value(page, name) for name in ("subject", "name", "digest")}
    return text(client.post(f"{DRIFT}/adopt", {**sent, "reason": reason}, follow=True))


def test_a_changed_ingress_is_told_with_both_values_and_who_approved(done: Job, as_author: Client) -> None:
    page = text(as_author.get(DRIFT))
    assert "1 thing differs from what was approved" in page
    assert "The ingress was changed outside" in page
    assert "Subnet 10.11.0.0/16 as approved 10.0.0.0/24 as found" in page
    assert f"Approved with change {done.change_id} of Ana Author, carried out 1 h ago" in page
    assert "1 thing differs from what was approved" in text(as_author.get("/clusters/prod/"))
    assert "1 thing differs" in text(as_author.get(f"{DRIFT}/count"))
    assert f'hx-get="{DRIFT}/count"' in as_author.get("/clusters/prod/networks/").content.decode()


def test_the_change_back_begins_with_what_was_approved(done: Job, as_author: Client) -> None:
    page = as_author.get(DRIFT).content.decode()
    assert 'href="/clusters/prod/ingress/customise?back"' in page
    form = as_author.get("/clusters/prod/ingress/customise?back")
    assert value(form, "subnet") == "10.11.0.0/16"
    assert value(form, "mtu") == "1450"
    assert "Back to what was approved." in form.content.decode()


def test_without_drift_the_form_begins_with_what_is(cluster: Cluster, as_author: Client) -> None:
    form = as_author.get("/clusters/prod/ingress/customise?back")
    assert value(form, "subnet") == "10.0.0.0/24"


def test_adopting_is_kept_with_person_and_reason_and_nothing_differs_then(
    done: Job, cluster: Cluster, as_reviewer: Client
) -> None:
    page = adopt(as_reviewer)
    assert "Adopted: this is how The ingress shall be." in page
    assert "Everything is as approved" in page
    assert "Ben Reviewer The VPN moved away." in page
    kept = Adoption.objects.get()
    assert (kept.person.username, kept.reason) == ("ben", "The VPN moved away.")
    assert "Subnet: 10.11.0.0/16" in kept.was
    assert "Subnet: 10.0.0.0/24" in str(kept.standing())
    see(cluster, cluster.swarm() or pytest.fail("no observation"))
    assert "Everything is as approved" in text(as_reviewer.get(DRIFT))


def test_what_was_adopted_is_what_later_changes_are_held_against(
    done: Job, cluster: Cluster, swarm: Swarm, as_reviewer: Client
) -> None:
    adopt(as_reviewer)
    ingress, *others = swarm.networks
    see(cluster, replace(swarm, networks=(replace(ingress, mtu="1300"), *others)))
    page = text(as_reviewer.get(DRIFT))
    assert "MTU unset as approved 1300 as found" in page
    assert "Adopted by Ben Reviewer" in page


def test_nobody_adopts_what_they_did_not_read(done: Job, cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    page = as_author.get(DRIFT)
    sent = {name: value(page, name) for name in ("subject", "name", "digest")}
    ingress, *others = swarm.networks
    see(cluster, replace(swarm, networks=(replace(ingress, mtu="1300"), *others)))
    answer = text(as_author.post(f"{DRIFT}/adopt", {**sent, "reason": "Fine."}, follow=True))
    assert "It has changed since this page was read" in answer
    assert not Adoption.objects.exists()


@pytest.mark.parametrize(("reason", "subject"), [("  ", "ingress"), ("Fine.", "weather")])
def test_adopting_needs_a_reason_and_a_subject(done: Job, as_author: Client, reason: str, subject: str) -> None:
    sent = {"subject": subject, "name": "", "digest": "x", "reason": reason}
    assert "Nothing is adopted" in text(as_author.post(f"{DRIFT}/adopt", sent, follow=True))
    assert not Adoption.objects.exists()


def test_a_reader_reads_and_adopts_nothing(done: Job, as_reader: Client) -> None:
    page = as_reader.get(DRIFT)
    assert "The ingress was changed outside" in text(page)
    assert "Adopt" not in text(page)
    sent = {"subject": "ingress", "name": "", "digest": "x", "reason": "Fine."}
    assert as_reader.post(f"{DRIFT}/adopt", sent).status_code == 403
    assert as_reader.post(f"{DRIFT}/record", {"digest": "x"}).status_code == 403
    assert not Adoption.objects.exists()


def other_ports(cluster: Cluster, swarm: Swarm, *ports: PublishedPort) -> str:
    """Somebody publishes other ports of the first service; the address of the page that asks for the change back."""
    web, *others = swarm.services
    spec = specs.republished(web.spec, publish=ports, unpublish=web.ports)
    see(cluster, replace(swarm, services=(replace(web, spec=spec, ports=ports), *others)))
    return f"/clusters/prod/services/{web.id}/ports"


def test_changed_ports_are_proposed_back_and_the_plan_says_what_restarts(
    done: Job, cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    address = other_ports(cluster, swarm, make_port(8001), make_port(9999))
    drifted = as_author.get(DRIFT)
    assert "Ports of shop_web were changed outside" in text(drifted)
    assert f'href="{address}"' in drifted.content.decode()
    form = text(as_author.get(address))
    assert "Ports of shop_web, back as approved" in form
    assert "+ 8443→80/tcp" in form
    assert "Stack shop deploys shop_web by its own file" in form
    unsaid = as_author.post(address, {"reason": " "})
    assert (unsaid.status_code, ChangeRequest.objects.count()) == (422, 1)
    assert "Say why" in text(unsaid)
    as_author.post(address, {"reason": "The shop is closed."})
    asked = ChangeRequest.objects.latest("pk")
    assert asked.title == "shop_web: publish 8443→80/tcp, unpublish 9999→80/tcp"
    again = text(as_author.get(f"/changes/{asked.pk}/again"))
    assert "Plan again: shop_web: publish" in again
    as_author.post(f"/changes/{asked.pk}/again", {"reason": "The shop is still closed."})
    asked.refresh_from_db()
    assert asked.status == ChangeStatus.WITHDRAWN


def test_ports_as_approved_have_nothing_to_be_changed_back(
    done: Job, cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    address = f"/clusters/prod/services/{swarm.services[0].id}/ports"
    assert "Nothing to change back" in text(as_author.get(address))
    assert "Nothing to change back" in text(as_author.post(address, {"reason": "Just so."}))
    assert ChangeRequest.objects.count() == 1
    assert as_author.get("/clusters/prod/services/none/ports").status_code == 404


def test_ports_that_another_service_has_taken_are_not_asked_for(
    done: Job, cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    thief = make_service("thief", published=(8443,))
    address = other_ports(cluster, replace(swarm, services=(*swarm.services, thief)), make_port(8001))
    page = as_author.get(address)
    assert "thief publishes 8443/tcp now" in text(page)
    assert "Ask for approval" not in text(page)
    as_author.post(address, {"reason": "All the same."})
    assert ChangeRequest.objects.count() == 1


def test_a_reader_proposes_no_ports(done: Job, cluster: Cluster, swarm: Swarm, as_reader: Client) -> None:
    address = other_ports(cluster, swarm, make_port(8001))
    assert as_reader.get(address).status_code == as_reader.post(address, {"reason": "x"}).status_code == 403


def test_networks_from_before_are_recorded_once_and_watched_from_then_on(
    cluster: Cluster, swarm: Swarm, as_author: Client
) -> None:
    page = as_author.get(DRIFT)
    assert "Never recorded 2 networks" in text(page)
    assert "Everything is as approved" in text(page)
    answer = as_author.post(f"{DRIFT}/record", {"digest": value(page, "digest")}, follow=True)
    assert "2 networks recorded. What changes from now on shows." in text(answer)
    assert Adoption.objects.count() == 2
    see(cluster, replace(swarm, networks=swarm.networks[:-1]))
    gone = text(as_author.get(DRIFT))
    assert "Network payments was removed outside" in gone
    assert "were there before" not in gone
    assert "was there before" not in gone
    assert "Every network is recorded or approved" in text(as_author.get(f"{DRIFT}?show=unrecorded"))


def test_a_stale_page_records_nothing(cluster: Cluster, as_author: Client) -> None:
    assert "Read it anew" in text(as_author.post(f"{DRIFT}/record", {"digest": "old"}, follow=True))
    assert not Adoption.objects.exists()


def test_a_network_made_outside_shows_with_its_settings(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    new = make_network("sneaky", "10.7.0.0/24", created_at=timezone.now() + timedelta(seconds=1))
    see(cluster, replace(swarm, networks=(*swarm.networks, new)))
    page = text(as_author.get(DRIFT))
    assert "Network sneaky was made outside" in page
    assert "10.7.0.0/24 gateway 10.7.0.1" in page
    assert "Nobody approved it." in page


def test_a_network_whose_creation_came_after_the_end_of_its_job_names_the_job(
    cluster: Cluster, swarm: Swarm, done: Job, as_author: Client
) -> None:
    later = timezone.now() + timedelta(seconds=1)
    ours = make_network("late", "10.7.0.0/24", created_at=later, labels=((JOB_LABEL, f"{done.pk}-1"),))
    strange = make_network("copied", "10.8.0.0/24", created_at=later, labels=((JOB_LABEL, f"{done.pk + 1}-1"),))
    see(cluster, replace(swarm, networks=(*swarm.networks, ours, strange)))
    page = text(as_author.get(DRIFT))
    assert f"Network late was made too late Job {done.pk} ended without it" in page
    assert "Network copied was made outside Nobody approved it." in page


def test_while_a_job_runs_nothing_is_compared(done: Job, as_author: Client) -> None:
    Job.objects.update(status=JobStatus.RUNNING)
    page = text(as_author.get(DRIFT))
    assert "A job changes the cluster" in page
    assert "was changed outside" not in page


def test_a_cluster_that_was_never_seen_says_so(cluster: Cluster, as_author: Client) -> None:
    forget_seen(cluster)
    assert "Not looked at yet" in text(as_author.get(DRIFT))
    assert drifts.report(cluster=Cluster.objects.get()) is None


def test_many_drifts_are_paged(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    soon = timezone.now() + timedelta(seconds=1)
    many = [make_network(f"n{k}", f"10.{k}.0.0/24", created_at=soon) for k in range(1, 121)]
    see(cluster, replace(swarm, networks=(*swarm.networks, *many)))
    page = as_author.get(DRIFT).content.decode()
    assert len(re.findall(r"was made outside", page)) == 50
    assert "1 to 50 of 120" in page


@pytest.fixture
def mixed(cluster: Cluster, swarm: Swarm, as_author: Client) -> Cluster:
    """Of two recorded networks one was changed and one removed; one was made outside; 118 were never recorded."""
    old = [make_network(f"old{k:03}", f"10.30.{k}.0/24") for k in range(118)]
    page = as_author.get(DRIFT)
    as_author.post(f"{DRIFT}/record", {"digest": value(page, "digest")})
    made = make_network("sneaky", "10.7.0.0/24", created_at=timezone.now() + timedelta(seconds=1))
    kept = {network.name: network for network in swarm.networks if network.name != "payments"}
    kept["backend"] = replace(kept["backend"], mtu="1300")
    see(cluster, replace(swarm, networks=(*kept.values(), made, *old)))
    return cluster


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["backend was changed", "payments was removed", "sneaky was made"]),
        ("?show=changed", ["backend was changed"]),
        ("?show=removed", ["payments was removed"]),
        ("?show=made", ["sneaky was made"]),
        ("?q=1300", ["backend was changed"]),
        ("?q=10.7.0+network", ["sneaky was made"]),
        ("?q=sneaky&show=removed", []),
    ],
)
def test_what_differs_is_filtered(query: str, titles: list[str], mixed: Cluster, as_reader: Client) -> None:
    page = as_reader.get(f"{DRIFT}{query}")
    assert re.findall(r"Network (\w+ was \w+) outside", text(page)) == titles
    assert ("Nothing fits" in text(page)) is not bool(titles)


def test_networks_that_were_never_recorded_are_paged_and_filtered(mixed: Cluster, as_reader: Client) -> None:
    assert "118 networks" in text(as_reader.get(DRIFT))
    assert "old000" not in text(as_reader.get(DRIFT))
    page = text(as_reader.get(f"{DRIFT}?show=unrecorded&page=2"))
    assert "51 to 100 of 118" in page
    assert ("old049" in page, "old050" in page, "old099" in page, "old100" in page) == (False, True, True, False)
    fragment = as_reader.get(f"{DRIFT}?show=unrecorded&q=10.30.7.", headers={"HX-Request": "true"})
    assert "<html" not in fragment.content.decode()
    assert "old007" in text(fragment)
    assert "1 network found" in text(fragment)


@pytest.mark.parametrize("query", ["", "?show=unrecorded&q=old&page=2"])
def test_a_page_of_drift_asks_the_database_little(query: str, mixed: Cluster, as_administrator: Client) -> None:
    as_administrator.get(DRIFT + query)  # the session remembers the cluster, and the report is worked out
    with CaptureQueriesContext(connection) as asked:
        as_administrator.get(DRIFT + query)
    assert len(asked) <= MOST_QUERIES


def test_a_changed_network_is_replaced_by_what_was_approved(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    page = as_author.get(DRIFT)
    as_author.post(f"{DRIFT}/record", {"digest": value(page, "digest")})
    *others, payments = swarm.networks
    see(cluster, replace(swarm, networks=(*others, replace(payments, mtu="1300", id="made-anew"))))
    page = as_author.get(DRIFT)
    assert "MTU unset as approved 1300 as found" in text(page)
    link = re.search(r'href="([^"]*/replace\?back=payments)"', page.content.decode())
    assert link is not None
    form = as_author.get(link[1])
    assert value(form, "mtu") == ""
    assert value(as_author.get(link[1].partition("?")[0]), "mtu") == "1300"


STACK = ((STACK_LABEL, "shop"),)


@pytest.fixture
def of_stack(cluster: Cluster, swarm: Swarm, as_author: Client) -> Swarm:
    """The Swarm with the overlay ``payments`` of the stack ``shop``, which somebody has recorded as it was found."""
    *others, payments = swarm.networks
    found = replace(swarm, networks=(*others, replace(payments, labels=STACK)))
    see(cluster, found)
    page = as_author.get(DRIFT)
    as_author.post(f"{DRIFT}/record", {"digest": value(page, "digest")})
    return found


def test_a_network_of_a_stack_that_was_removed_outside_is_made_again_with_its_label(
    of_stack: Swarm, cluster: Cluster, as_author: Client
) -> None:
    see(cluster, replace(of_stack, networks=of_stack.networks[:-1]))
    assert 'href="/clusters/prod/networks/new?back=payments"' in as_author.get(DRIFT).content.decode()
    form = as_author.get("/clusters/prod/networks/new?back=payments")
    assert "to mend" not in text(form)
    assert f"{STACK_LABEL}=shop</textarea>" in form.content.decode()
    change = asked_for(as_author, "/clusters/prod/networks/new", form)
    assert CreatePlan.of(change.plan_record.plan()).after.labels == STACK
    assert changes.recheck(change=change).holds


def test_a_network_of_a_stack_that_lost_its_label_is_given_it_back(
    of_stack: Swarm, cluster: Cluster, as_author: Client
) -> None:
    *others, payments = of_stack.networks
    see(cluster, replace(of_stack, networks=(*others, replace(payments, labels=(), id="made-anew"))))
    path = "/clusters/prod/networks/made-anew/replace"
    change = asked_for(as_author, path, as_author.get(f"{path}?back=payments"))
    assert ReplacePlan.of(change.plan_record.plan()).after.labels == STACK
    assert changes.recheck(change=change).holds


@pytest.mark.parametrize("typed", [{"name": "other"}, {"labels": f"{STACK_LABEL}=office"}])
def test_reserved_labels_that_nobody_approved_are_refused(
    typed: dict[str, str], of_stack: Swarm, cluster: Cluster, as_author: Client
) -> None:
    see(cluster, replace(of_stack, networks=of_stack.networks[:-1]))
    sent = {"name": "payments", "labels": f"{STACK_LABEL}=shop", "reason": "Mine.", **typed}
    answer = as_author.post("/clusters/prod/networks/new", sent)
    assert f"The label {STACK_LABEL} is in a name space" in beside(answer, "verdict-labels")
    assert not ChangeRequest.objects.exists()


def asked_for(client: Client, path: str, form: Any, **typed: str) -> ChangeRequest:
    """The change that the form asks for as it stands, with a reason."""
    answer = client.post(path, {**form.context["draft"].form.data, "reason": "As it was.", **typed})
    assert answer.status_code == 302, text(answer)
    return ChangeRequest.objects.get()


def test_news_between_two_looks_show_at_once(cluster: Cluster, swarm: Swarm, as_author: Client) -> None:
    assert "The network made_outside" not in text(as_author.get(DRIFT))
    now = timezone.now()
    found = replace(make_network("made_outside", "10.61.0.0/24"), created_at=now)
    seen = replace(swarm, networks=(*swarm.networks, found), observed_at=cluster.observed_at or now)
    cluster.observation, cluster.news_at = codec.dump(seen), now
    cluster.save()
    assert "made_outside" in text(as_author.get(DRIFT))
