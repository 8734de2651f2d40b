"""What happens in a run: a stage, and deeds at points of the worker's way. Plain records that go through JSON."""

import json
import random
from dataclasses import asdict, dataclass
from typing import Any

UNCOMMITTED = "writing"
"""Points whose label begins so lie inside a transaction: nobody else can write to the database meanwhile."""

READ_FAULTS = ("slow", "reset", "timeout", "cut", "500", "503")
"""What can happen to a call that changes nothing."""
CALL_FAULTS = (*READ_FAULTS, "lost", "lost_timeout")
"""What can happen to a call. ``lost``: carried out, the answer lost; ``lost_timeout``: likewise, without an end.

To a read the two are what ``reset`` and ``timeout`` are.
"""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that happens when the worker at work has passed ``after`` points since the last deed.

    ``kind``: kill; freeze (thawed when another has taken over) or freeze_long (thawed when the job is over); cancel,
    restore (a person asks for it); call (``what`` befalls the next call); crash (a node, ``what``), daemon (restart
    the node's daemon); edit (a stranger edits service ``what``); deploy (a stranger deploys it again as it was before
    the job); ingress (a stranger puts another ingress there,
    named ``what``); refuse (the allocator finds the addresses that were asked for taken, by something that no manager
    shows); double (a second message); late (the message of now comes once more when another worker has taken over,
    and when the job is over); lose (all messages); full (no room on the database's disk, for half a minute).
    """

    kind: str
    after: int
    what: str = ""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A stage by its name, and what happens there. ``record``: write the points down that a worker passes.

    ``stride``: whoever sleeps for less oversleeps to so many seconds, as on a loaded machine: ten looks a second see
    little more than one, and cost ten times as much.
    """

    stage: str
    deeds: tuple[Deed, ...] = ()
    record: bool = False
    stride: float = 1.0

    def to_json(self) -> str:
        """One line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Scenario":
        """What :meth:`to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        return cls(**{**raw, "deeds": tuple(Deed(**deed) for deed in raw["deeds"])})

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its deeds."""
        return frozenset(deed.kind for deed in self.deeds)

    @property
    def waits_for_silence(self) -> bool:
        """Whether a call of it goes without an answer."""
        return any(deed.kind == "call" and "timeout" in deed.what for deed in self.deeds)


def of_seed(seed: int) -> Scenario:
    """A random schedule of one to three faults, always the same for the same seed."""
    chance = random.Random(f"schedule {seed}")  # noqa: S311  # repeatable, not secret
    stage = chance.choices(list(_STAGES), weights=list(_STAGES.values()))[0]
    deeds = [_deed(chance, stage) for _ in range(chance.choice([1, 2, 2, 3, 3, 3]))]
    if chance.random() < _WISH:
        deeds.insert(chance.randrange(len(deeds) + 1), Deed(kind="cancel", after=_after(chance)))
    return Scenario(stage=stage, deeds=tuple(deeds), stride=chance.choice(_STRIDES))


_STAGES = {
    "stop": 4,
    "unpublish": 4,
    "repair": 2,
    "replace": 2,
    "same_name": 1,
    "create": 1,
    "delete": 1,
    "connect": 2,
    "containers": 1,
}
_EVERYWHERE = ("web", "agent", "inner")
_SERVICES = {"stop": (*_EVERYWHERE, "slow"), "unpublish": (*_EVERYWHERE, "slow"), "replace": (*_EVERYWHERE, "worker")}
_TAKES_PORTS = ("stop", "unpublish")
_WISH = 0.2
_STRIDES = (0.4, 1.0, 2.5)
_WEIGHTS = {
    "kill": 5,
    "freeze": 2,
    "freeze_long": 1,
    "call": 6,
    "crash": 1,
    "daemon": 1,
    "edit": 2,
    "deploy": 1,
    "double": 1,
    "late": 1,
    "lose": 1,
}


def _deed(chance: random.Random, stage: str) -> Deed:
    kind = chance.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))[0]
    if kind == "deploy" and stage not in _TAKES_PORTS:
        kind = "edit"
    what = {
        "call": chance.choice(CALL_FAULTS),
        "crash": chance.choice(["node2", "node3"]),
        "daemon": chance.choice(["node1", "node2", "node3"]),
        "edit": chance.choice(_SERVICES.get(stage, _EVERYWHERE)),
        "deploy": chance.choice(_SERVICES.get(stage, _EVERYWHERE)),
    }.get(kind, "")
    return Deed(kind=kind, after=_after(chance), what=what)


def _after(chance: random.Random) -> int:
    # Short gaps fall into one another, long ones reach the end of a job.
    return int(chance.choice([5, 50, 150, 400]) * chance.random())
