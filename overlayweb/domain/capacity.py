"""How full a subnet is, and how much more fits."""

from dataclasses import dataclass

from overlayweb.domain import subnets
from overlayweb.domain.addresses import Need, ingress_need
from overlayweb.domain.ingress_settings import subnet_of
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.subnets import Subnet
from overlayweb.domain.swarm import Swarm


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Addresses of a subnet or its ip-range: how many can be used, and what today's cluster takes of them."""

    usable: int
    need: Need

    @property
    def used(self) -> int:
        """Addresses that are taken, all kinds together."""
        return self.need.total

    @property
    def tight(self) -> int:
        """Above so many used addresses, room runs out soon."""
        return int(0.8 * self.usable)

    @property
    def full(self) -> int:
        """Above so many, it is as good as full."""
        return int(0.95 * self.usable)

    @property
    def free(self) -> int:
        """How many more fit; negative when it is too small."""
        return self.usable - self.need.total


def ingress_room(*, swarm: Swarm, settings: IngressSettings) -> Room | None:
    """The room that an ingress with these settings has; None while they name no subnet that can be used."""
    subnet, within = subnet_of(settings.subnet), subnet_of(settings.ip_range)
    if subnet is None or subnet.prefix_length > subnets.LONGEST_USABLE_PREFIX:
        return None
    block = within if within and subnet.covers(within) else None
    need = ingress_need(
        swarm=swarm, services=swarm.published_services, gateway=block is None or _has(block, settings.gateway)
    )
    return Room(usable=subnets.usable(subnet, block), need=need)


def _has(block: Subnet, address: str) -> bool:
    try:
        return block.has(subnets.parse_address(address))
    except subnets.NotAnAddressError:
        return True
