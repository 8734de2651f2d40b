"""The registry of address ranges that no network may take."""

from overlayweb.models import ReservedRange


def reserve(*, cidr: str, name: str, reason: str) -> ReservedRange:
    """Keep a range free from now on. ``cidr`` is IPv4 text without host bits, not yet in the registry."""
    return ReservedRange.objects.create(cidr=cidr, name=name, reason=reason)


def release(*, pk: int) -> bool:
    """Give a range free again; False when it is not there."""
    deleted, _ = ReservedRange.objects.filter(pk=pk).delete()
    return bool(deleted)
