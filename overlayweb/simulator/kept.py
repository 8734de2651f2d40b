"""Secrets and configs: kept whole, handed to nobody; services name them in their specs."""

from collections.abc import Mapping
from typing import Any

from overlayweb.simulator.errors import rpc
from overlayweb.simulator.records import Document
from overlayweb.simulator.store import Store


class Kept:
    """One kind of them: ``noun`` is secret or config. What a secret holds is never told again."""

    def __init__(self, store: Store, *, noun: str) -> None:
        self._store = store
        self._noun = noun
        self._rows: dict[str, Document] = {}

    def create(self, body: Mapping[str, Any]) -> Document:
        """Keep one. Raises ApiError 409 for a name that is taken."""
        name = str(body.get("Name") or "")
        if any(row["Spec"]["Name"] == name for row in self._rows.values()):
            raise rpc("AlreadyExists", f"{self._noun} {name} already exists")
        key = self._store.names.swarm_id()
        self._store.index += 1
        moment = self._store.moment(self._store.now)
        told = {name: value for name, value in body.items() if name != "Data" or self._noun == "config"}
        self._rows[key] = {
            "ID": key,
            "Version": {"Index": self._store.index},
            "CreatedAt": moment,
            "UpdatedAt": moment,
            "Spec": {"Labels": {}, **told},
        }
        return {"ID": key}

    def listed(self) -> list[Document]:
        """All of them."""
        return [*self._rows.values()]
