"""Random identities, all from one seed."""

import random

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_HEX = "0123456789abcdef"
SWARM_ID_LENGTH = 25
CONTAINER_ID_LENGTH = 64


class Names:
    """Makes ids as an engine does, and every other random choice of the world."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # a story that can be repeated, no secret

    def swarm_id(self) -> str:
        """The id of a node, network, service or Swarm task."""
        return "".join(self.random.choices(_DIGITS, k=SWARM_ID_LENGTH))

    def container_id(self) -> str:
        """The id of a container or of a network of one engine alone."""
        return self.hexadecimal(CONTAINER_ID_LENGTH)

    def hexadecimal(self, length: int) -> str:
        """So many hexadecimal digits."""
        return "".join(self.random.choices(_HEX, k=length))

    def around(self, seconds: float, spread: float = 0.2) -> float:
        """A time that differs from ``seconds`` by up to this share of it."""
        return seconds * (1 + spread * (2 * self.random.random() - 1))
