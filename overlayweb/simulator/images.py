"""What the containers of a spec do: when they end by themselves, and how they take being told to."""

import re
from dataclasses import dataclass

from overlayweb.simulator.records import Document

NOT_FOUND, KILLED, TERMINATED = 127, 137, 143
_EXIT = re.compile(r"\bexit (\d+)")
_SLEEP = re.compile(r"\bsleep (\d+)")
_DEFAULT_GRACE = 10_000_000_000
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """``ignores_signals``: None means as a plain program run as the first process does: yes, unless there is an init.

    ``exits_after``: seconds until it ends with ``exit_code``; None: it runs on. ``missing``: no node can get it.
    """

    missing: bool = False
    ignores_signals: bool | None = None
    exits_after: float | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ends when it is told to stop: after these seconds, with this code."""

    seconds: float
    exit_code: int


def own_end(container: Document, image: Image) -> Ending | None:
    """When and how a container ends by itself, by its image or by a command that says so; None when it does not.

    Understood are true, false, `sleep N`, `exit N`, and a program whose name says that there is none: /bin/no-such-one.
    """
    if image.exits_after is not None:
        return Ending(seconds=image.exits_after, exit_code=image.exit_code)
    command = " ".join([*(container.get("Command") or ()), *(container.get("Args") or ())])
    if "/no-such" in command:
        return Ending(seconds=0.1, exit_code=NOT_FOUND)
    sleeps, exits = _SLEEP.search(command), _EXIT.search(command)
    if sleeps is None and exits is None and command not in {"true", "false", "/bin/true", "/bin/false"}:
        return None
    code = int(exits[1]) if exits else int(command.endswith("false"))
    return Ending(seconds=float(sleeps[1]) if sleeps else 0.1, exit_code=code)


def told_to_stop(container: Document, image: Image, *, quick: float) -> Ending:
    """What follows the signal: an end at once, or being killed when the grace is over."""
    grace = container.get("StopGracePeriod", _DEFAULT_GRACE) / SECOND
    ignores = not container.get("Init") if image.ignores_signals is None else image.ignores_signals
    if ignores:
        return Ending(seconds=grace, exit_code=KILLED)
    code = TERMINATED if container.get("Init") else 0
    return Ending(seconds=min(quick, grace), exit_code=code)


def healthy_after(container: Document) -> float:
    """Seconds that a container is only ``starting`` for, since its health is looked at first."""
    check = container.get("Healthcheck") or {}
    if (check.get("Test") or ["NONE"])[0] in {"NONE", ""}:
        return 0.0
    return float(check.get("Interval") or 30 * SECOND) / SECOND
