"""Which engine a lab runs: the one installed on the machine, or that of another Debian release."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.lab import releases

ENGINE_VARIABLE = "LAB_ENGINE"
INSTALLED = "bookworm"


class EngineError(Exception):
    """The engine that was asked for can not be had on this machine."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Where the programs of one engine are: on the machine itself, or below `root`."""

    name: str
    dockerd: str
    docker: str
    root: Path | None = None

    def command(self, *argv: str) -> list[str]:
        """Return `argv` as it is to be run inside a lab's namespaces."""
        return [*argv] if self.root is None else ["chroot", str(self.root), *argv]

    def mount_commands(self, folder: Path) -> list[str]:
        """Return the shell commands that ready the mounts; run in the lab's mount namespace.

        A fresh /run hides the machine's own containerd, an empty /etc/docker its own settings, an
        empty /opt takes what containerd would leave there.
        Nothing is to be unmounted: the mounts go with the namespace.
        """
        if self.root is None:
            return [*_private_mounts("")]
        return [
            f"mount --bind {self.root} {self.root}",
            f"mount -t proc proc {self.root}/proc",
            f"mount --rbind /sys {self.root}/sys",
            f"mount --rbind /dev {self.root}/dev",
            f"mkdir -p {self.root}{folder}",
            f"mount --bind {folder} {self.root}{folder}",
            *_private_mounts(str(self.root)),
            *_private_mounts(""),
        ]


def _private_mounts(root: str) -> list[str]:
    return [
        f"mount -t tmpfs tmpfs {root}/run",
        f"mkdir -p {root}/run/netns",
        f"mkdir -p {root}/opt {root}/etc/docker",
        f"mount -t tmpfs tmpfs {root}/opt",
        f"mount -t tmpfs tmpfs {root}/etc/docker",
    ]


def find(name: str | None = None) -> Engine:
    """Return the engine called `name`; by default what LAB_ENGINE names, else the machine's own.

    Raises EngineError, whose text says what to install.
    """
    name = name or os.environ.get(ENGINE_VARIABLE) or INSTALLED
    if name == INSTALLED:
        return _installed()
    if name not in releases.RELEASES:
        raise EngineError(f"no engine is known as {name}; there are {INSTALLED}, {', '.join(releases.RELEASES)}")
    return Engine(name=name, dockerd="/usr/sbin/dockerd", docker="/usr/bin/docker", root=releases.root(name))


def _installed() -> Engine:
    # Debian's own folders first: a client that somebody put elsewhere is not this engine's.
    path = os.pathsep.join(["/usr/sbin", "/usr/bin", os.environ.get("PATH", os.defpath)])
    dockerd, docker = shutil.which("dockerd", path=path), shutil.which("docker", path=path)
    if dockerd is None or docker is None:
        raise EngineError("dockerd is missing; the Debian packages docker.io and iptables bring it")
    return Engine(name=INSTALLED, dockerd=dockerd, docker=docker)
