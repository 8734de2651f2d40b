"""Real engines become part of a Swarm by jobs: made, joined, after a worker's death, a lost answer, and strangers."""

import signal
from collections.abc import Iterator

import pytest
from django.utils import timezone

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.membership import ROLES, InitRequest, JoinRequest, joined
from overlayweb.domain.readiness import Membership
from overlayweb.engine import connection
from overlayweb.engine.endpoints import Endpoint
from overlayweb.engine.membership import Members
from overlayweb.models import Cluster, Job
from overlayweb.services import jobs
from tests.lab.daemon import Node
from tests.lab.swarm import Lab
from tests.workflows import membership_ground as grounds
from tests.workflows.membership_ground import AnswerLost, Ground, run, seen, succeeded, told
from tests.workflows.rig import Worker, assert_story

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def engines(lab: Lab) -> Iterator[Lab]:
    """Two engines of the lab are outside any Swarm; the first one stays in its own."""
    lab.reset()
    for node in lab.nodes[1:]:
        node.cli("swarm", "leave", "--force")
    yield lab
    lab.reset()


@pytest.fixture
def ground(transactional_db: None) -> Ground:
    return grounds.lay()


@pytest.fixture
def prod(ground: Ground, engines: Lab) -> Cluster:
    """The first engine, whose Swarm has no other node."""
    return ground.registered("prod", engines.manager.socket)


@pytest.fixture
def new(ground: Ground, engines: Lab) -> Cluster:
    return ground.registered("new", engines.nodes[1].socket)


@pytest.fixture
def spare(ground: Ground, engines: Lab) -> Cluster:
    return ground.registered("spare", engines.nodes[2].socket)


@pytest.fixture(autouse=True)
def _outside(engines: Lab) -> Iterator[None]:
    yield
    manager = engines.manager
    others = [row for row in manager.request("GET", "/nodes") if row["Description"]["Hostname"] != manager.name]
    for row in others:
        manager.cli("node", "demote", row["ID"])  # one of two managers that leaves takes the majority with it
    for node in engines.nodes[1:]:
        if node.request("GET", "/info")["Swarm"]["LocalNodeState"] != "inactive":
            node.cli("swarm", "leave", "--force")
    for row in others:
        manager.cli("node", "rm", "--force", row["ID"])


def how(manager: Node, node: Node, role: str = "worker") -> JoinRequest:
    return JoinRequest(role=role, remote=joined(manager.address), advertise=node.address)


def tokens(node: Node) -> list[str]:
    with connection.connect(Endpoint(url=node.socket)) as engine:
        return [Members(engine.calls).token(role) for role in ROLES]


def killed_after(job: Job, call: str) -> Job:
    """A worker dies between the engine's answer and writing it down; its lease runs out; another one goes on."""
    worker = Worker(job, f"call:{call}:1")
    try:
        assert worker.wait() == -signal.SIGKILL
    finally:
        worker.end()
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
    return run(job)


def nodes_of(cluster: Cluster) -> set[tuple[str, str, bool]]:
    return {(node.hostname, node.role, node.ready) for node in seen(cluster).nodes}


def test_a_swarm_is_made_and_an_engine_joins_it_though_workers_die(
    ground: Ground, engines: Lab, new: Cluster, spare: Cluster
) -> None:
    first, second = engines.nodes[1:]
    request = InitRequest(advertise=first.address, pools=("10.77.0.0/25",), size=26, data_path_port=7789)
    job = killed_after(ground.init(new, request), "initialise")
    assert succeeded(job)
    assert_story(job)
    made = seen(new)
    assert (made.default_addr_pools, made.subnet_size, made.data_path_port) == (("10.77.0.0/25",), 26, 7789)

    job = killed_after(ground.join(ground.looked(new), spare, how(first, second)), "join")
    assert succeeded(job)
    assert_story(job)
    assert nodes_of(new) == {(first.name, "manager", True), (second.name, "worker", True)}
    assert seen(new).id == made.id
    assert not [token for token in tokens(first) if token in told(job)]


def test_an_engine_joins_as_manager_though_the_answer_is_lost(
    ground: Ground, engines: Lab, prod: Cluster, spare: Cluster
) -> None:
    lost = AnswerLost("join")
    job = run(ground.join(prod, spare, how(engines.manager, engines.nodes[2], "manager")), wrap=lost)
    assert (succeeded(job), lost.calls) == (True, 1)
    assert nodes_of(prod) == {(engines.manager.name, "manager", True), (engines.nodes[2].name, "manager", True)}
    assert seen(spare).id == seen(prod).id
    assert not [token for token in tokens(engines.manager) if token in told(job)]


def test_an_engine_that_is_in_another_swarm_by_then_is_a_persons(
    ground: Ground, engines: Lab, prod: Cluster, spare: Cluster
) -> None:
    other, outside = engines.nodes[1:]
    other.cli("swarm", "init", "--advertise-addr", other.address)

    def join_the_other() -> None:
        token = tokens(other)[0]
        outside.cli("swarm", "join", "--token", token, "--advertise-addr", outside.address, joined(other.address))

    job = ground.join(prod, spare, how(engines.manager, outside))
    join_the_other()
    run(job)
    assert (job.status, job.point_passed) == (JobStatus.FAILED, False)
    assert "Engine spare is part of a Swarm now." in job.outcome

    outside.cli("swarm", "leave")
    job = ground.join(prod, ground.looked(spare), how(engines.manager, outside))
    run(job, wrap=AnswerLost("join", instead=join_the_other))
    assert job.status == JobStatus.NEEDS_OPERATOR
    found = " ".join(job.attention)
    assert f"a worker of a Swarm with the managers {joined(other.address)}" in found
    assert "is none that is listed here" in found
    outside.cli("swarm", "leave")
    jobs.resume(job=job, person=ground.author, now=timezone.now())
    assert succeeded(run(job))
    assert (outside.name, "worker", True) in nodes_of(prod)


def test_an_engine_that_reaches_no_manager_fails_and_stays_outside(
    ground: Ground, engines: Lab, prod: Cluster, spare: Cluster
) -> None:
    outside = engines.nodes[2]
    nobody = JoinRequest(role="worker", remote=f"{engines.manager.address}:2999", advertise=outside.address)
    job = run(ground.join(prod, spare, nobody))
    assert (job.status, job.point_passed) == (JobStatus.FAILED, False)
    assert "Nothing had been changed" in job.outcome
    assert not [token for token in tokens(engines.manager) if token in told(job)]
    assert ground.looked(spare).readiness.check_of().engine.membership is Membership.NONE  # type: ignore[union-attr]
