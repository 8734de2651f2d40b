"""One service attached to one overlay, or detached from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What is asked for: full ids of both. ``aliases``: further names by which others on the network find it."""

    service_id: str
    network_id: str
    attach: bool = True
    aliases: tuple[str, ...] = ()
