"""Published ports, in Docker's words."""

from dataclasses import dataclass

INGRESS_MODE = "ingress"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    """One published port. ``published_port`` 0: Swarm chooses. ``publish_mode``: "ingress" or "host"."""

    target_port: int
    published_port: int
    protocol: str = "tcp"
    publish_mode: str = INGRESS_MODE

    def __str__(self) -> str:
        return f"{self.published_port or 'auto'}→{self.target_port}/{self.protocol}"
