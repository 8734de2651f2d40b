"""The demo's past is real, its people are what they are said to be, and it goes without a trace on real clusters."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.demo import people, story
from overlayweb.domain.drift import What
from overlayweb.domain.lifecycle import ChangeStatus, JobStatus
from overlayweb.domain.policy import Role
from overlayweb.models import Account, ChangeRequest, Cluster, Event, Job, reserved_ranges
from overlayweb.services import demo, drifts, installation, jobs, roles
from tasks import observations
from tests.domain.builders import make_network, make_swarm
from tests.services.conftest import Cast

pytestmark = pytest.mark.slow


@pytest.fixture
def past(db: None) -> Cluster:
    """The demo's cluster with its story told."""
    now = timezone.now()
    cluster = demo.register(endpoint="unix:///nowhere/demo.sock", now=now)
    story.tell(cluster=cluster, cast=people.enrol(may_come_in=True, since=now - story.BEFORE), until=now)
    return cluster


@pytest.fixture
def administrator(db: None) -> User:
    person = User.objects.create_user("clara")
    Account.objects.create(person=person, role=Role.ADMIN)
    return person


def test_the_past_was_really_carried_out(past: Cluster) -> None:
    ended = Job.objects.order_by("created_at")
    assert [job.status for job in ended] == [JobStatus.SUCCEEDED, JobStatus.CANCELLED, JobStatus.FAILED]
    for job in ended:
        assert job.change.approvals.filter(plan_sha256=job.plan_sha256, approved=True).exists()
        assert job.finished_at is not None
        assert job.finished_at < timezone.now()
        seqs = Event.objects.filter(job=job).values_list("seq", flat=True)
        assert list(seqs) == list(range(1, job.last_seq + 1))
        assert all(row.state in {"running", "waiting"} for row in job.services.all())
    assert "The old ingress 10.20.0.0/24 is back" in ended[2].outcome
    assert ChangeRequest.objects.filter(status=ChangeStatus.REJECTED).count() == 1


def test_a_start_forgets_what_was_seen(past: Cluster) -> None:
    Cluster.objects.update(observation="{}", observed_at=timezone.now())
    again = demo.register(endpoint="unix:///elsewhere/demo.sock", now=timezone.now())
    assert again.pk == past.pk
    assert (again.observation, again.observed_at, again.endpoint) == ("", None, "unix:///elsewhere/demo.sock")


def test_what_the_next_start_begins_with_is_no_drift(db: None) -> None:
    first = timezone.now()
    demo.register(endpoint="unix:///nowhere/demo.sock", now=first)
    later = first + timedelta(hours=1)
    again = demo.register(endpoint="unix:///nowhere/demo.sock", now=later)
    networks = [make_network(f"at{s}", f"10.0.{50 + s}.0/24", created_at=later + timedelta(seconds=s)) for s in (-5, 5)]
    seen = make_swarm(networks=networks, observed_at=later + timedelta(seconds=9))
    assert observations.keep(cluster=again, swarm=seen)
    again.refresh_from_db()
    report = drifts.report(cluster=again)
    assert report
    assert [one.name for one in report.drifts if one.what is What.MADE] == ["at5"]


def test_the_demo_goes_without_a_trace_on_real_clusters(cast: Cast, past: Cluster, administrator: User) -> None:
    assert reserved_ranges(cast.cluster) == []
    assert [row.cidr for row in reserved_ranges(past)] == ["10.20.0.0/16"]
    ana = User.objects.get(username="demo-ana")
    token = installation.opening_link(person=ana, now=timezone.now()).rpartition("/")[2]
    installation.open_account(token=token, password="a long pass phrase", now=timezone.now())

    demo.remove(by=administrator)

    assert list(Cluster.objects.all()) == [cast.cluster]
    assert list(ChangeRequest.objects.all()) == [cast.change]
    assert set(User.objects.values_list("username", flat=True)) == {"ana", "ben", "eve", "clara", "demo-ana"}
    assert not Account.objects.filter(demo=True).exists()


def test_a_running_job_keeps_the_demo(past: Cluster, administrator: User) -> None:
    change = ChangeRequest.objects.filter(status=ChangeStatus.REJECTED).get()
    jobs.queue(change=change, approved_by=administrator, now=timezone.now())
    with pytest.raises(demo.BusyError):
        demo.remove(by=administrator)
    assert demo.cluster() == past


def test_only_administrators_remove_it(past: Cluster) -> None:
    with pytest.raises(roles.NotAllowedError):
        demo.remove(by=User.objects.get(username="demo-bruno"))


def test_people_of_the_demo_are_nobodys_accounts(past: Cluster) -> None:
    assert installation.first_setup_link()
    assert [row.role for row in people.invitations(now=timezone.now())] == ["admin", "member", "member", "reader"]
