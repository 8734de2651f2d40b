"""The rebuild by the ``docker`` command line, as a careful administrator does it: one thing after the other.

``docker service update`` waits by itself until the service has converged. Between removing and creating, the
administrator looks on every node until none lists the old ingress.
"""

from collections.abc import Sequence

from overlayweb.domain import commands
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.swarm import Service
from tests.lab.daemon import wait_until
from tests.lab.namespaces import CommandError, run
from tests.lab.swarm import Lab

GONE_SECONDS = 120.0
_REMOVE = 'echo y | "$0" --host "$1" network rm "$2"'  # the command asks before it removes an ingress
_STILL_THERE = "already exists"


def rebuild(*, lab: Lab, services: Sequence[Service], ingress_id: str, settings: IngressSettings) -> None:
    """Unpublish each and wait, remove, wait for every node, create, publish each and wait.

    Raises CommandError with the words of a command that fails, TimeoutError where a wait takes too long.
    """
    for service in services:
        _update(lab, service, "--publish-rm")
    _remove_ingress(lab, ingress_id)
    _create_ingress(lab, settings)
    for service in services:
        _update(lab, service, "--publish-add")


def _update(lab: Lab, service: Service, flag: str) -> None:
    words = [word for port in service.ingress_ports for word in (flag, commands.publish_word(port))]
    lab.manager.cli("service", "update", "--quiet", *words, service.name)


def _remove_ingress(lab: Lab, ingress_id: str) -> None:
    node = lab.manager
    argv = node.engine.command("sh", "-c", _REMOVE, node.engine.docker, node.socket, ingress_id)
    run(node.namespaces.command("env", f"DOCKER_CONFIG={node.folder}", *argv))
    wait_until(
        lambda: not any(_listed(lab, number, ingress_id) for number in range(lab.size)),
        what="every node to let go of the old ingress",
        timeout=GONE_SECONDS,
        every=0.5,
    )


def _listed(lab: Lab, number: int, network_id: str) -> bool:
    return bool(lab.nodes[number].cli("network", "ls", "--quiet", "--filter", f"id={network_id}").strip())


def _create_ingress(lab: Lab, settings: IngressSettings) -> None:
    """Create it and wait until Swarm has allocated it: a service published earlier would stay new for ever."""
    command = commands.create_ingress(settings).split()[1:]
    wait_until(lambda: _created(lab, command), what="the name of the ingress to be free", timeout=60, every=0.5)
    look = ("network", "ls", "--quiet", "--filter", "driver=overlay", "--filter", f"name={settings.name}")
    wait_until(lambda: bool(lab.manager.cli(*look).strip()), what="the new ingress", timeout=60, every=0.2)


def _created(lab: Lab, command: Sequence[str]) -> bool:
    try:
        lab.manager.cli(*command)
    except CommandError as error:
        if _STILL_THERE in str(error):
            return False
        raise
    return True
