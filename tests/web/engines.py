"""What the engine of a cluster told when it was asked, for tests of pages."""

from django.utils import timezone

from overlayweb.domain.readiness import Check, EngineView, Membership, PortAnswer
from overlayweb.models import Cluster, ReadinessCheck, codec


def keep(cluster: Cluster, engine: EngineView, *ports: PortAnswer) -> None:
    check = Check(checked_at=timezone.now(), engine=engine, ports=ports)
    ReadinessCheck.objects.update_or_create(
        cluster=cluster,
        defaults={"asked_at": check.checked_at, "checked_at": check.checked_at, "result": codec.dump(check)},
    )


def outside(cluster: Cluster) -> None:
    """Its engine is in no Swarm, and was asked a moment ago."""
    Cluster.objects.filter(pk=cluster.pk).update(observation="", observed_at=None, error="It is not a manager.")
    keep(cluster, EngineView(hostname="fresh", membership=Membership.NONE))
