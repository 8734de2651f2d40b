"""What a test may ask of the machine with `@pytest.mark.requires("redis", ...)`, and what brings it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PYTHON = "/usr/bin/python3"
"""The interpreter for which Debian packages bring modules, firewalld's among them."""
SYSTEM_MODULES = Path("/usr/lib/python3/dist-packages")
POSTGRES_FOLDERS = "/usr/lib/postgresql/*/bin"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Something a machine has or lacks. `remedy` says how it gets there."""

    present: Callable[[], bool]
    remedy: str


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest if there are several; Debian keeps it off PATH."""
    folders = [path for path in Path("/").glob(POSTGRES_FOLDERS[1:]) if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    return max(folders, default=Path(on_path).parent if on_path else None)


def _programs(*names: str, package: str) -> Tool:
    """A tool made of programs on PATH, brought by Debian packages."""
    return Tool(present=lambda: all(map(_found, names)), remedy=f"apt-get install {package}")


def _found(name: str) -> bool:
    """Whether the program is there; an ordinary user's PATH may lack the folder of system programs."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


TOOLS = {
    "redis": _programs("redis-server", package="redis-server"),
    "postgres": Tool(present=lambda: postgres_programs() is not None, remedy="apt-get install postgresql"),
    "dockerd": _programs(
        *("dockerd", "docker", "ip", "iptables", "nsenter", "busybox"),
        package="docker.io iproute2 iptables busybox-static",
    ),
    "firewalls": _programs("iptables", "nft", "ufw", "unshare", package="iptables nftables ufw"),
    "firewalld": Tool(present=(SYSTEM_MODULES / "firewall").is_dir, remedy="apt-get install python3-firewall"),
    "docker": _programs("docker", package="docker.io"),
    "debootstrap": _programs("debootstrap", package="debootstrap"),
    "chromium": _programs("chromium-headless-shell", package="chromium-headless-shell fonts-dejavu-core"),
    "compose": _programs("docker-compose", package="docker-compose"),
    "root": Tool(present=lambda: os.geteuid() == 0, remedy="run the tests as root"),
}


def missing(names: tuple[str, ...]) -> list[str]:
    """Which of the named tools this machine lacks. An unknown name is a KeyError."""
    return [name for name in names if not TOOLS[name].present()]
