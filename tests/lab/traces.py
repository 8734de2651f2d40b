"""What a lab leaves on the machine, looked for from outside it."""

import subprocess
import tempfile
from pathlib import Path

from tests.lab import cgroups


def traces(name: str) -> list[str]:
    """Return every process, mount, control group and folder that belongs to the lab `name`."""
    folder = Path(tempfile.gettempdir(), name)
    found = [f"process {line}" for line in _processes(name)]
    found += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if name in line]
    found += [f"control group {group}" for group in cgroups.groups(name)]
    return [*found, f"folder {folder}"] if folder.exists() else found


def network_names() -> set[str]:
    """Return the names of the machine's own network namespaces and interfaces."""
    namespaces = _output("ip", "netns", "list").split()
    interfaces = _output("ip", "-o", "link").splitlines()
    return {*namespaces, *(line.split(": ")[1] for line in interfaces)}


def _processes(name: str) -> list[str]:
    """Return processes that name the lab on their command line, or sit in its control groups."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_text() + (process / "cgroup").read_text()
        except OSError:
            continue  # it has just ended
        if name in told:
            found.append(f"{process.name} {told[:120]}")
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
