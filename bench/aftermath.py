"""What a rebuild leaves behind: held against the Swarm as it was before, on the manager and on every node."""

from collections.abc import Iterator

from overlayweb.domain import specs
from overlayweb.domain.swarm import Service, Swarm
from overlayweb.engine.connection import Endpoint, connect
from tests.lab.swarm import Lab

SETTLE_SECONDS = 60.0


def observe(lab: Lab) -> Swarm:
    """What the manager says now."""
    with connect(Endpoint(url=lab.manager.socket)) as engine:
        return engine.observe()


def left_behind(*, lab: Lab, before: Swarm, subnet: str) -> tuple[str, ...]:
    """What is not as it should be, in sentences: one ingress, everywhere; specs equal; full strength.

    Raises TimeoutError where services do not come to full strength.
    """
    lab.wait_running(timeout=SETTLE_SECONDS)
    return tuple(_wrong(lab, before, observe(lab), subnet))


def _wrong(lab: Lab, before: Swarm, now: Swarm, subnet: str) -> Iterator[str]:
    found = [network.ipam[0].subnet for network in now.ingress_networks]
    if found != [subnet]:
        yield f"the ingress is {found}, not {subnet}"
    ids = [network.id for network in now.ingress_networks]
    for node in lab.nodes:
        held = [row["Id"] for row in node.request("GET", "/networks") if row.get("Ingress")]
        if held != ids:
            yield f"{node.name} holds {held}"
    joined = {peer for network in now.ingress_networks for peer in network.peers}
    yield from (f"{node.hostname} has not joined the ingress" for node in now.nodes if node.address not in joined)
    services = {service.id: service for service in now.services}
    for service in before.services:
        yield from _changed(service, services.get(service.id))
        if len(now.running_on(service.id)) != len(before.running_on(service.id)):
            yield f"{service.name} runs {len(now.running_on(service.id))}, not {len(before.running_on(service.id))}"


def _changed(before: Service, now: Service | None) -> Iterator[str]:
    """How a spec differs from the one it should come out with: its own, ports that Swarm chose written out."""
    if now is None:
        yield f"{before.name} is gone"
        return
    wanted = specs.pinned(before.spec, before.ports)
    if now.spec != wanted:
        yield f"{before.name} differs in {', '.join(specs.differences(wanted, now.spec)) or 'what is empty'}"
