"""In what the engines differ, as far as this suite has seen. What is not here is the same for all of them."""

from dataclasses import dataclass


def number(api: str) -> tuple[int, ...]:
    """An API version, to be compared."""
    return tuple(int(part) for part in api.strip().split("."))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one engine does in its own way."""

    version: str
    api: str
    oldest_api: str
    release: str = ""
    """The Debian release that a lab takes it from, "" where there is none: then it is only imitated."""

    pings_with_swarm: bool = True
    """Whether a ping tells what the node is to a Swarm."""

    says_invalid: str = "invalid"
    """How it begins its refusal of a filter."""

    unreadable_filter: int = 400
    """The status of its refusal of filters that are no JSON."""

    refuses_overlay_outside: int = 403
    """The status of its refusal of an overlay while it is in no Swarm."""

    checks_addresses: bool = True
    """Whether it looks at a subnet at all before the leader does."""

    allocates_31: bool = True
    """Whether a /31 is ever allocated."""

    tells_ipv4: bool = False
    """Whether a network says that IPv4 is on."""

    tells_volumes: bool = True
    """Whether a Swarm task tells its cluster volumes."""

    warns: bool = True
    """Whether the answer to a creation of a service has a place for warnings."""

    hides_unallocated: bool = False
    """Whether inspecting a network that is not allocated is answered by 404."""


FACTS = {
    "20.10": Facts(
        version="20.10.24",
        api="1.41",
        oldest_api="1.12",
        release="bookworm",
        pings_with_swarm=False,
        says_invalid="Invalid",
        unreadable_filter=500,
        refuses_overlay_outside=500,
        checks_addresses=False,
        allocates_31=False,
        tells_volumes=False,
        warns=False,
    ),
    "26.1": Facts(version="26.1.5", api="1.45", oldest_api="1.24", release="trixie"),
    "28.5": Facts(version="28.5.2", api="1.51", oldest_api="1.24", release="sid", tells_ipv4=True),
    "29": Facts(version="29.0.0", api="1.52", oldest_api="1.44", tells_ipv4=True, hides_unallocated=True),
}

BY_RELEASE = {facts.release: facts for facts in FACTS.values() if facts.release}
