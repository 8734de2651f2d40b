"""The settings of an ingress network: read from a network, and resolved from what a person typed."""

from dataclasses import replace

from overlayweb.domain import subnets
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.swarm import IpamConfig, Network

MTU_OPTION = "com.docker.network.driver.mtu"
VXLAN_IDS_OPTION = "com.docker.network.driver.overlay.vxlanid_list"
"""Swarm chooses it anew for each network; it is not a setting."""

JOB_LABEL_PREFIX = "com.overlayweb."
"""Labels by which a job finds again what it created: not a person's to choose."""

JOB_LABEL = f"{JOB_LABEL_PREFIX}job"
"""On each network that a job makes: the job's number, then which of its networks it is, as in ``12-1``."""


_LONGEST_NUMBER = 18
"""Digits of a job's number that a database holds: anybody may write a label."""


def job_of(network: Network) -> int | None:
    """The number of the job that made the network, by its label; None for one that was made outside."""
    number = dict(network.labels).get(JOB_LABEL, "").partition("-")[0]
    return int(number) if number.isdecimal() and len(number) <= _LONGEST_NUMBER else None


def settings_of(network: Network) -> IngressSettings:
    """The settings that a network has: its first IPv4 subnet, its MTU where that is a number, a person's labels."""
    ipam = ipv4_ipam(network)
    return IngressSettings(
        name=network.name,
        subnet=ipam.subnet,
        gateway=ipam.gateway.partition("/")[0],
        mtu=int(network.mtu) if network.mtu.isdecimal() else None,
        ip_range=ipam.ip_range,
        labels=tuple(sorted((k, v) for k, v in network.labels if not k.startswith(JOB_LABEL_PREFIX))),
    )


def ipv4_ipam(network: Network) -> IpamConfig:
    """The first IPv4 subnet of a network, or an empty one for a network that Swarm has not allocated."""
    found = (ipam for ipam in network.ipam if subnets.parse_or_none(ipam.subnet))
    return next(found, IpamConfig(subnet=""))


def resolved(settings: IngressSettings) -> IngressSettings:
    """The settings without stray blanks, labels sorted, and an empty gateway filled in.

    The gateway becomes the first usable address of the subnet. Docker would take the first one of the ip-range
    instead; a gateway outside the ip-range is valid, and leaves the range to containers.
    """
    trimmed = replace(
        settings,
        name=settings.name.strip(),
        subnet=settings.subnet.strip(),
        gateway=settings.gateway.strip(),
        ip_range=settings.ip_range.strip(),
        labels=tuple(sorted(settings.labels)),
    )
    return trimmed if trimmed.gateway else replace(trimmed, gateway=default_gateway(trimmed.subnet))


def default_gateway(subnet_text: str) -> str:
    """The first usable address of the subnet as text, or "" where there is none."""
    subnet = subnet_of(subnet_text)
    address = subnets.first_usable(subnet) if subnet else None
    return subnets.address_text(address) if address is not None else ""


def subnet_of(text: str) -> Subnet | None:
    """The subnet that the text names exactly, or None."""
    if not text:
        return None
    try:
        return subnets.parse(text)
    except subnets.NotASubnetError:
        return None
