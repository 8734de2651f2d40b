"""A cluster that was seen a moment ago, three people, and a change that waits for approval. No engine."""

from dataclasses import dataclass
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain.plans import IngressRequest, IngressSettings
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.swarm import Swarm
from overlayweb.models import ChangeRequest, Cluster, Installation, codec
from overlayweb.services import changes
from tests.domain.builders import make_swarm


@dataclass
class Cast:
    """Who and what a test of the services needs."""

    cluster: Cluster
    author: User
    reviewer: User
    other: User
    change: ChangeRequest
    now: datetime

    def seen(self, swarm: Swarm) -> None:
        """A worker looked and saw this."""
        Cluster.objects.filter(pk=self.cluster.pk).update(
            observation=codec.dump(swarm), observed_at=timezone.now(), error="", error_at=None
        )
        self.cluster.refresh_from_db()
        self.change.refresh_from_db()


@pytest.fixture
def cast(db: None) -> Cast:
    now = timezone.now()
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    cluster = Cluster.objects.create(name="prod", endpoint="unix:///nowhere.sock", created_at=now)
    Cluster.objects.filter(pk=cluster.pk).update(observation=codec.dump(make_swarm()), observed_at=now)
    cluster.refresh_from_db()
    author, reviewer, other = (User.objects.create_user(name) for name in ("ana", "ben", "eve"))
    request = IngressRequest(settings=IngressSettings(subnet="10.77.0.0/16", mtu=1450))
    change = changes.submit(cluster=cluster, request=request, author=author, reason="VPN", now=now)
    return Cast(cluster, author, reviewer, other, change, now)
