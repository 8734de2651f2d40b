"""The list of changes: what waits for the reader first."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import Installation
from overlayweb.services import approvals
from tests.web import job_stories
from tests.web.test_history import withdrawn
from tests.web.test_job_page import text

pytestmark = pytest.mark.django_db


def sections(client: Client) -> dict[str, str]:
    """What stands under each heading, as a person reads it."""
    main = text(client.get("/changes/").content.decode()).partition(" Changes Waiting for you ")[2]
    mine, _, decided = main.partition(" Decided ")
    for_me, _, by_me = mine.partition(" Asked by you ")
    return {"for me": for_me, "by me": by_me, "decided": decided}


def test_what_others_asked_waits_for_me_and_mine_for_others(as_author: Client, as_reviewer: Client) -> None:
    shop = job_stories.cluster("shop")
    job_stories.change(shop, subnet="10.11.0.0/16", author="ana", reason="The VPN took it.")
    job_stories.change(shop, subnet="10.12.0.0/16", author="ben")
    ana, ben = sections(as_author), sections(as_reviewer)
    assert "10.12.0.0/16" in ana["for me"]
    assert "10.11.0.0/16" not in ana["for me"]
    assert "10.11.0.0/16" in ana["by me"]
    assert "10.11.0.0/16" in ben["for me"]
    assert "asked by Ana Author: The VPN took it." in ben["for me"]
    assert "10.12.0.0/16" in ben["by me"]


def test_solo_mode_offers_my_own(as_author: Client, installation: Installation) -> None:
    Installation.objects.update(approval_mode=ApprovalMode.SOLO)
    job_stories.change(job_stories.cluster("shop"), author="ana")
    seen = sections(as_author)
    assert "10.11.0.0/16" in seen["for me"]
    assert "you may approve your own" in seen["for me"]
    assert seen["by me"] == ""


def test_a_row_tells_the_impact(as_reviewer: Client) -> None:
    change = job_stories.change(job_stories.cluster("shop", 5), author="ana")
    plan = change.plan_record.plan()
    row = sections(as_reviewer)["for me"]
    assert f"shop 5 ~{plan.outage_seconds:.1f} s" in row


def test_decided_ones_say_where_they_stand(as_author: Client, reviewer: User) -> None:
    shop = job_stories.cluster("shop")
    job = job_stories.queued(shop, subnet="10.11.0.0/16")
    job_stories.recorded(job).begin()
    no = job_stories.change(shop, subnet="10.12.0.0/16")
    approvals.reject(change=no, person=reviewer, reason="", now=timezone.now())
    seen = sections(as_author)
    assert f"Running Job {job.pk}" in seen["decided"]
    assert "Rejected" in seen["decided"]
    assert "rejected by Ben Reviewer" in seen["decided"]
    assert "Nothing waits for your approval." in seen["for me"]


def test_an_empty_list_says_what_a_change_is(as_author: Client) -> None:
    assert "None has been asked for yet." in sections(as_author)["decided"]


def test_fifty_decided_ones_a_page(as_author: Client) -> None:
    withdrawn(job_stories.change(job_stories.cluster("shop", 1)), 69)
    assert "1 to 50 of 70" in sections(as_author)["decided"]
    assert "51 to 70 of 70" in text(as_author.get("/changes/?page=2").content.decode())
