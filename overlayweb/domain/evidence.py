"""What one observation shows about an error: which Swarm tasks say it now, which network, service, node is meant.

Each function takes a :class:`Scene` and yields sentences; nothing where the observation shows nothing of it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from overlayweb.domain import inventory, wording
from overlayweb.domain.ingress_settings import ipv4_ipam
from overlayweb.domain.inventory import ListedNetwork
from overlayweb.domain.swarm import Network, Node, Service, Swarm, SwarmTask
from overlayweb.domain.wording import several

MOST = 3
"""So many services, networks or nodes are named; more are counted."""
_SHORT_ID = 12
_ID_LENGTH = 25
"""Of what Swarm makes; an engine's own ids are longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """An error in one observation. ``words``: the part of the message that is known; ``named``: what it names, by
    "network", "service", "task", "port", "image"; ``about``: the service whose error it is, None when not known.
    """

    swarm: Swarm
    words: str
    named: tuple[tuple[str, str], ...] = ()
    about: Service | None = None

    def name(self, what: str) -> str:
        """What the message names of this sort, or ""."""
        return dict(self.named).get(what, "")

    @property
    def network(self) -> Network | None:
        """The network that the message names by id, beginning of an id, or name; None when it is not seen."""
        wanted = self.name("network")
        return next((n for n in self.swarm.networks if _is(wanted, n.id, n.name)), None)

    @property
    def service(self) -> Service | None:
        """The service that the message names, else the one whose error it is."""
        wanted = self.name("service")
        named = next((s for s in self.swarm.services if _is(wanted, s.id, s.name)), None)
        task = self.swarm_task
        of_task = next((s for s in self.swarm.services if task and s.id == task.service_id), None)
        return named or of_task or self.about

    @property
    def swarm_task(self) -> SwarmTask | None:
        """The Swarm task that the message names, of a service or of a container that was attached by hand."""
        wanted = self.name("task")
        there = (*self.swarm.swarm_tasks, *self.swarm.attachments)
        return next((t for t in there if _is(wanted, t.id, "")), None)


def who_says(scene: Scene) -> Iterator[str]:
    """Which Swarm tasks say the same at the moment, by service, and on which nodes."""
    found = scene.swarm.tasks_of(scene.about.id) if scene.about else scene.swarm.swarm_tasks
    saying = [t for t in found if scene.words.casefold() in f"{t.error} {t.message}".casefold()]
    names = {service.id: service.name for service in scene.swarm.services}
    hosts = {node.id: node.hostname for node in scene.swarm.nodes}
    counted = Counter(names.get(t.service_id, "containers of no service") for t in saying)
    for name, count in counted.most_common(MOST):
        on = {hosts.get(t.node_id, "") for t in saying if names.get(t.service_id, "containers of no service") == name}
        where = f" on {several(sorted(filter(None, on)))}" if any(on) else ""
        yield f"{wording.counted(count, 'task')} of {name} {'says' if count == 1 else 'say'} so now{where}."
    if len(counted) > MOST:
        yield f"{wording.counted(len(counted) - MOST, 'more service')} too."


def states(scene: Scene) -> Iterator[str]:
    """In which states the Swarm tasks of the service are that do not run and should."""
    if scene.about is None:
        return
    waiting = [t for t in scene.swarm.tasks_of(scene.about.id) if t.desired_state in {"running", "ready"}]
    counted = Counter(t.state for t in waiting)
    if counted:
        yield f"Its tasks: {', '.join(f'{count} {state}' for state, count in sorted(counted.items()))}."


def task(scene: Scene) -> Iterator[str]:
    """Whose the named Swarm task is, where, and in which state."""
    wanted = scene.name("task")
    if not wanted:
        return
    found = scene.swarm_task
    if found is None:
        yield f"Task {_short(wanted)} is not there any more: it has ended since."
        return
    owner = next((s.name for s in scene.swarm.services if s.id == found.service_id), "")
    host = next((n.hostname for n in scene.swarm.nodes if n.id == found.node_id), "")
    alone = f"container {found.container_id[:_SHORT_ID]}" if found.container_id else "a container"
    whose = f"of service {owner}" if owner else f"of no service: {alone} that was attached by hand"
    yield f"Task {_short(wanted)} is {whose}{f', on {host}' if host else ''}, {found.state}."


def network(scene: Scene) -> Iterator[str]:
    """Whether the named network is there, and who is on it."""
    wanted = scene.name("network")
    if not wanted:
        return
    found = scene.network
    if found is None:
        yield f"No network {_short(wanted)} is in the Swarm now."
        return
    users = users_of(scene.swarm, found)
    by = f"used by {several([s.name for s in users])}" if users else "used by no service"
    flags = [word for word, is_so in (("attachable", found.attachable), ("internal", found.internal)) if is_so]
    yield f"{_named(found)} is {by}{f'; it is {several(flags)}' if flags else '; it is not attachable'}."


def service(scene: Scene) -> Iterator[str]:
    """Whether the named service is there."""
    wanted, found = scene.name("service"), scene.service
    if found is not None and wanted:
        yield f"The service is {found.name}."
    elif wanted:
        yield f"No service {_short(wanted)} is in the Swarm now."


def room(scene: Scene) -> Iterator[str]:
    """How full the networks concerned are: fullest first. Addresses are to blame only where one is full."""
    fullest = sorted(_rooms(scene), key=lambda row: row.usable - row.used)
    if not fullest:
        return
    full = [row for row in fullest if row.used >= row.usable]
    for row in full[:MOST]:
        yield f"{row.name} {row.subnets} is full: {row.used} of {row.usable} addresses are taken."
    if not full:
        least = fullest[0]
        left = least.usable - least.used
        yield f"Addresses are not short: {least.name} {least.subnets} has the least, {left} of {least.usable} left."


def unallocated(scene: Scene) -> Iterator[str]:
    """Overlays that Swarm took and never gave addresses."""
    found = [n.name for n in scene.swarm.networks if n.scope == "swarm" and n.registered and not n.allocated]
    if found:
        yield f"Without addresses now: {several(sorted(found))}."


def port(scene: Scene) -> Iterator[str]:
    """Which services publish the named port now."""
    wanted = scene.name("port")
    if not wanted.isdecimal():
        return
    holders = [s for s in scene.swarm.services if any(p.published_port == int(wanted) for p in s.ports)]
    names = several(sorted(s.name for s in holders))
    yield f"Port {wanted} is published by {names} now." if names else f"No service publishes port {wanted} now."


def placement(scene: Scene) -> Iterator[str]:
    """What the service asks of a node, and which nodes take no containers."""
    if scene.service is not None:
        template = scene.service.spec.document().get("TaskTemplate") or {}
        constraints = (template.get("Placement") or {}).get("Constraints") or ()
        if constraints:
            yield f"{scene.service.name} asks for {several(['`' + rule + '`' for rule in constraints])}."
        asked = (template.get("Resources") or {}).get("Reservations") or {}
        if asked.get("NanoCPUs") or asked.get("MemoryBytes"):
            yield f"{scene.service.name} reserves {_reserved(asked)} for each container."
    yield from nodes(scene)


def nodes(scene: Scene) -> Iterator[str]:
    """Which nodes are away or take nothing new."""
    away = [f"{node.hostname} is {_state(node)}" for node in scene.swarm.nodes if not _takes(node)]
    if away:
        yield f"{several(away)}."
    elif scene.swarm.nodes:
        yield f"All {len(scene.swarm.nodes)} nodes are ready and active."


def managers(scene: Scene) -> Iterator[str]:
    """How many managers answer, and who leads."""
    found = [node for node in scene.swarm.nodes if node.role == "manager"]
    leader = next((node.hostname for node in found if node.leader), "")
    if found:
        led = f"the leader is {leader}" if leader else "none of them leads"
        yield f"{sum(node.ready for node in found)} of {wording.counted(len(found), 'manager')} ready; {led}."


def ingress(scene: Scene) -> Iterator[str]:
    """Which ingress networks there are, and which removed ones are still held."""
    found = [_named(n) for n in scene.swarm.ingress_networks]
    yield f"The Swarm has {several(found)}." if found else "The Swarm has no ingress."
    for gone in scene.swarm.stale_ingress_networks:
        holders = [n.hostname for n in scene.swarm.nodes if n.id == scene.swarm.manager_id or n.address in gone.peers]
        list_it = "list" if len(holders) > 1 else "lists"
        yield f"{several(holders) or 'A manager'} still {list_it} the removed {_named(gone)}."


def published(scene: Scene) -> Iterator[str]:
    """All services that publish through the ingress, not only the one that the engine names."""
    found = [s.name for s in scene.swarm.published_services]
    if found:
        publish = "publishes" if len(found) == 1 else "publish"
        yield f"{wording.counted(len(found), 'service')} {publish} through it: {several(found)}."


def image(scene: Scene) -> Iterator[str]:
    """Which image the service runs."""
    if scene.service is not None:
        template = scene.service.spec.document().get("TaskTemplate") or {}
        named = str((template.get("ContainerSpec") or {}).get("Image", "")).partition("@")[0]
        if named:
            yield f"{scene.service.name} runs `{named}`."


def mtu(scene: Scene) -> Iterator[str]:
    """The MTUs of the networks concerned, where they are set."""
    for found in [n for n in _concerned(scene) if n.mtu][:MOST]:
        yield f"{_named(found)} is set to MTU {found.mtu}."


def users_of(swarm: Swarm, found: Network) -> tuple[Service, ...]:
    """The services that are on the network or whose specs name it, by name."""
    if found.ingress:
        return swarm.published_services
    on = (s for s in swarm.services if found.id in s.network_ids or found.id in dict(s.vips))
    return tuple(sorted(on, key=lambda s: s.name))


def _concerned(scene: Scene) -> tuple[Network, ...]:
    """The network that is named; else those of the service; else all of the Swarm."""
    if scene.network is not None:
        return (scene.network,)
    mine = scene.service
    overlays = (n for n in scene.swarm.networks if n.scope == "swarm" and n.registered)
    if mine is None:
        return tuple(overlays)
    return tuple(n for n in overlays if n.id in mine.network_ids or (n.ingress and mine.ingress_ports))


def _rooms(scene: Scene) -> list[ListedNetwork]:
    concerned = {network.id for network in _concerned(scene)}
    return [row for row in inventory.networks(scene.swarm) if row.network_id in concerned and row.usable]


def _is(wanted: str, identity: str, name: str) -> bool:
    return bool(wanted) and (wanted in (identity, name) or (len(wanted) >= _SHORT_ID and identity.startswith(wanted)))


def _short(wanted: str) -> str:
    return wanted[:_SHORT_ID] if len(wanted) >= _ID_LENGTH and wanted.isalnum() else wanted


def _named(found: Network) -> str:
    return f"{found.name} {ipv4_ipam(found).subnet}".strip()


def _takes(node: Node) -> bool:
    return node.ready and node.availability == "active"


def _state(node: Node) -> str:
    return node.state if not node.ready else {"pause": "paused", "drain": "drained"}.get(node.availability, "away")


def _reserved(asked: dict[str, int]) -> str:
    cpus, memory = asked.get("NanoCPUs", 0) / 1e9, asked.get("MemoryBytes", 0) / 2**20
    return several([part for part, is_so in ((f"{cpus:g} CPUs", cpus), (f"{memory:g} MiB", memory)) if is_so])
