"""What is asked for of one service: an overlay that it comes onto or leaves, ports that it publishes or gives up."""

from dataclasses import dataclass

from overlayweb.domain.ports import PublishedPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One service on one overlay; full ids of both. ``aliases``: further names by which others there find it."""

    service_id: str
    network_id: str
    attach: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Published ports of one service that come and that go; all others stay."""

    service_id: str
    publish: tuple[PublishedPort, ...] = ()
    unpublish: tuple[PublishedPort, ...] = ()

    def of(self, ports: tuple[PublishedPort, ...]) -> tuple[PublishedPort, ...]:
        """What becomes of these ports."""
        kept = tuple(port for port in ports if port not in self.unpublish)
        return (*kept, *(port for port in self.publish if port not in kept))
