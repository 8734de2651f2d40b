"""An ingress rebuild by the ``docker`` command line, by a bare script and by Overlayweb, on one Swarm, in one run.

``python -m bench.ingress_rebuild [--engine bookworm] [--rounds N] [--only METHOD …] [--json FILE] [--markdown]``
needs root and takes about twelve minutes, five of which are the command line's. Each round begins on a fresh Swarm with
the same nine services. Overlayweb runs as people start it, with its own worker and a database of its own.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import aftermath, by_hand, by_script, floor, machine, report, stand
from bench.report import OURS, Method, Report, Round
from bench.sampler import Sampler
from overlayweb.domain.plans import IngressSettings, Strategy
from overlayweb.domain.swarm import Swarm
from tests.lab.services import create_mix
from tests.lab.swarm import Lab

if TYPE_CHECKING:
    from bench.product import Team

SETTINGS = IngressSettings(subnet="10.30.0.0/16", gateway="10.30.0.1", mtu=1450)
STRATEGIES = {Method.UNPUBLISH: Strategy.UNPUBLISH, Method.STOP: Strategy.STOP}
_NOT_EQUAL = "left something behind: "

Act = Callable[[Swarm], tuple[float, dict[str, float]]]
"""A rebuild: given the Swarm before, returns its seconds as a whole and by step."""


def main() -> None:
    """Run what was asked for; print the table."""
    options = _options()
    made = run(engine=options.engine, rounds=options.rounds, methods=tuple(options.only or Method))
    if options.json:
        options.json.write_text(json.dumps(made.as_json(), indent=2) + "\n")
    text = report.markdown(made)
    print(text if options.markdown else text.replace("*", "").replace("`", ""))


def run(*, engine: str | None, rounds: int, methods: tuple[Method, ...]) -> Report:
    """Floor, then the command line once, then the others ``rounds`` times each, in turns. Leaves nothing running."""
    done: list[Round] = []
    started: list[float] = []
    with Lab(engine=engine) as lab, stand.data(lab.manager.socket) as data:
        parts = floor.measure(lab)
        _say(f"floor {parts.total:.1f} s: {parts}")
        version = str(lab.manager.request("GET", "/version")["Version"])
        if Method.CLI in methods:
            done.append(_round(lab, Method.CLI, _by_rebuild(lab, by_hand.rebuild), started))
        turns = [method for method in methods if method is not Method.CLI]
        # The installation runs during all of them: it takes its share of the machine from each alike.
        with stand.installation(lab.manager.socket, data) as team:
            acts = {method: _by_us(team, method) for method in STRATEGIES}
            for ours, script in OURS.items():
                acts[script] = _by_rebuild(lab, partial(by_script.rebuild, strategy=STRATEGIES[ours]))
            done += [_round(lab, method, acts[method], started) for _ in range(rounds) for method in turns]
    looked = machine.look(now=datetime.now(UTC), engine=version)
    return Report(
        machine=looked, command=_command(engine, rounds, methods), floor=parts, mix=min(started), rounds=tuple(done)
    )


def _round(lab: Lab, method: Method, act: Act, started: list[float]) -> Round:
    """1. A fresh Swarm. 2. The rebuild, watched until all services are back. 3. What it left behind."""
    lab.reset()
    began = time.monotonic()
    create_mix(lab)
    started.append(round(time.monotonic() - began, 1))
    before = aftermath.observe(lab)
    with Sampler(lab.manager) as sampler:
        whole, steps = act(before)
        left = aftermath.left_behind(lab=lab, before=before, subnet=SETTINGS.subnet)
    # Ours has to leave the specs as they were; what the command line makes of them is only told.
    assert not left or method is Method.CLI, _NOT_EQUAL + "; ".join(left)
    dark = {service.name: round(sampler.dark_seconds(service.id), 2) for service in before.published_services}
    made = Round(
        method=method,
        whole=round(whole, 2),
        dark=dark,
        steps=steps,
        left=left,
        rhythm=sampler.rhythm(),
        load=machine.load(),
    )
    _say(f"{method}: whole {made.whole:.1f} s, longest {max(dark.values()):.1f} s, load {made.load}, {dark} {steps}")
    return made


def _by_rebuild(lab: Lab, rebuild: Callable[..., None]) -> Act:
    def act(before: Swarm) -> tuple[float, dict[str, float]]:
        began = time.monotonic()
        old = before.ingress_networks[0].id
        rebuild(lab=lab, services=before.published_services, ingress_id=old, settings=SETTINGS)
        return time.monotonic() - began, {}

    return act


def _by_us(team: "Team", method: Method) -> Act:
    def act(_before: Swarm) -> tuple[float, dict[str, float]]:
        done = team.rebuild(settings=SETTINGS, strategy=STRATEGIES[method])
        return done.whole_seconds, done.steps

    return act


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.ingress_rebuild", description=__doc__)
    parser.add_argument("--engine", help="bookworm (what the machine has), trixie or sid")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each but by hand, which is one (default 3)")
    parser.add_argument("--only", nargs="+", type=Method, choices=list(Method), help="leave the other methods out")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument("--markdown", action="store_true", help="print the section for docs/benchmarks.md")
    return parser.parse_args()


def _command(engine: str | None, rounds: int, methods: tuple[Method, ...]) -> str:
    """How to run the same again."""
    chosen = ["--engine", engine] if engine else []
    only = [] if methods == tuple(Method) else ["--only", *methods]
    return " ".join(["python -m bench.ingress_rebuild --rounds", str(rounds), *chosen, *only, "--markdown"])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
