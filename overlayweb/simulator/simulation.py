"""One simulated Swarm with its clock, its engine and its faults: what the HTTP side serves."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from overlayweb.simulator.clock import Clock
from overlayweb.simulator.faults import Faults
from overlayweb.simulator.versions import Engine
from overlayweb.simulator.world import World

Content = Callable[[World, int], None]
"""Fills a new world; the number is of nodes, which a content that has its own may ignore."""

CALLS_KEPT = 5000
_FIRST_ADDRESS = 11


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Engine API that was answered, or that went wrong on purpose: ``fault`` names how, or is ""."""

    method: str
    path: str
    node: str
    fault: str
    at: float


@dataclass(kw_only=True)
class Simulation:
    """A world that is carried on to the present of its clock whenever somebody looks.

    ``calls`` are the last CALLS_KEPT calls of the Engine API, the oldest first.
    """

    engine: Engine
    content: Content
    nodes: int
    seed: int
    clock: Clock
    faults: Faults = field(default_factory=Faults)
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=CALLS_KEPT))

    def __post_init__(self) -> None:
        self.reset(seed=self.seed)

    def reset(self, *, seed: int | None = None, engine: Engine | None = None) -> None:
        """Begin again: a new world from the seed, no faults, no calls, the clock at 0 at the same speed."""
        self.seed = self.seed if seed is None else seed
        self.engine = engine or self.engine
        now = datetime.now(UTC)
        # Made twice, from the same seed: what took the world a while lies in the past, and its time is ours.
        self.world = self._filled(started_at=now - timedelta(seconds=self._filled(started_at=now).now))
        self.clock = Clock(speed=self.clock.speed)
        self.clock.skip(self.world.now)
        self.faults.replace(())
        self.calls.clear()

    def _filled(self, *, started_at: datetime) -> World:
        world = World(
            seed=self.seed,
            engine_version=self.engine.version,
            api_version=self.engine.api,
            started_at=started_at,
        )
        self.content(world, self.nodes)
        return world

    def present(self) -> World:
        """The world as it is at this moment."""
        self.world.advance(to=self.clock.now())
        return self.world


def empty(world: World, nodes: int) -> None:
    """An empty Swarm of one manager and workers, ready; for none, an engine in no Swarm, as after its installation."""
    if not nodes:
        world.add_engine("node1", address=f"192.168.60.{_FIRST_ADDRESS}")
    for index in range(nodes):
        role = "worker" if index else "manager"
        world.add_node(f"node{index + 1}", role=role, address=f"192.168.60.{_FIRST_ADDRESS + index}")
    world.advance(to=world.now + SETTLING_SECONDS)


SETTLING_SECONDS = 5.0
"""After these a new Swarm has its ingress on the node that made it, and nothing is under way."""
