"""Making a Swarm of a simulated engine: to its end, after lost answers, refused, beside what others do."""

from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from django.utils import timezone

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.membership import InitRequest
from overlayweb.engine import connection
from overlayweb.engine.endpoints import Endpoint
from overlayweb.engine.errors import NotAManager
from overlayweb.engine.membership import Members
from overlayweb.models import Cluster, Job
from overlayweb.services import jobs
from tests.support.simulator import Simulated, simulated
from tests.workflows import membership_ground as grounds
from tests.workflows.membership_ground import AnswerLost, Ground, Meanwhile, run, seen, succeeded
from tests.workflows.rig import assert_story

REQUEST = InitRequest(advertise="192.168.60.11", pools=("10.77.0.0/16",))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    with simulated(tmp_path_factory.mktemp("out") / "engine.sock", nodes=0, speed=20.0) as running:
        yield running


@pytest.fixture
def ground(transactional_db: None) -> Ground:
    return grounds.lay()


@pytest.fixture
def cluster(ground: Ground, engine: Simulated) -> Iterator[Cluster]:
    yield ground.registered("new", engine.socket)
    leave(engine)


def leave(engine: Simulated) -> None:
    """Out of whatever Swarm it is in."""
    with connection.connect(Endpoint(url=engine.socket)) as asked, suppress(NotAManager):
        asked.calls.post("swarm", "leave", body="", doing="leave", force="true")


def by_hand(engine: Simulated, request: InitRequest) -> None:
    """Somebody else makes a Swarm."""
    with closing(Members(connection.connect(Endpoint(url=engine.socket)).calls)) as member:
        member.initialise(request)


def test_a_swarm_is_made_with_the_pool_that_was_asked_for(ground: Ground, cluster: Cluster) -> None:
    """A pool alone: an engine that is told no size with it makes a Swarm that allocates nothing, ever."""
    job = run(ground.init(cluster, REQUEST))
    assert succeeded(job)
    assert job.outcome == "node1 is the first manager of a new Swarm"
    assert_story(job)
    found = seen(cluster)
    assert [(node.hostname, node.role, node.ready) for node in found.nodes] == [("node1", "manager", True)]
    assert (found.default_addr_pools, found.subnet_size) == (("10.77.0.0/16",), 24)
    assert [row.ipam[0].subnet for row in found.networks if row.ingress] == ["10.77.0.0/24"]


def test_a_lost_answer_makes_no_second_swarm(ground: Ground, cluster: Cluster) -> None:
    lost = AnswerLost("initialise")
    assert succeeded(run(ground.init(cluster, REQUEST), wrap=lost))
    assert lost.calls == 1


def test_a_call_that_never_arrived_is_made_again(ground: Ground, cluster: Cluster) -> None:
    lost = AnswerLost("initialise", instead=lambda: None)
    assert succeeded(run(ground.init(cluster, REQUEST), wrap=lost))
    assert lost.calls == 2


def test_a_swarm_that_somebody_else_made_before_the_job_voids_it(
    ground: Ground, cluster: Cluster, engine: Simulated
) -> None:
    job = ground.init(cluster, REQUEST)
    by_hand(engine, REQUEST)
    run(job)
    assert job.status == JobStatus.FAILED
    assert "Engine new is part of a Swarm now." in job.outcome
    assert "Nothing had been changed" in job.outcome
    job.change.refresh_from_db()
    assert job.change.status == "stale"


def test_a_strange_swarm_is_a_persons_and_the_job_goes_on_when_it_is_gone(
    ground: Ground, cluster: Cluster, engine: Simulated
) -> None:
    other = InitRequest(advertise="192.168.60.12", pools=("10.99.0.0/16",), size=27)
    job = run(ground.init(cluster, REQUEST), wrap=AnswerLost("initialise", instead=lambda: by_hand(engine, other)))
    assert job.status == JobStatus.NEEDS_OPERATOR
    found = " ".join(job.attention)
    assert "its pools are 10.99.0.0/16, not 10.77.0.0/16" in found
    assert "the size of its networks is /27, not /24" in found
    assert "its address is 192.168.60.12, not 192.168.60.11" in found
    assert "`docker swarm leave --force` on node1" in found
    leave(engine)
    jobs.resume(job=job, person=ground.author, now=timezone.now())
    assert succeeded(run(job))
    assert seen(cluster).default_addr_pools == ("10.77.0.0/16",)


def test_a_swarm_from_before_the_intent_is_not_taken_for_the_jobs_own(
    ground: Ground, cluster: Cluster, engine: Simulated
) -> None:
    """Made while the job was between its look and its call, with the very settings: only its age tells."""
    job = run(ground.init(cluster, REQUEST), wrap=Meanwhile("clock", lambda: by_hand(engine, REQUEST)))
    assert job.status == JobStatus.NEEDS_OPERATOR
    assert "before the job asked for one" in " ".join(job.attention)


def test_what_the_engine_refuses_fails_and_changes_nothing(ground: Ground, cluster: Cluster) -> None:
    """Only the engine knows its interfaces."""
    job = run(ground.init(cluster, InitRequest(advertise="nope0")))
    assert job.status == JobStatus.FAILED
    assert "advertise address must be a non-zero IP address or network interface" in job.outcome
    assert "Nothing had been changed" in job.outcome
    assert not job.point_passed


def test_a_job_is_cancelled_before_the_call_and_not_after_it(ground: Ground, cluster: Cluster) -> None:
    job = ground.init(cluster, REQUEST)
    Job.objects.filter(pk=job.pk).update(desired_state="cancel")
    run(job)
    assert (job.status, job.steps.filter(name="initialise", started_at=None).exists()) == (JobStatus.CANCELLED, True)
    lost = AnswerLost("initialise")
    other = run(ground.init(ground.looked(cluster), REQUEST), wrap=lost)
    Job.objects.filter(pk=other.pk).update(status=JobStatus.RUNNING)
    other.refresh_from_db()
    with pytest.raises(jobs.NotPossibleError, match="point of no return"):
        jobs.cancel(job=other, person=ground.author, now=timezone.now())
