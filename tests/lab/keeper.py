"""The process that owns a lab, and takes it down whatever happens to the process that asked for it.

Run as `python -m tests.lab.keeper FOLDER NAME test|hand`. Everything of the lab lives in a process
namespace and a mount namespace of its own, under an init that does nothing:

1. Start the init, print its process id, and wait.
2. When standard input ends (the asking process closed it, or died in any way) or on SIGTERM:
   kill the init. The kernel then kills every process of the lab, stopped ones too, and with the
   last of them go all mounts and network namespaces.
3. Kill what is left in the control groups, remove them, and remove the folder.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.lab import cgroups, processes

STATE_FILE = "lab.json"
LOGS_VARIABLE = "LAB_LOGS"

# An ignored SIGCHLD makes the kernel reap the orphans that this init inherits.
_INIT = """
import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""


def _start_init() -> subprocess.Popen[bytes]:
    """Start the init of the lab's namespaces; returned once it runs."""
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    unshare = subprocess.Popen(
        [*command, sys.executable, "-S", "-c", _INIT],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert unshare.stdout is not None
    if unshare.stdout.readline() != b"up\n":
        raise RuntimeError("the lab's namespaces can not be made; it needs root and unshare")
    return unshare


def _write_state(folder: Path, *, name: str, maker: str, init: int) -> None:
    """Write down what `down` needs to know, in one piece."""
    owners = {"keeper": processes.find(os.getpid()), "init": processes.find(init)}
    state: dict[str, object] = {"name": name, "by_hand": maker == "hand"}
    state |= {role: dataclasses.asdict(process) for role, process in owners.items() if process}
    draft = folder / f"{STATE_FILE}.new"
    draft.write_text(json.dumps(state))
    draft.rename(folder / STATE_FILE)


def _save_logs(folder: Path, name: str) -> None:
    """Copy the engines' logs to the folder in LAB_LOGS, if it is set, for a look afterwards."""
    if target := os.environ.get(LOGS_VARIABLE):
        for log in folder.glob("*/dockerd-*.log"):
            Path(target, name).mkdir(parents=True, exist_ok=True)
            shutil.copy(log, Path(target, name, f"{log.parent.name}-{log.name}"))


def clean(folder: Path, name: str) -> None:
    """Remove what a lab leaves outside its namespaces: control groups and its folder."""
    cgroups.kill(name)
    cgroups.remove(name)
    _save_logs(folder, name)
    shutil.rmtree(folder)


def main(folder: Path, name: str, maker: str) -> None:
    """Own the lab `name` in `folder` until standard input ends or SIGTERM comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    unshare = _start_init()
    (init,) = processes.children(unshare.pid)
    try:
        _write_state(folder, name=name, maker=maker, init=init)
        print(init, flush=True)
        sys.stdin.read()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(ProcessLookupError):
            os.kill(init, signal.SIGKILL)
        unshare.wait()
        clean(folder, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
