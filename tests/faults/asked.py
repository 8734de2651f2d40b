"""What a job that waits for a person asks for, read from its sentences."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_REMOVE = re.compile(r"\(id (\w+)\) was made by somebody else. Remove it by its id")
_RESTART = re.compile(r"run `systemctl restart docker` there|Restart dockerd on the manager")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """``restarts``: names of nodes whose engines are to be restarted; ``removals``: ids of networks to be removed."""

    restarts: tuple[str, ...]
    removals: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is anything that can be done."""
        return bool(self.restarts or self.removals)


def read(sentences: Sequence[str], *, nodes: Iterable[str]) -> Asked:
    """What the sentences ask for, of these nodes."""
    of_engines = [sentence for sentence in sentences if _RESTART.search(sentence)]
    restarts = tuple(name for name in nodes if any(name in said for said in of_engines))
    return Asked(restarts=restarts, removals=tuple(_REMOVE.findall(" ".join(sentences))))
