"""Whether a start brings the demo Swarm, and what it says about that."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from overlayweb import brokers
from overlayweb.configuration import Configuration
from overlayweb.demo import people, story
from overlayweb.domain.policy import ROLE_WORDS, ApprovalMode
from overlayweb.engine import connection
from overlayweb.engine.errors import EngineError, NotAManager
from overlayweb.models import Cluster, Installation
from overlayweb.services import clusters, demo

LOOK_SECONDS = 2.0
"""How long the quick look for a manager may take, for each answer."""

CONNECT = "Connect a real Swarm: DOCKER_HOST=tcp://manager:2376 make up, or “Add a cluster” in the page."


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What was prepared. ``socket``: where the demo Swarm is to listen; None: it is not started.

    ``said``: lines for the terminal. ``has_people``: the demo's people come in by links of their own.
    ``no_manager``: what to do with the engine of this machine that is no manager of a Swarm, for the pages; or "".
    """

    socket: Path | None
    said: tuple[str, ...]
    has_people: bool
    no_manager: str = ""

    def invitations(self, address: str) -> Iterator[str]:
        """How the demo's people come in, one line each, aligned: name, rights, link."""
        if not self.has_people:
            return
        rows = people.invitations(now=timezone.now())
        if rows:
            yield "The people of the demo. Each link works once:"
        widest = max((len(row.name) for row in rows), default=0)
        for row in rows:
            how = urljoin(address, row.path) if row.path else f"signs in as {row.username}"
            yield f"  {row.name:<{widest}}  {ROLE_WORDS[row.role]:<13}  {how}"


def prepare(given: Configuration) -> Start:
    """Decide, and register what comes by itself: the manager of this machine or of DOCKER_HOST, or the demo Swarm.

    1. OVERLAYWEB_DEMO=1: the demo, and nothing real but a DOCKER_HOST that is given.
    2. A DOCKER_HOST that is given is registered, whether it answers or not. No demo.
    3. A manager at the local socket is registered. No demo.
    4. Neither: the demo, unless real clusters are registered or people took it away.
    A demo that is there goes on, unless OVERLAYWEB_DEMO=0.
    """
    now = timezone.now()
    local = None if given.docker_host_given or given.demo is True else look()
    manager = given.docker_host_given or (local is not None and local.manager)
    no_manager = local.remedy if local else ""
    if manager:
        clusters.register_local(now=now)
    wanted = given.demo is True or demo.cluster() is not None or (not manager and _is_new())
    if given.demo is False or not wanted:
        nothing = () if manager else _nothing(given, no_manager)
        return Start(socket=None, said=nothing, has_people=False, no_manager=no_manager)
    socket = given.data / "demo.sock"
    if len(bytes(socket)) > brokers.LONGEST_SOCKET_PATH:
        said = f"No demo Swarm: the path of {socket} is too long for a socket. Set OVERLAYWEB_DATA to a shorter one."
        return Start(socket=None, said=(said,), has_people=False, no_manager=no_manager)
    _begin(given, socket, now)
    said = _says_demo(given, manager=manager, no_manager=no_manager)
    return Start(socket=socket, said=(said,), has_people=people.may_come_in(), no_manager=no_manager)


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """What was found at the local socket. ``remedy``: what makes the engine there a manager; "" where none answers."""

    manager: bool
    remedy: str = ""


def look() -> Local:
    """Look for a manager of a Swarm at the local socket. Takes seconds at most, where something hangs."""
    try:
        with connection.connect(connection.local_endpoint(), timeout_seconds=LOOK_SECONDS) as engine:
            engine.nodes()
    except NotAManager as error:
        return Local(manager=False, remedy=f"{error} Then start Overlayweb again.")
    except EngineError:
        return Local(manager=False)
    return Local(manager=True)


def _is_new() -> bool:
    """Whether nothing real was ever here: no cluster, no account."""
    return not Cluster.objects.exists() and not User.objects.exists()


def _begin(given: Configuration, socket: Path, now: datetime) -> None:
    """Register the demo's cluster; the first time, with its people and its past."""
    first, alone = demo.cluster() is None, _is_new()
    socket.unlink(missing_ok=True)  # of a run that was killed: nobody shall take it for the new one
    with story.quiet_doorbell(), transaction.atomic():
        cluster = demo.register(endpoint=f"unix://{socket}", now=now)
        if first:
            comes_in = given.demo is True and alone
            if comes_in:
                Installation.objects.create(pk=1, approval_mode=ApprovalMode.SOLO, created_at=now)
            cast = people.enrol(may_come_in=comes_in, since=now - story.BEFORE)
            story.tell(cluster=cluster, cast=cast, until=now)


def _says_demo(given: Configuration, *, manager: bool, no_manager: str) -> str:
    if manager:
        return (
            "The demo Swarm goes on beside the real one, simulated. Remove it on its pages, or set OVERLAYWEB_DEMO=0."
        )
    if given.demo:
        return f"Cluster “demo” is a simulated Swarm: nothing real changes. {CONNECT}"
    if no_manager:
        return f"{no_manager} Until then cluster “demo” is simulated: nothing real changes. {CONNECT}"
    return f"No Swarm manager answers at {_local()}, so cluster “demo” is simulated: nothing real changes. {CONNECT}"


def _nothing(given: Configuration, no_manager: str) -> tuple[str, ...]:
    """What to say where no manager answers, no demo is started, and nothing else is registered."""
    if Cluster.objects.exists():
        return ()
    bring = "" if given.demo is False else " OVERLAYWEB_DEMO=1 brings the demo Swarm."
    found = no_manager or f"No Swarm manager answers at {_local()}."
    return (f"{found} {CONNECT}{bring}",)


def _local() -> str:
    return connection.local_endpoint().url
