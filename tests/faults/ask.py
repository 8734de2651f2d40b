"""Ask for a rebuild and approve it, in an installation's own environment: ``python -m tests.faults.ask SUBNET``.

Waits until the cluster ``local`` has been seen; prints the id of the job.
"""

import sys
import time

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  # models of Django are ready only now
from django.utils import timezone  # noqa: E402

from overlayweb.domain.plans import IngressRequest, IngressSettings, Strategy  # noqa: E402
from overlayweb.domain.policy import ApprovalMode  # noqa: E402
from overlayweb.models import Cluster, Installation, Job  # noqa: E402
from overlayweb.services import approvals, changes  # noqa: E402

SEEN_WITHIN = 60.0


def seen() -> Cluster:
    """The cluster, once a worker has looked at it."""
    until = time.monotonic() + SEEN_WITHIN
    while time.monotonic() < until:
        cluster = Cluster.objects.filter(name="local", observed_at__isnull=False).first()
        if cluster is not None:
            return cluster
        time.sleep(0.2)
    raise TimeoutError("no worker has looked at the cluster")


def ask(subnet: str) -> Job:
    """One person asks, another approves."""
    now, cluster = timezone.now(), seen()
    Installation.objects.get_or_create(pk=1, defaults={"approval_mode": ApprovalMode.TWO_PEOPLE, "created_at": now})
    author, reviewer = (User.objects.get_or_create(username=name)[0] for name in ("ana", "ben"))
    swarm = cluster.swarm()
    assert swarm is not None
    request = IngressRequest(
        settings=IngressSettings(subnet=subnet, mtu=1450),
        strategies=tuple((service.id, Strategy.STOP) for service in swarm.published_services),
    )
    change = changes.submit(cluster=cluster, request=request, author=author, reason="Redis comes and goes", now=now)
    sha256 = change.plan_record.sha256
    return approvals.approve(change=change, person=reviewer, plan_sha256=sha256, reason="", now=timezone.now())


if __name__ == "__main__":
    sys.stdout.write(f"{ask(sys.argv[1]).pk}\n")
