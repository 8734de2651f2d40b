"""What an error of an engine or of Swarm means: likely cause, what the cluster shows of it now, next action.

Pure: a message and, where it is at hand, the latest observation. What is not known is shown as it is. The table is
in ``known_errors.py`` and ``known_failures.py``, what is looked up in ``evidence.py``.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from overlayweb.domain import evidence
from overlayweb.domain.addresses import wanted_swarm_tasks
from overlayweb.domain.evidence import Scene
from overlayweb.domain.known_errors import NETWORK_ROWS, Known
from overlayweb.domain.known_failures import ENGINE_ROWS
from overlayweb.domain.plans import Finding
from overlayweb.domain.swarm import Network, Service, Swarm, SwarmTask
from overlayweb.domain.wording import several

ROWS = (*NETWORK_ROWS, *ENGINE_ROWS)
LONG = timedelta(seconds=30)
"""A container that is prepared or started for longer than this is stuck."""
_WANTED = frozenset({"running", "ready"})
_LONGEST = 2000
"""Characters of a message that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """Where the next action is done: ``place`` is the name of a page, ``subject`` the id of what it is about, or ""."""

    place: str
    label: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A known error. ``said``: in the engine's words or, of a state, in ours; sentences: ``cause``, ``remedy``,
    ``evidence`` (what one observation shows, () without one). ``go``: None where there is nothing to do here.
    """

    code: str
    said: str
    cause: str
    remedy: str
    evidence: tuple[str, ...] = ()
    go: Go | None = None


def decode(message: str, *, swarm: Swarm | None = None, service: Service | None = None) -> Decoded | None:
    """What the message means, whatever stands around it; None when it is not known.

    ``swarm``: where the evidence is looked up; ``service``: whose error it is, where that is known.
    """
    found = _row_of(message[:_LONGEST])
    if found is None:
        return None
    known, words, named = found
    scene = Scene(swarm=swarm, words=words, named=named, about=service) if swarm else None
    return Decoded(
        code=known.code,
        said=message,
        cause=known.cause,
        remedy=known.remedy,
        evidence=_looked_up(known, scene) if scene else (),
        go=_go(known, scene),
    )


def of_service(*, swarm: Swarm, service: Service) -> Decoded | None:
    """Why the service runs fewer containers than it should; None when it does not, or nothing tells.

    Its latest complaint, where that is known; else the state in which its containers hang.
    """
    if len(swarm.running_on(service.id)) >= wanted_swarm_tasks(swarm=swarm, service=service):
        return None
    said = complaint(swarm=swarm, service=service)
    return decode(said, swarm=swarm, service=service) or _of_states(swarm, service)


def complaint(*, swarm: Swarm, service: Service) -> str:
    """The latest error of its Swarm tasks, in the engine's words; "" for none."""
    complaints = [task for task in swarm.tasks_of(service.id) if task.error]
    latest = max(complaints, key=lambda t: t.state_at.timestamp() if t.state_at else 0.0, default=None)
    return latest.error.strip() if latest else ""


def of_network(*, swarm: Swarm, network: Network) -> Decoded | None:
    """Why a network of the Swarm does not work; None when it has its addresses."""
    if network.scope != "swarm" or not network.registered or network.allocated:
        return None
    users = evidence.users_of(swarm, network)
    waiting = sum(t.state == "new" for s in users for t in swarm.tasks_of(s.id))
    return Decoded(
        code="network-unallocated",
        said=f"Swarm has not allocated {network.name}.",
        cause="Its subnet overlaps another network, is too small, or the default pools are used up, most likely: a"
        " manager takes such a network without a word.",
        remedy="Remove it and create it anew in a free block.",
        evidence=(
            f"Used by {several(s.name for s in users)}." if users else "No service uses it.",
            *((f"{waiting} of their tasks wait{'s' if waiting == 1 else ''} in NEW.",) if waiting else ()),
        ),
        go=Go(place="network", subject=network.id, label="See the network"),
    )


def of_finding(finding: Finding, *, swarm: Swarm | None) -> Decoded | None:
    """What a finding about the cluster as it is means, where its own words do not say it already."""
    service = next((s for s in swarm.services if s.id == finding.subject), None) if swarm else None
    if swarm and service and finding.about == "service":
        return decode(finding.message, swarm=swarm, service=service) or of_service(swarm=swarm, service=service)
    network = next((n for n in swarm.networks if n.id == finding.subject), None) if swarm else None
    if swarm and network and finding.about == "network":
        return of_network(swarm=swarm, network=network)
    return decode(finding.message, swarm=swarm)


