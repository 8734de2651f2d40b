"""How often Python looks for garbage that refers to itself. All other garbage goes at once, whatever is set here."""

import gc

NEW, MIDDLE, OLD = 10_000, 10, 10
"""Python's own are 700, 10 and 10: it looks at what is new, at what is a little older, at everything."""


def seldom() -> None:
    """Look fourteen times as seldom as Python would by itself.

    For processes that hold observations. Of ten thousand networks and services, looking through all that follows from
    one takes 0.17 s, in whichever request it falls: that was every fifth. A page refers to itself by what Django's
    templates keep, and to its observation; it is among what is new, so that no replaced observation waits for the look
    at everything.
    """
    gc.set_threshold(NEW, MIDDLE, OLD)
