"""The settings of an overlay network that a person chooses: read from a network, and resolved from what was typed."""

from dataclasses import dataclass, replace

from overlayweb.domain.ingress_settings import JOB_LABEL_PREFIX, MTU_OPTION, VXLAN_IDS_OPTION, default_gateway
from overlayweb.domain.swarm import IpamConfig, Network

ENCRYPTED_OPTION = "encrypted"
"""Its presence encrypts, whatever its value is."""
_NOT_CHOSEN = frozenset({MTU_OPTION, VXLAN_IDS_OPTION, ENCRYPTED_OPTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Everything that can be chosen of an overlay. Addresses are text as typed; ``mtu`` None: unset.

    ``options``: further driver options, without those that have a field of their own.
    """

    name: str = ""
    subnets: tuple[IpamConfig, ...] = ()
    mtu: int | None = None
    attachable: bool = False
    internal: bool = False
    encrypted: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, str], ...] = ()


def of_network(network: Network) -> NetworkSettings:
    """The settings that a network has, without what Swarm chose and what jobs wrote on it."""
    return NetworkSettings(
        name=network.name,
        subnets=tuple(replace(row, gateway=row.gateway.partition("/")[0]) for row in network.ipam),
        mtu=int(network.mtu) if network.mtu.isdecimal() else None,
        attachable=network.attachable,
        internal=network.internal,
        encrypted=network.encrypted,
        labels=tuple(sorted((k, v) for k, v in network.labels if not k.startswith(JOB_LABEL_PREFIX))),
        options=tuple(sorted((k, v) for k, v in network.options if k not in _NOT_CHOSEN)),
    )


def resolved(settings: NetworkSettings) -> NetworkSettings:
    """The settings without stray blanks, labels and options sorted, empty gateways filled in."""
    return replace(
        settings,
        name=settings.name.strip(),
        subnets=tuple(_resolved(row) for row in settings.subnets),
        labels=tuple(sorted(settings.labels)),
        options=tuple(sorted(settings.options)),
    )


def _resolved(row: IpamConfig) -> IpamConfig:
    subnet = row.subnet.strip()
    gateway = row.gateway.strip() or default_gateway(subnet)
    return IpamConfig(subnet=subnet, gateway=gateway, ip_range=row.ip_range.strip())
