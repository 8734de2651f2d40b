"""Which services of the Swarm are Overlayweb itself, so that it does not take itself down."""

import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path

from overlayweb.domain.swarm import SELF_LABEL, Service, SwarmTask

CONTAINER_VARIABLE = "OVERLAYWEB_CONTAINER_ID"
_ID = re.compile(r"[0-9a-f]{64}")
_SHORT_ID = re.compile(r"[0-9a-f]{12,64}")
_CONTAINER_FILES = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})


def container_ids() -> frozenset[str]:
    """Ids, whole or their first 12 characters or more, that may be of the container this process runs in.

    Taken from OVERLAYWEB_CONTAINER_ID, the host name, the mounts and the control groups. Some may be wrong; only
    those that a Swarm task bears count.
    """
    said = (os.environ.get(CONTAINER_VARIABLE, ""), socket.gethostname())
    found = {word for word in said if _SHORT_ID.fullmatch(word)}
    found |= ids_in_mounts(_text("/proc/self/mountinfo"))
    return frozenset(found | set(_ID.findall(_text("/proc/self/cgroup"))))


def ids_in_mounts(mountinfo: str) -> set[str]:
    """Container ids in a mount table: those behind /etc/hostname and its like, which the engine mounts.

    Other lines are left out, since outside of containers the table holds the mounts of all of them.
    """
    rows = [line.split() for line in mountinfo.splitlines()]
    sources = (row[3] for row in rows if len(row) > 4 and row[4] in _CONTAINER_FILES)  # noqa: PLR2004  # root, point
    return {found for source in sources for found in _ID.findall(source)}


def service_ids(
    *, services: Iterable[Service], swarm_tasks: Iterable[SwarmTask], containers: Iterable[str]
) -> tuple[str, ...]:
    """Ids of the services that are Overlayweb: its containers' own, their whole stacks, and all labelled so."""
    services, hints = tuple(services), tuple(containers)
    running = {row.service_id for row in swarm_tasks if row.container_id and row.container_id.startswith(hints)}
    stacks = {row.stack for row in services if row.id in running and row.stack}
    ours = (row.id for row in services if row.id in running or row.stack in stacks or _labelled(row))
    return tuple(ours)


def _labelled(service: Service) -> bool:
    template = service.spec.document().get("TaskTemplate") or {}
    container = template.get("ContainerSpec") or {}
    return SELF_LABEL in dict(service.labels) or SELF_LABEL in (container.get("Labels") or {})


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
