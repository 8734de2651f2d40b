"""The cast: Ana asks, Ben approves (reviewer), Clara administers, Rui reads (reader); a visitor is signed out."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from overlayweb.domain.policy import ApprovalMode, Role
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Account, ChangeRequest, Cluster, Installation, codec
from overlayweb.services import changes
from tests.domain.builders import make_ingress, make_network, make_node, make_request, make_service, make_swarm

PASSWORD = "a quiet long word"


@pytest.fixture
def installation(db: None) -> Installation:
    """Two people: one asks, another one approves."""
    return Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=timezone.now())


@pytest.fixture
def author(installation: Installation) -> User:
    return User.objects.create_user("ana", password=PASSWORD, first_name="Ana Author")


@pytest.fixture
def reviewer(installation: Installation) -> User:
    return User.objects.create_user("ben", password=PASSWORD, first_name="Ben Reviewer")


@pytest.fixture
def administrator(installation: Installation) -> User:
    person = User.objects.create_user("clara", password=PASSWORD, first_name="Clara Admin")
    Account.objects.create(person=person, role=Role.ADMIN)
    return person


@pytest.fixture
def reader(installation: Installation) -> User:
    person = User.objects.create_user("rui", password=PASSWORD, first_name="Rui Reader")
    Account.objects.create(person=person, role=Role.READER)
    return person


@pytest.fixture
def as_author(author: User) -> Client:
    return _signed_in(author)


@pytest.fixture
def as_reviewer(reviewer: User) -> Client:
    return _signed_in(reviewer)


@pytest.fixture
def as_administrator(administrator: User) -> Client:
    return _signed_in(administrator)


@pytest.fixture
def as_reader(reader: User) -> Client:
    return _signed_in(reader)


@pytest.fixture
def visitor(installation: Installation) -> Client:
    return Client()


@pytest.fixture
def swarm() -> Swarm:
    """Three nodes; shop_web and wiki publish through the ingress, shop_worker does not."""
    return make_swarm(
        services=[
            make_service("shop_web", published=(8001, 8443), network_ids=("id-backend",)),
            make_service("wiki", published=(8081,), replicas=1),
            make_service("shop_worker", published=(), network_ids=("id-backend",)),
        ],
        networks=[make_network("backend", "10.0.9.0/24"), make_network("payments", "10.9.1.0/24")],
        ingress=make_ingress(peers=("192.168.50.11", "192.168.50.12", "192.168.50.13")),
    )


@pytest.fixture
def cluster(db: None, swarm: Swarm) -> Cluster:
    """A cluster that was looked at a moment ago."""
    now = timezone.now()
    return Cluster.objects.create(
        name="prod", endpoint="tcp://10.2.0.11:2376", created_at=now, observation=codec.dump(swarm), observed_at=now
    )


@pytest.fixture
def wide(cluster: Cluster, swarm: Swarm) -> Cluster:
    """Three managers and 1,197 workers, 1,500 encrypted overlays of a larger MTU than engines are known to have."""
    nodes = [make_node(f"node{n:04}", address=f"10.{n >> 8}.{n & 255}.1", leader=n == 0) for n in range(1200)]
    roles = [replace(node, role="manager" if n < 3 else "worker") for n, node in enumerate(nodes)]
    blocks = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(1500)]
    networks = [make_network(f"net{n:04}", block, encrypted=True, mtu="9000") for n, block in enumerate(blocks)]
    many = replace(swarm, nodes=tuple(roles), networks=tuple(networks))
    Cluster.objects.filter(pk=cluster.pk).update(observation=codec.dump(many))
    return cluster


@pytest.fixture
def change(cluster: Cluster, author: User) -> ChangeRequest:
    """Ana's pending change: another subnet."""
    return changes.submit(
        cluster=cluster,
        request=make_request("10.11.0.0/16", mtu=1450),
        author=author,
        reason="The VPN took 10.0.0.0/24.",
        now=timezone.now(),
    )


def _signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client
