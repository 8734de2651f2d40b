"""Who has joined a network's data plane, as gossip brings it to each node: a while after it is so."""

from overlayweb.simulator.agents import Agents
from overlayweb.simulator.daemons import Daemon, LocalNetwork
from overlayweb.simulator.names import Names
from overlayweb.simulator.records import Document
from overlayweb.simulator.store import Store
from overlayweb.simulator.times import Times


class Peers:
    """``held``: names of nodes that a test keeps from being seen."""

    def __init__(self, store: Store, times: Times, agents: Agents, names: Names) -> None:
        self._store = store
        self._times = times
        self._agents = agents
        self._names = names
        self._known: dict[tuple[str, int], str] = {}
        self.held: set[str] = set()

    def of(self, local: LocalNetwork, asked: Daemon) -> list[Document]:
        """The peers of a network as one engine sees them. Their names are random, their addresses are real."""
        rows = []
        for daemon in self._agents.daemons.values():
            there = daemon.networks.get(local.id)
            if there is not None and self._seen(there, daemon, asked):
                rows.append({"Name": self._name(daemon), "IP": daemon.node.address})
        return rows

    def _seen(self, there: LocalNetwork, daemon: Daemon, asked: Daemon) -> bool:
        if daemon is asked:
            return daemon.node.name not in self.held
        heard = daemon.reachable and asked.reachable
        late = self._store.now - there.created_at >= self._times.peer_delay
        return heard and late and daemon.node.name not in self.held

    def _name(self, daemon: Daemon) -> str:
        key = (daemon.node.id, daemon.boot)
        if key not in self._known:
            self._known[key] = self._names.hexadecimal(12)
        return self._known[key]