_Found = tuple[Known, str, tuple[tuple[str, str], ...]]


@lru_cache(maxsize=2048)
def _row_of(message: str) -> _Found | None:
    for known in ROWS:
        match = known.words.search(message)
        if match is not None:
            # Alternatives of one pattern name the same thing twice: network, network2.
            named = ((key.rstrip("2"), value) for key, value in match.groupdict().items() if value)
            return known, match.group(), tuple(named)
    return None


def _looked_up(known: Known, scene: Scene) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence for look in known.looks for sentence in look(scene)))


def _go(known: Known, scene: Scene | None) -> Go | None:
    if not known.place:
        return None
    if not known.place.startswith(("network-", "service-")) and known.place not in {"network", "service"}:
        return Go(place=known.place, label=known.label)
    about = (scene.network if known.place.startswith("network") else scene.service) if scene else None
    return Go(place=known.place, label=f"{known.label} {about.name}", subject=about.id) if about else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """A state in which containers hang without a word from Swarm."""

    code: str
    cause: str
    remedy: str
    place: str
    label: str


_ALLOCATION = _State(
    code="state-new",
    cause="Swarm has not given the containers their addresses: a network of the service has none, is full, or came"
    " too late. Only the leader's log says which.",
    remedy="Look at its networks. Once they have addresses, an update of the service lets it go on.",
    place="service",
    label="See the service",
)
_PLACE = _State(
    code="state-pending",
    cause="The containers wait for a node that may run them.",
    remedy="Look at the constraints and reservations of the service, and at the availability of the nodes.",
    place="cluster",
    label="See the nodes",
)
_PREPARING = _State(
    code="state-preparing",
    cause="A node works on it for longer than usual: it pulls the image, or waits for a network.",
    remedy="Look at the node's log: `journalctl -u docker`. A wedged ingress shows like this too, and an overlay"
    " without room for the node's own address.",
    place="ingress",
    label="See the ingress",
)
_ORPHANED = _State(
    code="state-orphaned",
    cause="The node that ran it has been away for so long that Swarm gave it up. What runs there is not known.",
    remedy="Bring the node back, or remove it with `docker node rm`.",
    place="cluster",
    label="See the nodes",
)
_STATES = {
    "new": _ALLOCATION,
    "pending": _PLACE,
    "assigned": _PREPARING,
    "accepted": _PREPARING,
    "preparing": _PREPARING,
    "starting": _PREPARING,
    "orphaned": _ORPHANED,
}
_LOOKS = {
    "state-new": (evidence.states, evidence.unallocated, evidence.room),
    "state-pending": (evidence.states, evidence.placement),
    "state-preparing": (evidence.states, evidence.image, evidence.room),
    "state-orphaned": (evidence.nodes,),
}


def _of_states(swarm: Swarm, service: Service) -> Decoded | None:
    hanging = [t for t in swarm.tasks_of(service.id) if _hangs(t, swarm)]
    found = next((_STATES[state] for state in _STATES if any(t.state == state for t in hanging)), None)
    if found is None:
        return None
    scene = Scene(swarm=swarm, words="", about=service)
    count = sum(_STATES[t.state] is found for t in hanging)
    state = next(t.state for t in hanging if _STATES[t.state] is found)
    return Decoded(
        code=found.code,
        said=f"{count} of its tasks {'stays' if count == 1 else 'stay'} in {state.upper()}.",
        cause=found.cause,
        remedy=found.remedy,
        evidence=tuple(sentence for look in _LOOKS[found.code] for sentence in look(scene)),
        go=Go(place=found.place, label=found.label, subject=service.id if found.place == "service" else ""),
    )


def _hangs(task: SwarmTask, swarm: Swarm) -> bool:
    """Whether nothing goes on: at once in NEW or pending, elsewhere after a while."""
    if task.state == "orphaned":
        return True
    if task.state not in _STATES or task.desired_state not in _WANTED:
        return False
    since = task.state_at or task.created_at
    return task.state in {"new", "pending"} or (since is not None and swarm.observed_at - since > LONG)
