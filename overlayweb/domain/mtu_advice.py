"""Which MTU fits, from what the networks of the nodes show.

No engine tells the MTU of its network cards: what is shown here is how its own bridges are set.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from overlayweb.domain.ingress_settings import MTU_OPTION
from overlayweb.domain.overlay_mtu import DOCKER_MTU, inner
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.readiness import Check
from overlayweb.domain.swarm import Network, Swarm

_BRIDGES = frozenset({"bridge", "docker_gwbridge"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MtuRow:
    """An overlay: the bytes ``assumed`` of the path between the nodes, and those ``inner`` in its containers."""

    network: Network
    assumed: int | None
    inner: int | None


def rows(swarm: Swarm) -> tuple[MtuRow, ...]:
    """All overlays with what their containers get, by name. None where the option is not a number."""
    overlays = (row for row in swarm.networks if row.scope == "swarm")
    return tuple(_row(network) for network in sorted(overlays, key=lambda network: network.name))


def underlays(swarm: Swarm, check: Check | None) -> tuple[tuple[str, int], ...]:
    """The MTU that each engine asked is set to use for its own bridges, by host name."""
    names = {node.id: node.hostname for node in swarm.nodes}
    found = {names.get(swarm.manager_id, "the manager"): swarm.underlay_mtu}
    for view in (check.engine, *check.others) if check else ():
        found[view.hostname] = _smallest(view.networks) if not view.error else None
    return tuple((name, mtu) for name, mtu in found.items() if mtu is not None)


def advice(swarm: Swarm, check: Check | None) -> tuple[Finding, ...]:
    """What does not fit: bridges of nodes that differ, and overlays that assume more than the smallest of them."""
    seen = underlays(swarm, check)
    smallest = min((mtu for _, mtu in seen), default=DOCKER_MTU)
    return (*_differing(seen, swarm), *(found for row in rows(swarm) for found in _on_overlay(row, smallest)))


def _row(network: Network) -> MtuRow:
    assumed = DOCKER_MTU if not network.mtu else _number(network.mtu)
    if assumed is None:
        return MtuRow(network=network, assumed=None, inner=None)
    left = inner(assumed=assumed, encrypted=network.encrypted)
    return MtuRow(network=network, assumed=assumed, inner=left)


def _differing(seen: tuple[tuple[str, int], ...], swarm: Swarm) -> Iterator[Finding]:
    if len({mtu for _, mtu in seen}) < 2:  # noqa: PLR2004  # differing takes two
        return
    yield Finding(
        level=Level.WARNING,
        code="mtu-differs",
        about="cluster",
        subject=swarm.id,
        message=f"Engines are set to different MTUs: {', '.join(f'{name} {mtu}' for name, mtu in seen)}.",
        remedy="Make overlays for the smallest of them, or give all engines the same `mtu` in daemon.json.",
    )


def _on_overlay(row: MtuRow, smallest: int) -> Iterator[Finding]:
    name = row.network.name
    if row.assumed is None:
        message, value = f"The MTU of {name} is “{row.network.mtu}”, which is no number.", smallest
    elif row.assumed > smallest:
        said = "assumes" if not row.network.mtu else "is made for"
        message = f"{name} {said} {row.assumed} bytes between the nodes; an engine is set to {smallest}."
        value = smallest
    else:
        return
    yield Finding(
        level=Level.BLOCKER if row.assumed is None else Level.WARNING,
        code="mtu-no-number" if row.assumed is None else "mtu-too-large",
        about="network",
        subject=row.network.id,
        subject_name=name,
        message=message,
        remedy=f"Make it anew with `--opt {MTU_OPTION}={value}`: an overlay's MTU can not be changed.",
        suggestion=str(value),
    )


def _smallest(networks: tuple[Network, ...]) -> int | None:
    found = (_number(row.mtu) for row in networks if row.name in _BRIDGES)
    return min((mtu for mtu in found if mtu is not None), default=None)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
