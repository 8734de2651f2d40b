"""The change page: what a reviewer decides by, and what becomes of the decision."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Account, Approval, ChangeRequest, Cluster, Job, codec
from overlayweb.services import installation
from tests.domain.builders import make_service
from tests.web.pages import beside, text, value
from tests.web.test_ingress import TYPED, see


def page_of(change: ChangeRequest, client: Client) -> str:
    return text(client.get(f"/changes/{change.pk}/"))


def approve(change: ChangeRequest, client: Client, **typed: str) -> object:
    return client.post(
        f"/changes/{change.pk}/approve", {"plan_sha256": change.plan_record.sha256, "reason": "", **typed}
    )


def move_on(change: ChangeRequest, swarm: Swarm) -> None:
    """Somebody scales shop_web, which the plan depends on."""
    scaled = make_service("shop_web", published=(8001, 8443), replicas=7, network_ids=("id-backend",))
    see(change.cluster, replace(swarm, services=(scaled, *swarm.services[1:])))


def test_the_reviewer_sees_all_that_decides(change: ChangeRequest, as_reviewer: Client) -> None:
    page = page_of(change, as_reviewer)
    for words in (
        "Ana Author",
        "The VPN took 10.0.0.0/24.",
        change.plan_record.sha256[:7],
        "Waits for approval",
        "10.0.0.0/24 10.11.0.0/16",
        "unset 1450",
        "shop_web",
        "Containers stop",
        "Swarm lets go",
        "its ports are dark",
        "1 service publishes nothing through the ingress and keeps running.",
        "Point of no return",
        "docker network create",
        "Approve plan",
        "Reject change",
    ):
        assert words in page
    assert "solo" not in page.lower()


def test_the_author_sees_why_she_cannot_approve(change: ChangeRequest, as_author: Client) -> None:
    decision = beside(as_author.get(f"/changes/{change.pk}/"), "decision")
    assert "You asked for this change; somebody else has to approve it." in decision
    assert "Approve plan" not in decision
    assert "Withdraw change" in decision
    answer = approve(change, as_author)
    assert "somebody else has to approve it" in text(answer)
    assert not Job.objects.exists()


def test_where_nobody_else_may_approve_it_says_what_to_do(
    change: ChangeRequest, as_author: Client, reviewer: User
) -> None:
    words = "No other account may."
    assert words not in page_of(change, as_author)
    Account.objects.update_or_create(person=change.author, defaults={"role": Role.ADMIN})
    Account.objects.update_or_create(person=reviewer, defaults={"role": Role.READER})
    assert f"{words} Invite somebody ." in page_of(change, as_author)
    Account.objects.filter(person=change.author).update(role=Role.MEMBER)
    assert f"{words} An administrator invites somebody." in page_of(change, as_author)
    installation.set_approval_mode(mode=ApprovalMode.SOLO)
    assert words not in page_of(change, as_author)


def test_approving_queues_the_job_and_leads_to_it(
    change: ChangeRequest, as_reviewer: Client, as_author: Client
) -> None:
    answer = as_reviewer.post(
        f"/changes/{change.pk}/approve", {"plan_sha256": change.plan_record.sha256, "reason": "Tuesday is calm."}
    )
    job = Job.objects.get()
    assert answer.headers["Location"] == f"/jobs/{job.pk}/"
    assert job.plan_sha256 == change.plan_record.sha256
    decision = beside(as_author.get(f"/changes/{change.pk}/"), "decision")
    for words in ("Approved by Ben Reviewer", "Tuesday is calm.", f"See job {job.pk}"):
        assert words in decision


def test_another_plan_than_the_one_read_is_not_approved(change: ChangeRequest, as_reviewer: Client) -> None:
    answer = approve(change, as_reviewer, plan_sha256="0" * 64, reason="Read it.")
    assert getattr(answer, "status_code", 0) == 409
    assert "is not the plan of the change any more" in text(answer)
    assert "Read it." in beside(answer, "decision")
    assert not Job.objects.exists()


def test_rejecting_needs_a_reason(change: ChangeRequest, as_reviewer: Client) -> None:
    typed = {"plan_sha256": change.plan_record.sha256, "reason": " "}
    answer = as_reviewer.post(f"/changes/{change.pk}/reject", typed)
    assert answer.status_code == 422
    assert "Say why" in beside(answer, "decision")
    as_reviewer.post(f"/changes/{change.pk}/reject", {**typed, "reason": "Take 10.12."})
    decision = beside(as_reviewer.get(f"/changes/{change.pk}/"), "decision")
    assert "Rejected by Ben Reviewer" in decision
    assert "Take 10.12." in decision
    assert not Approval.objects.get().approved


def test_in_solo_mode_the_author_approves_and_the_page_says_so(change: ChangeRequest, as_author: Client) -> None:
    installation.set_approval_mode(mode=ApprovalMode.SOLO)
    page = page_of(change, as_author)
    assert "solo mode" in page
    assert "Solo mode: you approve your own change." in page
    approve(change, as_author)
    assert Job.objects.count() == 1
    assert "Approved by its author: solo mode." in page_of(change, as_author)


def test_drift_is_said_before_anybody_approves(
    change: ChangeRequest, swarm: Swarm, as_reviewer: Client, as_author: Client
) -> None:
    move_on(change, swarm)
    page = page_of(change, as_reviewer)
    assert "The cluster changed since this plan was made" in page
    assert "Service shop_web has been changed" in page
    assert "Approve plan" not in page
    answer = approve(change, as_reviewer)
    assert "Not approved. The cluster changed since the plan was made." in text(answer)
    change.refresh_from_db()
    assert change.status == "stale"
    assert "Plan again" in page_of(change, as_author)


def test_an_old_look_at_the_cluster_approves_nothing(change: ChangeRequest, as_reviewer: Client) -> None:
    Cluster.objects.update(observed_at=timezone.now() - timedelta(minutes=5))
    answer = approve(change, as_reviewer)
    assert "The last look at the cluster is too old." in text(answer)
    assert not Job.objects.exists()


def test_only_the_author_withdraws(change: ChangeRequest, as_reviewer: Client, as_author: Client) -> None:
    assert as_reviewer.post(f"/changes/{change.pk}/withdraw").status_code == 404
    as_author.post(f"/changes/{change.pk}/withdraw")
    change.refresh_from_db()
    assert change.status == "withdrawn"


def test_planning_again_begins_with_what_was_asked_and_replaces_it(change: ChangeRequest, as_author: Client) -> None:
    again = f"/changes/{change.pk}/again"
    page = as_author.get(again)
    assert (value(page, "subnet"), value(page, "mtu")) == ("10.11.0.0/16", "1450")
    assert f'action="{again}"' in page.content.decode()
    as_author.post(again, {**TYPED, "subnet": "10.12.0.0/16", "reason": "Better."})
    newer = ChangeRequest.objects.get(replaces=change)
    change.refresh_from_db()
    assert (newer.status, change.status) == ("pending", "withdrawn")
    assert f"Planned again as change {newer.pk}." in page_of(change, as_author)


def test_planning_anothers_pending_change_again_leaves_it_pending(change: ChangeRequest, as_reviewer: Client) -> None:
    as_reviewer.post(f"/changes/{change.pk}/again", {**TYPED, "subnet": "10.12.0.0/16", "reason": "Mine."})
    change.refresh_from_db()
    assert change.status == "pending"
    assert ChangeRequest.objects.count() == 2


@pytest.mark.parametrize("act", ["approve", "reject", "withdraw"])
def test_what_is_decided_stays_decided(act: str, change: ChangeRequest, author: User, as_author: Client) -> None:
    installation.set_approval_mode(mode=ApprovalMode.SOLO)
    as_author.post(f"/changes/{change.pk}/withdraw")
    as_author.post(f"/changes/{change.pk}/{act}", {"plan_sha256": change.plan_record.sha256, "reason": "Late."})
    change.refresh_from_db()
    assert change.status == "withdrawn"
    assert not Job.objects.exists()


def test_a_plan_is_shown_as_it_was_even_when_the_cluster_is_gone(change: ChangeRequest, as_reviewer: Client) -> None:
    see(change.cluster, None, error="The engine does not answer.")
    page = page_of(change, as_reviewer)
    assert "shop_web" in page
    assert codec.dump(change.plan_record.plan()) == change.plan_record.document
