"""A lab for people: `python -m tests.lab up` and, if one was left behind, `python -m tests.lab down`."""

import argparse
import signal

from tests.lab import Lab, services, states


def _up(arguments: argparse.Namespace) -> None:
    # A shell that starts this in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shape = {"nodes": arguments.nodes, "managers": arguments.managers}
    with Lab(**shape, engine=arguments.engine, by_hand=True) as lab:
        if arguments.mix:
            services.create_mix(lab)
        for node in lab.nodes:
            print(f"{node.name}  {node.address}  {node.socket}")
        print(f"DOCKER_HOST={lab.manager.socket}", flush=True)
        print("Ctrl-C takes the lab down.", flush=True)
        try:
            lab.wait_closed()
        except KeyboardInterrupt:
            print(f"taking {lab.name} down", flush=True)


def _down(arguments: argparse.Namespace) -> None:
    for state in list(states.states()):
        if state.in_test and not arguments.all:
            print(f"{state.name} belongs to a test that runs; --all takes it down too")
            continue
        states.take_down(state)
        print(f"{state.name} is down")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    up = verbs.add_parser("up", help="start a Swarm and keep it until Ctrl-C")
    up.add_argument("--nodes", type=int, default=3)
    up.add_argument("--managers", type=int, default=1)
    up.add_argument("--engine", help="bookworm (what the machine has), trixie or sid")
    up.add_argument("--mix", action="store_true", help="create the mix of services too")
    up.set_defaults(verb=_up)
    down = verbs.add_parser("down", help="take down labs made by `up` and labs left behind")
    down.add_argument("--all", action="store_true", help="also labs of tests that run")
    down.set_defaults(verb=_down)
    return parser


def main() -> None:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    arguments.verb(arguments)


if __name__ == "__main__":
    main()
