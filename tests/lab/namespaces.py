"""Running programs inside the namespaces of a lab."""

import os
import subprocess
from dataclasses import dataclass


class CommandError(Exception):
    """A program of the lab ended with an error; the text holds its own words."""


def run(command: list[str], *, timeout: float = 120.0, environment: dict[str, str] | None = None) -> str:
    """Run `command` and return what it printed.

    Raises CommandError with what it said, or TimeoutExpired after `timeout` seconds.
    """
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
    )
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@dataclass(frozen=True, kw_only=True)
class Namespaces:
    """The process and mount namespaces of a lab, held open by its init."""

    init: int

    def command(self, *argv: str, network: str | None = None) -> list[str]:
        """Return the command line that runs `argv` inside, in the network namespace `network`."""
        enter = ["nsenter", "--target", str(self.init), "--mount", "--pid", "--"]
        # Two steps, for the names of network namespaces are files of the mount namespace.
        net = ["nsenter", f"--net=/run/netns/{network}", "--"] if network else []
        return [*enter, *net, *argv]

    def shell(self, commands: list[str]) -> None:
        """Run shell `commands` inside, stopping at the first that fails."""
        run(self.command("sh", "-ec", "\n".join(commands)))


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would steer a docker client elsewhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
