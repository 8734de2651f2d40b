"""Filters of lists, as the engine takes them: each key must match, by any of its values."""

from collections.abc import Iterable, Mapping

from overlayweb.simulator.errors import ApiError

Filters = Mapping[str, Iterable[str]]


class Query:
    """Filters of one call. Raises ApiError 400 for a key that the list does not know; ``old`` engines shout it."""

    def __init__(self, filters: Filters | None, *, known: frozenset[str], old: bool) -> None:
        self._wanted = {key: tuple(values) for key, values in (filters or {}).items()}
        for key in self._wanted:
            if key not in known:
                raise ApiError(400, f"{'Invalid' if old else 'invalid'} filter '{key}'")

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def values(self, key: str) -> tuple[str, ...]:
        """What is asked of the key, () when nothing is."""
        return self._wanted.get(key, ())

    def exact(self, key: str, *values: str) -> bool:
        """Whether one of the object's ``values`` is asked for, or nothing is."""
        wanted = self._wanted.get(key)
        return not wanted or any(value in wanted for value in values)

    def begins(self, key: str, *values: str) -> bool:
        """Whether a value begins with what is asked for: ids and names are told by their beginning."""
        wanted = self._wanted.get(key)
        return not wanted or any(value.startswith(part) for value in values for part in wanted)

    def contains(self, key: str, value: str) -> bool:
        """Whether the value holds what is asked for somewhere."""
        wanted = self._wanted.get(key)
        return not wanted or any(part in value for part in wanted)

    def flag(self, key: str, *, value: bool) -> bool:
        """Whether a yes-or-no is as asked for."""
        wanted = self._wanted.get(key)
        return not wanted or any((part.lower() in {"true", "1"}) == value for part in wanted)

    def labels(self, key: str, labels: Mapping[str, str]) -> bool:
        """Whether all labels that are asked for are there: ``name`` or ``name=value``."""
        return all(_has_label(part, labels) for part in self._wanted.get(key, ()))


def _has_label(wanted: str, labels: Mapping[str, str]) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)
