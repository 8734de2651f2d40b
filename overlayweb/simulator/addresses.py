"""Subnets and addresses: what Swarm's allocator gives out, and where it finds none."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator

from overlayweb.simulator.records import Document

HostRange = tuple[int, int]
_LONGEST_PREFIX = 30


class NoAddressError(Exception):
    """All are taken, or what was asked for is."""


class Subnet:
    """The addresses of one allocated network. They are given out one after the other, as the engine does.

    ``address()`` gives "10.0.0.5/24": with the length of the subnet, as Swarm writes them.
    """

    def __init__(self, config: Document) -> None:
        self.block = ipaddress.IPv4Network(config["Subnet"], strict=False)
        giving = ipaddress.IPv4Network(config.get("IPRange") or str(self.block), strict=False)
        ends = 0 if self.block.prefixlen > _LONGEST_PREFIX else 1  # what is its own and its broadcast address
        self._first = max(int(giving[0]), int(self.block[0]) + ends)
        self._last = min(int(giving[-1]), int(self.block[-1]) - ends)
        self._used: set[int] = set()
        self._next = self._first
        self.gateway = self._gateway(config.get("Gateway", ""))

    @property
    def free(self) -> int:
        """How many addresses are left."""
        taken = sum(self._first <= number <= self._last for number in self._used)
        return max(0, self._last - self._first + 1 - taken)

    @property
    def status(self) -> Document:
        """What engines tell of it from API 1.52 on; its own and its broadcast address are in use. Source: moby."""
        return {
            "IPsInUse": len(self._used | {int(self.block[0]), int(self.block[-1])}),
            "DynamicIPsAvailable": self.free,
        }

    def address(self) -> str:
        """Give out the next free one. Raises NoAddressError."""
        size = self._last - self._first + 1
        for step in range(size):
            number = self._first + (self._next - self._first + step) % size
            if number not in self._used:
                self._used.add(number)
                self._next = number + 1
                return self._text(number)
        raise NoAddressError("no available IPv4 addresses on this network's address pools")

    def take(self, address: str) -> None:
        """Note that this one is in use."""
        self._used.add(int(ipaddress.IPv4Address(address.partition("/")[0])))

    def release(self, address: str) -> None:
        """Take it back."""
        self._used.discard(int(ipaddress.IPv4Address(address.partition("/")[0])))

    def _gateway(self, asked: str) -> str:
        if asked:
            self.take(asked)
            return asked
        return self.address().partition("/")[0]

    def _text(self, number: int) -> str:
        return f"{ipaddress.IPv4Address(number)}/{self.block.prefixlen}"


class Space:
    """The addresses of a network of one or more subnets, each of which has a gateway of its own.

    ``order``: in which of several subnets a free address is looked for first; engines leave that to chance.
    Source: moby, cnmallocator (a map of pools); a lab of engine 20.10.
    """

    def __init__(self, configs: Iterable[Document], *, order: Callable[[list[Subnet]], list[Subnet]]) -> None:
        self.subnets = [Subnet(config) for config in configs]
        self._order = order

    def address(self) -> str:
        """Give out a free one of any subnet. Raises NoAddressError."""
        subnets = self._order(self.subnets) if len(self.subnets) > 1 else self.subnets
        with_room = next((subnet for subnet in subnets if subnet.free), subnets[0])
        return with_room.address()

    def take(self, address: str) -> None:
        """Note that this one is in use."""
        self._of(address).take(address)

    def release(self, address: str) -> None:
        """Take it back."""
        self._of(address).release(address)

    def _of(self, address: str) -> Subnet:
        number = ipaddress.IPv4Address(address.partition("/")[0])
        return next(subnet for subnet in self.subnets if number in subnet.block)


class Pools:
    """Which subnets are taken, and the next one of the Swarm's default pools.

    ``goes_on``: engines before 27 do not come back to a subnet that was freed until all others had their turn.
    ``old``: engines before API 1.44 find no address for a gateway in a /31.
    """

    def __init__(
        self,
        *,
        pools: Iterable[str],
        subnet_size: int,
        goes_on: bool,
        old: bool,
        order: Callable[[list[Subnet]], list[Subnet]],
    ) -> None:
        self._order = order
        self._pools = [ipaddress.IPv4Network(pool, strict=False) for pool in pools]
        self._size = subnet_size
        self._goes_on = goes_on
        self._old = old
        self._turn = 0
        self.taken: dict[str, Space] = {}
        self.refused: list[ipaddress.IPv4Network] = []

    def allocate(self, network_id: str, configs: Iterable[Document]) -> list[Document]:
        """Take the asked subnets, or the next of the pools. Returns what the network's IPAM will say.

        Raises NoAddressError where one overlaps one that is taken; then none is. With an IPRange the engine does not
        look at all. Pools without a size end its allocator for good: then it takes none at all.
        """
        if not self._size:
            raise NoAddressError("invalid pools size: 0")
        settled: list[Document] = []
        for config in configs:
            settled.append({**config, "Subnet": str(self._block_for(config, [_block(row) for row in settled]))})
        space = self.taken[network_id] = Space(settled, order=self._order)
        return [_told(config, subnet) for config, subnet in zip(settled, space.subnets, strict=True)]

    def refuse(self, subnet: str) -> None:
        """Take these addresses away from Swarm, as if something that it does not show had them."""
        self.refused.append(ipaddress.IPv4Network(subnet))

    def allow(self, subnet: str) -> None:
        """Give them back."""
        self.refused = [block for block in self.refused if block != ipaddress.IPv4Network(subnet)]

    def restore(self, network_id: str, configs: Iterable[Document]) -> None:
        """Note subnets that were allocated before, with nothing but their gateways taken."""
        self.taken[network_id] = Space(configs, order=self._order)

    def release(self, network_id: str) -> None:
        """Give the subnet back."""
        self.taken.pop(network_id, None)

    def _block_for(self, config: Document, own: list[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
        taken = [subnet.block for space in self.taken.values() for subnet in space.subnets] + own
        if not config.get("Subnet"):
            return self._next_block(taken + self.refused)
        block = _block(config)
        if block.prefixlen > _LONGEST_PREFIX and self._old:
            raise NoAddressError(f"failed to allocate gateway: no available addresses in {block}")
        looked_at = self.refused + ([] if config.get("IPRange") else taken)
        if any(block.overlaps(other) for other in looked_at):
            raise NoAddressError("Pool overlaps with other one on this address space")
        return block

    def _next_block(self, taken: list[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
        for turn, block in self._blocks():
            if not any(block.overlaps(other) for other in taken):
                self._turn = turn + 1
                return block
        raise NoAddressError("could not find an available, non-overlapping IPv4 address pool among the defaults")

    def _blocks(self) -> Iterator[tuple[int, ipaddress.IPv4Network]]:
        counts = [1 << (self._size - pool.prefixlen) for pool in self._pools]
        total, first = sum(counts), self._turn if self._goes_on else 0
        for step in range(total):
            turn = (first + step) % total
            yield turn, self._block(turn, counts)

    def _block(self, turn: int, counts: list[int]) -> ipaddress.IPv4Network:
        for pool, count in zip(self._pools, counts, strict=True):
            if turn < count:
                start = int(pool[0]) + (turn << (32 - self._size))
                return ipaddress.IPv4Network((start, self._size))
            turn -= count
        raise NoAddressError("the default address pools are empty")


def _block(config: Document) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(config["Subnet"], strict=False)


def _told(config: Document, subnet: Subnet) -> Document:
    told = {"Subnet": config["Subnet"], "Gateway": subnet.gateway}
    return {**told, "IPRange": config["IPRange"]} if config.get("IPRange") else told
