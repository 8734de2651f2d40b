"""A rig on a real Swarm for every test of this folder that asks for one."""

from collections.abc import Collection, Iterator

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.policy import ApprovalMode
from overlayweb.models import Cluster, Installation
from tests.lab.swarm import Lab
from tests.workflows.rig import FEW, Rig, create_quick_mix


@pytest.fixture
def services() -> Collection[str]:
    """The services of the quick mix that a test's Swarm runs, () for all. Files that need more than a few say so."""
    return FEW


@pytest.fixture
def rig(lab: Lab, transactional_db: None, services: Collection[str]) -> Iterator[Rig]:
    """The lab with its services, two people, and the cluster registered."""
    lab.reset()
    ids = create_quick_mix(lab, only=services)
    now = timezone.now()
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    rig = Rig(
        lab=lab,
        cluster=Cluster.objects.create(name="lab", endpoint=lab.manager.socket, created_at=now),
        author=User.objects.create_user("ana"),
        reviewer=User.objects.create_user("ben"),
        ids=ids,
    )
    yield rig
    for worker in rig.workers:
        worker.end()
