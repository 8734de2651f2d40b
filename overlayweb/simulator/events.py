"""Events: what changed, numbered; hints, never proof. There are none of Swarm tasks."""

from collections import deque
from datetime import datetime
from typing import Any

from overlayweb.simulator.agenda import Agenda
from overlayweb.simulator.records import Document, Network, Node, Record, Service

KEPT = 256
_NANOSECONDS = 1_000_000_000


class Events:
    """The last 256 events, as the engine keeps them for who comes back, also from an earlier Swarm of its."""

    def __init__(self, agenda: Agenda, started_at: datetime) -> None:
        self._agenda = agenda
        self._started_at = started_at
        self._kept: deque[Document] = deque(maxlen=KEPT)
        self._count = 0

    def say(self, kind: str, action: str, record: Record, **attributes: str) -> None:
        """Tell of a node, network or service: action is create, update or remove."""
        self._count += 1
        epoch = self._started_at.timestamp() + self._agenda.now
        self._kept.append(
            {
                "seq": self._count,
                "Type": kind,
                "Action": action,
                "Actor": {"ID": record.id, "Attributes": {"name": _name(record), **attributes}},
                "scope": "swarm",
                "time": int(epoch),
                "timeNano": int(epoch * _NANOSECONDS),
            }
        )

    def since(self, after: int) -> list[Document]:
        """Those with a number above ``after`` that are still kept."""
        return [event for event in self._kept if event["seq"] > after]


def _name(record: Any) -> str:
    return str(record.name) if isinstance(record, Node | Network | Service) else ""
