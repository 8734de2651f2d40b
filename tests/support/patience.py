"""How long tests wait before they give up."""

_BUSY = 4.0


def patient(seconds: float) -> float:
    """The limit for what takes at most ``seconds`` on a quiet machine: a busy one takes longer, and hangs are meant."""
    return seconds * _BUSY
