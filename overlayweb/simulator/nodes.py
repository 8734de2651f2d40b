"""Nodes: how they join, fall silent, come back, and which manager leads."""

from collections.abc import Mapping
from typing import Any

from overlayweb.simulator import mesh
from overlayweb.simulator.agents import Agents
from overlayweb.simulator.allocator import Allocator
from overlayweb.simulator.daemons import Daemon
from overlayweb.simulator.errors import ApiError, no_leader, no_swarm, not_a_manager, not_found, out_of_sequence, rpc
from overlayweb.simulator.events import Events
from overlayweb.simulator.filters import Filters, Query
from overlayweb.simulator.orchestrator import Orchestrator
from overlayweb.simulator.records import Node
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times

_KNOWN = frozenset({"id", "label", "membership", "name", "node.label", "role"})
_AVAILABILITIES = frozenset({"active", "pause", "drain"})
_ROLES = frozenset({"worker", "manager"})


class Nodes:
    """The nodes and their engines. ``view`` is the name of the node whose engine is asked, "" for the leader's.

    ``old``: engines before API 1.44, which word some refusals in another way and look at less.
    """

    def __init__(
        self,
        store: Store,
        times: Times,
        agents: Agents,
        allocator: Allocator,
        orchestrator: Orchestrator,
        events: Events,
        *,
        old: bool,
    ) -> None:
        self._store = store
        self._times = times
        self._agents = agents
        self._allocator = allocator
        self._orchestrator = orchestrator
        self._events = events
        self._was_led = False
        self.old = old
        self.outside: Daemon | None = None
        """The engine that is in no Swarm, while there is none."""

    # -- who is asked

    def by_name(self, name: str) -> Node:
        """The node with this host name. Raises ApiError 404."""
        node = next((node for node in self._store.nodes.values() if node.name == name), None)
        if node is None:
            raise not_found("node", name)
        return node

    def asked(self, view: str) -> Daemon:
        """The engine that answers: the named node's, or the leader's, or else the first manager's."""
        nodes = self._store.nodes.values()
        if self.outside is not None and view in {"", self.outside.node.name}:
            return self.outside
        if view:
            return self._agents.daemons[self.by_name(view).id]
        found = next((node for node in nodes if node.leader), None) or next((n for n in nodes if n.manager), None)
        if found is None:
            raise no_swarm()
        return self._agents.daemons[found.id]

    def require_manager(self, view: str) -> Daemon:
        """The engine that answers, if it shows the Swarm. Raises ApiError in the engine's words if it does not."""
        daemon = self.asked(view)
        if daemon is self.outside:
            raise no_swarm()
        if not daemon.node.manager:
            raise not_a_manager()
        if not self.led or not daemon.connected:
            raise no_leader()
        return daemon

    @property
    def daemons(self) -> list[Daemon]:
        """All engines, in the order in which they joined."""
        return [self.outside] if self.outside else [self._agents.daemons[key] for key in self._store.nodes]

    @property
    def led(self) -> bool:
        """Whether there is a leader that the managers' majority follows."""
        return self._allocator.running

    def find(self, ref: str) -> Node:
        """By id, name or a beginning of the id that only it has. Raises ApiError 404."""
        nodes = self._store.nodes
        if ref in nodes:
            return nodes[ref]
        found = [node for node in nodes.values() if node.name == ref]
        found = found or [node for key, node in nodes.items() if key.startswith(ref)]
        if len(found) != 1 or not ref:
            raise not_found("node", ref)
        return found[0]

    # -- what is asked for

    def listed(self, filters: Filters | None) -> list[Node]:
        """Those that the filters of GET /nodes leave."""
        query = Query(filters, known=_KNOWN, old=self.old)
        return [node for node in self._store.nodes.values() if _matches(node, query)]

    def update(self, ref: str, version: int, spec: Mapping[str, Any]) -> None:
        """Replace a node's spec: labels, availability, role. Any write is a nudge."""
        node = self.find(ref)
        for key, known in (("Availability", _AVAILABILITIES), ("Role", _ROLES)):
            if spec.get(key) not in known:
                raise ApiError(400, f'invalid {key}: "{spec.get(key, "")}"')
        if version != node.version:
            raise out_of_sequence()
        if node.manager and spec["Role"] == "worker" and sum(row.manager for row in self._store.nodes.values()) == 1:
            raise rpc("FailedPrecondition", "attempting to demote the last manager of the swarm")
        changes = _changes(node.spec, spec)
        node.spec = {"Labels": {}, **spec}
        self._store.write(node)
        self._events.say("node", "update", node, **changes)
        if "role.new" in changes:
            self._elect()

    # -- joining, falling silent, coming back

    def add(self, node: Node) -> None:
        """Let a node join, or the engine that is outside make a Swarm. The first manager leads."""
        daemon, self.outside = self.outside or Daemon(node=node), None
        daemon.node = node
        mesh.boot(daemon, self._store.names, self._store.now)
        self._agents.daemons[node.id] = daemon
        self._store.add(node)
        self._events.say("node", "create", node)
        self._elect()

    def cut_off(self, name: str) -> None:
        """Managers and node do not hear each other any more; its containers run on."""
        daemon = self._agents.daemons[self.by_name(name).id]
        daemon.connected = False
        self._silent(daemon)

    def reconnect(self, name: str) -> None:
        """The managers hear of the node again. What it held it still holds: it comes back stale."""
        daemon = self._agents.daemons[self.by_name(name).id]
        daemon.connected = True
        self._elect()
        self._store.agenda.after(self._times.rejoin, self._heard_again, daemon, daemon.boot)

    def stop(self, name: str) -> None:
        """The engine ends, and with it all that it had begun; its containers are gone at once."""
        daemon = self._agents.daemons[self.by_name(name).id]
        self._agents.lose(daemon)
        daemon.up = False
        self._silent(daemon)

    def start(self, name: str) -> None:
        """The engine starts: nothing of the Swarm's networks is left on it, so nothing stale either."""
        daemon = self._agents.daemons[self.by_name(name).id]
        if daemon.up:
            return
        daemon.up = True
        daemon.boot += 1
        daemon.log.clear()
        mesh.boot(daemon, self._store.names, self._store.now)
        self._elect()
        self._store.agenda.after(self._times.rejoin, self._heard_again, daemon, daemon.boot)

    def _silent(self, daemon: Daemon) -> None:
        self._elect()
        self._store.agenda.after(self._times.heartbeat_lost, self._missed, daemon, daemon.boot)

    def _missed(self, daemon: Daemon, boot: int) -> None:
        if not daemon.reachable and daemon.boot == boot and self.led:
            self._set_state(daemon.node, "down", "heartbeat failure")

    def _heard_again(self, daemon: Daemon, boot: int) -> None:
        if not daemon.reachable or daemon.boot != boot or not self.led:
            return  # without a leader nobody hears; the next one looks at all nodes
        self._set_state(daemon.node, "ready", "")
        self._agents.resume(daemon)

    def _set_state(self, node: Node, state: str, message: str) -> None:
        old, node.state, node.message = node.state, state, message
        self._store.write(node)
        if old != state:
            self._events.say("node", "update", node, **{"state.old": old, "state.new": state})

    # -- leading

    def _elect(self) -> None:
        """See who leads: who led, if it still can, else the first manager that a majority can follow."""
        managers = [node for node in self._store.nodes.values() if node.manager]
        there = [node for node in managers if self._agents.daemons[node.id].reachable]
        led_by = self._allocator.leader
        if led_by is not None and led_by.node.leader and led_by.node in there and 2 * len(there) > len(managers):
            return
        for node in self._store.nodes.values():
            if node.leader:
                node.leader, node.document = False, None
        self._allocator.leader = None
        if there and 2 * len(there) > len(managers):
            self._lead(there[0])

    def _lead(self, node: Node) -> None:
        first, self._was_led = not self._was_led, True
        node.leader, node.document = True, None
        self._allocator.restart(self._agents.daemons[node.id])
        if first:
            return
        self._orchestrator.restart()
        self._agents.hear_again()
        for daemon in self._agents.daemons.values():
            if daemon.reachable:
                self._store.agenda.after(self._times.rejoin, self._heard_again, daemon, daemon.boot)
            else:
                self._store.agenda.after(self._times.heartbeat_lost, self._missed, daemon, daemon.boot)


def _matches(node: Node, query: Query) -> bool:
    return (
        query.begins("id", node.id)
        and query.begins("name", node.name)
        and query.exact("role", node.spec["Role"])
        and query.exact("membership", "accepted")
        and query.labels("node.label", node.spec.get("Labels") or {})
        and query.labels("label", {})
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for key in ("Availability", "Role"):
        if old.get(key) != new.get(key):
            changes |= {f"{key.lower()}.old": str(old.get(key)), f"{key.lower()}.new": str(new.get(key))}
    return changes
