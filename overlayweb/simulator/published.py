"""Ports that services publish: which one Swarm chooses, and who has it already."""

from collections.abc import Iterable

from overlayweb.simulator.errors import ApiError, rpc
from overlayweb.simulator.records import Document, Service

CHOSEN_FIRST, CHOSEN_LAST = 30000, 32767
"""Where Swarm looks for a port when a spec leaves it open. Source: swarmkit, allocator/portallocator.go."""

Key = tuple[str, int]


def spec_ports(spec: Document) -> list[Document]:
    """The ports of a service spec."""
    ports: list[Document] = (spec.get("EndpointSpec") or {}).get("Ports") or []
    return ports


def through_ingress(spec: Document) -> bool:
    """Whether the spec publishes through the routing mesh: what binds a service to the ingress."""
    return any(port["PublishMode"] == "ingress" for port in spec_ports(spec))


def refuse_conflicts(spec: Document, services: Iterable[Service], *, but: str = "") -> None:
    """Raise ApiError 400 where another service than ``but`` has one of the ports."""
    asked = [port for port in spec_ports(spec) if port.get("PublishedPort")]
    if not asked:
        return
    for service in services:
        if service.id == but:
            continue
        for other in (*spec_ports(service.spec), *service.ports):
            for port in asked:
                _refuse(port, other, service)


def _refuse(port: Document, other: Document, service: Service) -> None:
    if _key(port) != _key(other):
        return
    modes = port["PublishMode"], other["PublishMode"]
    if modes == ("host", "host"):
        return  # nodes settle it: no two containers with it on one
    how = "an ingress port" if other["PublishMode"] == "ingress" else "a host-published port"
    raise rpc(
        "InvalidArgument",
        f"port '{port['PublishedPort']}' is already in use by service '{service.name}' ({service.id}) as {how}",
    )


def chosen(spec: Document, before: list[Document], taken: set[Key]) -> list[Document]:
    """The endpoint's ports: what Swarm chose ``before`` is kept, else the next free one is taken.

    Raises ApiError when none is left.
    """
    result = []
    for port in spec_ports(spec):
        if port.get("PublishedPort") or port["PublishMode"] != "ingress":
            result.append(port)
            continue
        number = next((old["PublishedPort"] for old in before if _same_target(old, port)), 0)
        number = number or _next_free(port["Protocol"], taken)
        taken.add((port["Protocol"], number))
        result.append({**port, "PublishedPort": number})
    return result


def keys(ports: Iterable[Document]) -> set[Key]:
    """The ports as (protocol, number), through the ingress only."""
    return {_key(port) for port in ports if port["PublishMode"] == "ingress" and port.get("PublishedPort")}


def _next_free(protocol: str, taken: set[Key]) -> int:
    for number in range(CHOSEN_FIRST, CHOSEN_LAST + 1):
        if (protocol, number) not in taken:
            return number
    raise ApiError(500, "dynamic port range is exhausted")


def _key(port: Document) -> Key:
    return port["Protocol"], port.get("PublishedPort", 0)


def _same_target(left: Document, right: Document) -> bool:
    names = ("Protocol", "TargetPort", "PublishMode", "Name")
    return all(left.get(name) == right.get(name) for name in names)
