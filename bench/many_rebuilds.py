"""Many rebuilds in a row on one Swarm, and whether any of them leaves anything behind.

``python -m bench.many_rebuilds [--engine bookworm] [--rebuilds N] [--careless N]`` needs root and takes about a
quarter of a minute for each rebuild. Seven published services of all kinds, one of which ignores SIGTERM; strategies
by turns, another subnet each time. After each rebuild every node's own engine is asked. Beside it the careless script,
which takes the ports off, removes, creates and publishes without waiting: each time on a fresh Swarm, as it needs one.
"""

import argparse
import statistics
import sys
import time
from datetime import UTC, datetime
from itertools import cycle
from typing import TYPE_CHECKING

from bench import aftermath, machine, stand
from overlayweb.domain.plans import IngressSettings, Strategy
from tests.lab import naive
from tests.lab.swarm import Lab

if TYPE_CHECKING:
    from bench.product import Team

REBUILDS, CARELESS = 100, 5
GIVEN_SECONDS = 30.0
"""How long a Swarm gets to recover from the careless script before it counts as wedged."""
SUBNETS = 200
"""So many subnets take turns."""


def main() -> int:
    """Rebuild, and print what became of it. Exit code 1 where one of ours left something behind."""
    options = _options()
    loads = [machine.load()]
    left: list[str] = []
    with Lab(engine=options.engine) as lab, stand.data(lab.manager.socket) as data:
        engine = str(lab.manager.request("GET", "/version")["Version"])
        wedged = [_careless(lab) for _ in range(options.careless)]
        loads.append(machine.load())
        lab.reset()
        with stand.installation(lab.manager.socket, data) as team:
            took = _rebuild_on(lab, team, options.rebuilds, left)
        loads.append(machine.load())
    looked = machine.look(now=datetime.now(UTC), engine=engine)
    print(_table(f"{looked}; load average {machine.loads_text(loads)}. `{_command()}`", wedged, took, left))
    return 1 if left else 0


def _careless(lab: Lab) -> bool:
    """Whether the careless script wedges a fresh Swarm."""
    from tests.workflows.rig import create_quick_mix

    lab.reset()
    create_quick_mix(lab)
    naive.rebuild(lab.manager, subnet="10.11.0.0/24", gateway="10.11.0.1")
    deadline = time.monotonic() + GIVEN_SECONDS
    while (signs := naive.is_wedged(lab)) and time.monotonic() < deadline:
        time.sleep(1.0)
    _say(f"careless: {'; '.join(signs) or 'well'}")
    return bool(signs)


def _rebuild_on(lab: Lab, team: "Team", rebuilds: int, left: list[str]) -> list[float]:
    """Seconds of each rebuild; what one left behind is added to ``left``, and is the end of it."""
    from tests.workflows.rig import create_quick_mix

    create_quick_mix(lab)
    took: list[float] = []
    for number, strategy in zip(range(rebuilds), cycle(Strategy), strict=False):
        before = aftermath.observe(lab)
        subnet = f"10.{40 + number % SUBNETS}.0.0/20"
        done = team.rebuild(settings=IngressSettings(subnet=subnet, mtu=1450), strategy=strategy)
        took.append(done.whole_seconds)
        found = (*aftermath.left_behind(lab=lab, before=before, subnet=subnet), *naive.is_wedged(lab))
        left += [f"rebuild {number + 1}, {strategy}: {sentence}" for sentence in found]
        _say(f"{number + 1}: {strategy}, {done.whole_seconds:.1f} s{''.join(f'; {sentence}' for sentence in found)}")
        if left:
            break
    return took


def _table(head: str, wedged: list[bool], took: list[float], left: list[str]) -> str:
    lines = [
        "## Many rebuilds",
        "",
        head,
        "",
        "Rebuilds in a row on one Swarm of three nodes, by *stop*, *unpublish* and *automatic* in turns; after each,",
        "every node's own engine holds that ingress and no other, all services run at full strength, and specs are",
        "equal to the byte. The careless script waits for nothing; each time it gets a fresh Swarm.",
        "",
        "| | Rebuilds | Left something behind |",
        "| --- | ---: | ---: |",
        f"| Careless script | {len(wedged)} | {sum(wedged)} |",
        f"| Overlayweb | {len(took)} | {1 if left else 0} |",
        "",
        f"A rebuild took {statistics.median(took):.1f} s (median), {max(took):.1f} s at most.",
        *(f"- {sentence}" for sentence in left),
    ]
    return "\n".join(lines)


def _command() -> str:
    return " ".join(["python -m bench.many_rebuilds", *sys.argv[1:]])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.many_rebuilds", description=__doc__)
    parser.add_argument("--engine", help="bookworm (what the machine has), trixie or sid")
    parser.add_argument("--rebuilds", type=int, default=REBUILDS, help=f"by Overlayweb (default {REBUILDS})")
    parser.add_argument("--careless", type=int, default=CARELESS, help=f"by the careless script (default {CARELESS})")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
