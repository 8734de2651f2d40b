"""Engines of other Debian releases: a folder holding such a release, made once and kept.

The mirror is the one that this machine's own apt uses, looked up when it is needed.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE_VARIABLE = "LAB_CACHE"
RELEASES = ("trixie", "sid")

_DEFAULT_CACHE = Path("~/.cache/overlayweb-lab")
_PACKAGES = ("docker.io", "docker-cli", "iptables")
_BUILD_TIMEOUT = 1800.0


class ReleaseError(Exception):
    """The folder of another Debian release can not be made on this machine."""


def root(release: str) -> Path:
    """Return the folder that holds `release` with its engine; made now if it is not there yet.

    Making it takes some minutes. Raises ReleaseError, whose text says what is missing.
    """
    cache = Path(os.environ.get(CACHE_VARIABLE, _DEFAULT_CACHE)).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    done = cache / release
    with _only_one(cache / f"{release}.lock"):
        if not done.exists():
            _build(release, done)
    return done


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Hold a lock that other processes of this machine wait for."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(release: str, done: Path) -> None:
    """Install the release beside where it is to be, then move it there in one piece."""
    if shutil.which("debootstrap") is None:
        raise ReleaseError("debootstrap is missing; the Debian package debootstrap brings it")
    draft = done.with_name(f"{release}.new")
    shutil.rmtree(draft, ignore_errors=True)
    log = done.with_name(f"{release}.log")
    with log.open("wb") as output:
        built = subprocess.run(
            [*_CONFINED, *_debootstrap(release, draft)],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_BUILD_TIMEOUT,
            env=_environment(),
        )
    if built.returncode:
        raise ReleaseError(f"debootstrap of {release} failed: {log.read_text(errors='replace')[-1000:]}")
    draft.rename(done)


# Whatever an installation mounts or starts ends with it.
_CONFINED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def _debootstrap(release: str, target: Path) -> list[str]:
    packages = f"--include={','.join(_PACKAGES)}"
    return ["debootstrap", "--variant=minbase", packages, release, str(target), _mirror()]


def _mirror() -> str:
    """Return the address of the mirror that this machine's apt takes its main packages from."""
    form = "$(COMPONENT) $(CODENAME) $(SITE)"
    rows = _output("apt-get", "indextargets", "--format", form, "Identifier: Packages").splitlines()
    fields = [row.split() for row in rows]
    sites = [site for component, name, site in fields if component == "main" and "security" not in name]
    if not sites:
        raise ReleaseError("apt knows no mirror of Debian's main packages on this machine")
    return sites[0]


def _environment() -> dict[str, str]:
    """Return the environment with apt's proxy, which debootstrap does not know of by itself."""
    proxy = _output("apt-config", "shell", "proxy", "Acquire::http::Proxy").strip()
    address = proxy.removeprefix("proxy=").strip("'")
    return {**os.environ, "http_proxy": address} if address else dict(os.environ)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
