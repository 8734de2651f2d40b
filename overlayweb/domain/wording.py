"""Lists and numbers of things, as people read them."""

from collections.abc import Iterable


def several(names: Iterable[str], *, most: int = 3) -> str:
    """ "a", "a and b", "a, b, c and 1,004 more"; "" for none. At most ``most`` are named."""
    all_names = list(names)
    shown, left = all_names[:most], len(all_names) - most
    if left > 0:
        return f"{', '.join(shown)} and {left:,} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def counted(number: int, noun: str) -> str:
    """ "1 service", "3 services"; of a noun whose plural takes an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
