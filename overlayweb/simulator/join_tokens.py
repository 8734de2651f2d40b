"""The tokens by which nodes join: one for each role, made anew when somebody asks for it.

Source: swarmkit, ca/config.go (form of a token) and manager/controlapi/cluster.go (rotation is part of an update).
"""

import random

from overlayweb.simulator.errors import out_of_sequence
from overlayweb.simulator.records import Document
from overlayweb.simulator.store import Store

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_DIGEST_LENGTH, _SECRET_LENGTH = 50, 25
ROLES = ("Worker", "Manager")


class JoinTokens:
    """Both tokens of a Swarm, and the version of the Swarm's own record, which rises with each update of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turns = dict.fromkeys(ROLES, 0)
        self.version = 1

    def document(self, swarm_id: str) -> Document:
        """What GET /swarm tells of them."""
        return {role: self._token(swarm_id, role) for role in ROLES}

    def update(self, version: int, *, rotate: tuple[str, ...]) -> None:
        """Make those of these roles anew. Raises ApiError for a version that is not the current one."""
        if version != self.version:
            raise out_of_sequence()
        self._store.index += 1
        self.version = self._store.index
        for role in rotate:
            self._turns[role] += 1

    def _token(self, swarm_id: str, role: str) -> str:
        # Of the Swarm's id alone: the choices of the rest of the world do not depend on who looks at a token.
        digest = _digits(f"{swarm_id} root", _DIGEST_LENGTH)
        return f"SWMTKN-1-{digest}-{_digits(f'{swarm_id} {role} {self._turns[role]}', _SECRET_LENGTH)}"


def _digits(seed: str, length: int) -> str:
    return "".join(random.Random(seed).choices(_DIGITS, k=length))  # noqa: S311  # a story, no secret
