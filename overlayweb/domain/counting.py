"""Numbers of things in sentences."""


def counted(number: int, noun: str) -> str:
    """ "1 service", "3 services"; of a noun whose plural takes an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
