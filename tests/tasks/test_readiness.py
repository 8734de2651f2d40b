"""A worker measures what a Swarm needs, and carries out what administrators ask of its membership."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.readiness import Answer, Check, Membership
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ActionKind, Cluster, MembershipAction, ReadinessCheck, codec
from overlayweb.services import memberships, readiness
from tasks import jobs
from tasks import readiness as celery_tasks
from tests.support.simulator import Simulated, simulated


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    with simulated(tmp_path_factory.mktemp("swarm") / "engine.sock", nodes=3) as running:
        yield running


@pytest.fixture
def cluster(db: None, engines: Simulated) -> Cluster:
    """Seen once. Simulated nodes have no ports: a demo's are not tried."""
    made = Cluster.objects.create(name="prod", endpoint=engines.socket, created_at=timezone.now(), demo=True)
    jobs.observe_cluster(made.pk)
    made.refresh_from_db()
    return made


@pytest.fixture
def clara(db: None) -> User:
    return User.objects.create_user("clara")


def seen(cluster: Cluster) -> Swarm:
    found = cluster.swarm()
    assert found is not None
    return found


def checked(cluster: Cluster) -> Check:
    readiness.ask_check(cluster=cluster, now=timezone.now())
    celery_tasks.check_readiness(cluster.pk)
    found = ReadinessCheck.objects.get(cluster=cluster).check_of()
    assert found is not None
    return found


def asked(cluster: Cluster, person: User, *, role: str = "worker", kind: str = ActionKind.SHOW) -> MembershipAction:
    return MembershipAction.objects.create(
        cluster=cluster, person=person, kind=kind, role=role, asked_at=timezone.now()
    )


def carried_out(action: MembershipAction) -> MembershipAction:
    celery_tasks.act_on_membership(action.pk)
    action.refresh_from_db()
    return action


def shown(cluster: Cluster, person: User, *, role: str = "worker") -> str:
    carried_out(asked(cluster, person, role=role))
    return memberships.token_for(cluster=cluster, person=person, role=role, now=timezone.now())[0]


def test_a_check_tells_what_the_engines_are(cluster: Cluster, engines: Simulated) -> None:
    worker = sorted(engines.node_sockets)[1]
    cluster.node_endpoints.create(hostname=worker, endpoint=engines.node_sockets[worker])
    cluster.node_endpoints.create(hostname="away", endpoint="unix:///nowhere/docker.sock")
    found = checked(cluster)
    assert found.engine.membership is Membership.MANAGER
    assert found.engine.engine_version.startswith("28.5.2")
    assert found.engine.bridge is not None
    by_name = {view.hostname: view for view in found.others}
    assert by_name[worker].membership is Membership.WORKER
    assert by_name[worker].managers == (f"{seen(cluster).nodes[0].address}:2377",)
    assert "no socket" in by_name["away"].error
    assert {row.answer for row in found.ports} == {Answer.UNCHECKED}


def test_ports_of_nodes_are_tried(cluster: Cluster) -> None:
    """A listener of this machine stands for a node's 7946; nobody listens for 2377."""
    with socket.create_server(("127.0.0.1", 7946)):
        manager = replace(seen(cluster).nodes[0], address="127.0.0.1", role="manager")
        only = replace(seen(cluster), nodes=(manager,))
        newer = cluster.revision + 1
        Cluster.objects.filter(pk=cluster.pk).update(observation=codec.dump(only), revision=newer, demo=False)
        cluster.refresh_from_db()
        found = {row.port: row.answer for row in checked(cluster).ports}
    assert found == {7946: Answer.OPEN, 2377: Answer.REFUSED}


def test_an_engine_that_is_away_leaves_the_reason(cluster: Cluster) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(endpoint="unix:///nowhere/docker.sock")
    found = checked(cluster)
    assert "no socket" in found.engine.error
    standing = readiness.standing(cluster=Cluster.objects.get(pk=cluster.pk), now=timezone.now())
    assert standing.swarm is not None  # what was seen last stays


def test_a_worker_registered_as_a_cluster_says_that_it_is_one(db: None, engines: Simulated) -> None:
    worker = engines.node_sockets[sorted(engines.node_sockets)[1]]
    cluster = Cluster.objects.create(name="wrong", endpoint=worker, created_at=timezone.now())
    jobs.observe_cluster(cluster.pk)
    checked(cluster)
    cluster.refresh_from_db()
    standing = readiness.standing(cluster=cluster, now=timezone.now())
    assert "not a manager" in standing.error
    assert (standing.membership, standing.swarm) == (Membership.WORKER, None)
    assert standing.managers


def test_a_token_is_for_who_asked_and_for_a_while(cluster: Cluster, clara: User) -> None:
    action = carried_out(asked(cluster, clara))
    now = timezone.now()
    token, _ = memberships.token_for(cluster=cluster, person=clara, role="worker", now=now)
    assert token.startswith("SWMTKN-1-")
    assert token not in action.sealed
    assert memberships.token_for(cluster=cluster, person=User.objects.create_user("ana"), role="worker", now=now) == (
        "",
        None,
    )
    later = now + celery_tasks.SHOWN_FOR + timedelta(seconds=1)
    assert memberships.token_for(cluster=cluster, person=clara, role="worker", now=later) == ("", None)
    assert memberships.forget_tokens(now=later) == 1
    action.refresh_from_db()
    assert (action.sealed, action.error) == ("", "")
    assert action.ended_at is not None  # the trace stays


def test_rotating_makes_a_new_token_and_takes_the_shown_one_away(cluster: Cluster, clara: User) -> None:
    before, other = shown(cluster, clara), shown(cluster, clara, role="manager")
    action = carried_out(asked(cluster, clara, kind=ActionKind.ROTATE))
    assert (action.error, action.sealed) == ("", "")
    assert memberships.token_for(cluster=cluster, person=clara, role="worker", now=timezone.now())[0] == ""
    assert shown(cluster, clara) not in ("", before)
    assert shown(cluster, clara, role="manager") == other


def test_a_message_that_comes_twice_or_late_does_nothing(cluster: Cluster, clara: User) -> None:
    before = shown(cluster, clara)
    twice = carried_out(asked(cluster, clara, kind=ActionKind.ROTATE))
    after = shown(cluster, clara)
    assert after != before
    carried_out(twice)
    late = asked(cluster, clara, kind=ActionKind.ROTATE)
    MembershipAction.objects.filter(pk=late.pk).update(asked_at=timezone.now() - timedelta(minutes=2))
    assert carried_out(late).started_at is None
    assert shown(cluster, clara) == after


def test_what_an_engine_refuses_is_kept_in_its_words(db: None, engines: Simulated, clara: User) -> None:
    worker = engines.node_sockets[sorted(engines.node_sockets)[1]]
    wrong = Cluster.objects.create(name="wrong", endpoint=worker, created_at=timezone.now(), demo=True)
    done = carried_out(asked(wrong, clara, kind=ActionKind.ROTATE))
    assert "is not a manager of a Swarm" in done.error
    assert done.ended_at is not None


def test_a_message_from_before_there_were_changes_does_nothing(cluster: Cluster, clara: User) -> None:
    earlier = carried_out(asked(cluster, clara, kind=ActionKind.EARLIER))
    assert (earlier.started_at, earlier.ended_at) == (None, None)
