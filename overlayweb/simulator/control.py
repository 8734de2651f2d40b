"""What tests and the demo may do to a simulated Swarm beside its API: POST /_control/VERB with a JSON object."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.responses import Response

from overlayweb.simulator.calls import EngineCall, answer
from overlayweb.simulator.errors import ApiError
from overlayweb.simulator.faults import Rule
from overlayweb.simulator.simulation import Simulation
from overlayweb.simulator.versions import ENGINES

WORLD_VERBS = frozenset(
    {
        "add_ingress",
        "add_node",
        "allow_allocation",
        "crash_node",
        "cut_off_node",
        "edit_service",
        "fail_allocation",
        "hold_peers",
        "log",
        "reconnect_node",
        "release_peers",
        "restart_daemon",
        "set_image",
        "start_node",
    }
)
"""Verbs that are the world's own methods, with the arguments that those take."""


async def act(call: EngineCall) -> Response:
    """Carry out the verb and answer ``{"result": …}``."""
    verb = call.path_params["verb"]
    arguments = await call.document() if await call.body() else {}
    if verb in WORLD_VERBS:
        return answer({"result": getattr(call.world, verb)(**arguments)})
    if verb not in _VERBS:
        raise ApiError(404, f"{verb} is no verb; there are {', '.join(sorted({*WORLD_VERBS, *_VERBS}))}")
    return answer({"result": _VERBS[verb](call.simulation, **arguments)})


def _reset(simulation: Simulation, *, seed: int | None = None, engine: str = "", nodes: int | None = None) -> None:
    """Throw the world away and make a new one."""
    simulation.nodes = simulation.nodes if nodes is None else nodes
    simulation.reset(seed=seed, engine=ENGINES[engine] if engine else None)


def _speed(simulation: Simulation, *, speed: float) -> None:
    """Run that many times as fast as the wall's clock; 0 stops."""
    simulation.clock.set_speed(speed)


def _skip(simulation: Simulation, *, seconds: float) -> None:
    """Let so many seconds of the Swarm pass at once."""
    simulation.clock.skip(seconds)
    simulation.present()


def _now(simulation: Simulation) -> dict[str, Any]:
    """The clock: virtual ``seconds`` since the world was made, ``speed``, when something happens ``next_at``."""
    return {
        "seconds": simulation.clock.now(),
        "speed": simulation.clock.speed,
        "next_at": simulation.world.next_at,
        "seed": simulation.seed,
    }


def _faults(simulation: Simulation, *, rules: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Put rules in force instead of those before, if there are any given. Answers the rules and their counts."""
    if rules is not None:
        simulation.faults.replace([Rule(**rule) for rule in rules])
    return simulation.faults.report()


def _calls(simulation: Simulation, *, clear: bool = False) -> list[dict[str, Any]]:
    """The calls of the Engine API so far; forgotten afterwards if asked for."""
    found = [asdict(call) for call in simulation.calls]
    if clear:
        simulation.calls.clear()
    return found


def _run_container(simulation: Simulation, *, node: str, name: str) -> str:
    """Run a standalone container on the node; answers its id."""
    return simulation.world.boxes.run(node, name)


def _remove_container(simulation: Simulation, *, node: str, ref: str) -> None:
    """Take it away by force."""
    simulation.world.boxes.remove(node, ref)


_VERBS: dict[str, Callable[..., Any]] = {
    "reset": _reset,
    "speed": _speed,
    "skip": _skip,
    "now": _now,
    "faults": _faults,
    "calls": _calls,
    "run_container": _run_container,
    "remove_container": _remove_container,
}
