"""`python -m overlayweb.simulator --socket PATH`: a simulated Swarm behind a unix socket, until SIGTERM."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from overlayweb.simulator.clock import Clock
from overlayweb.simulator.contents import CONTENTS
from overlayweb.simulator.server import Server
from overlayweb.simulator.simulation import Simulation
from overlayweb.simulator.versions import ENGINES

_A_LOT = 65536


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m overlayweb.simulator", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where to listen; each node's are in PATH.d")
    parser.add_argument("--speed", type=float, default=1.0, help="seconds of the Swarm to one of the wall")
    parser.add_argument("--seed", type=int, default=0, help="what everything random comes from")
    parser.add_argument("--engine", choices=ENGINES, default="28.5", help="which Docker Engine to imitate")
    parser.add_argument("--content", choices=CONTENTS, default="empty", help="what is in the Swarm at the start")
    parser.add_argument(
        "--nodes", type=int, default=3, help="how many nodes an empty Swarm has; 0: one engine, no Swarm"
    )
    parser.add_argument("--control", action="store_true", help="take orders at /_control/, and on PATH.control")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input does")
    return parser


def main() -> None:
    """Serve until SIGTERM, Ctrl-C, or the end of standard input where that is asked for."""
    arguments = _parser().parse_args()
    # uvicorn raises the signal again when everything is closed.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    simulation = Simulation(
        engine=ENGINES[arguments.engine],
        content=CONTENTS[arguments.content],
        nodes=arguments.nodes,
        seed=arguments.seed,
        clock=Clock(speed=arguments.speed),
    )
    server = Server(simulation, path=arguments.socket.absolute(), controlled=arguments.control)
    try:
        asyncio.run(_serve(server, end_with_stdin=arguments.end_with_stdin))
    except KeyboardInterrupt:
        sys.exit(130)


async def _serve(server: Server, *, end_with_stdin: bool) -> None:
    if end_with_stdin:
        asyncio.get_running_loop().add_reader(sys.stdin, _at_end_of_stdin, server)
    await server.serve()


def _at_end_of_stdin(server: Server) -> None:
    if not os.read(sys.stdin.fileno(), _A_LOT):
        asyncio.get_running_loop().remove_reader(sys.stdin)
        server.should_exit = True


if __name__ == "__main__":
    main()
