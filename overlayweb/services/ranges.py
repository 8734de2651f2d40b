"""The registry of address ranges that no network may take."""

from overlayweb.models import Cluster, ReservedRange


def reserve(*, cidr: str, name: str, reason: str, cluster: Cluster | None = None) -> ReservedRange:
    """Keep a range free from now on, on this cluster or, with None, on all.

    ``cidr`` is IPv4 text without host bits, not yet in the registry.
    """
    return ReservedRange.objects.create(cidr=cidr, name=name, reason=reason, cluster=cluster)


def release(*, pk: int) -> bool:
    """Give a range free again; False when it is not there."""
    deleted, _ = ReservedRange.objects.filter(pk=pk).delete()
    return bool(deleted)
