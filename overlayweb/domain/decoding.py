"""What a message of the engine or of Swarm means: message, likely cause, next action.

The messages are those that engines 20.10.24, 26.1.5 and 28.5.2 gave on the lab, and those of swarmkit's sources.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why it is likely said, and what to do about it; sentences."""

    cause: str
    remedy: str


_HOLDS_OLD = "The node still holds an ingress that the Swarm has removed."
_RESTART = "Nothing but a restart of its engine makes it let go."

_CAUSES = (
    ("ingress sandbox already present", Cause(cause=_HOLDS_OLD, remedy=_RESTART)),
    (
        "no configured subnet or ip-range contain",
        Cause(cause=f"The address is of another subnet than the node's ingress. {_HOLDS_OLD}", remedy=_RESTART),
    ),
    (
        "could not find network allocator state",
        Cause(
            cause="The leader has lost track of the network: it was removed while containers were on it.",
            remedy="The leader's engine has to be restarted, after the other nodes.",
        ),
    ),
    (
        "service needs ingress network",
        Cause(cause="The Swarm has no ingress network.", remedy="Create it first."),
    ),
    (
        "network with name ingress already exists",
        Cause(cause="The node that was asked has not let go of the old ingress yet.", remedy="Wait, then look again."),
    ),
    (
        "node is missing network attachments",
        Cause(
            cause="The node was given no address on one of the networks: none is free, or the node does not have it.",
            remedy="Look at the room that the networks have left first. If there is room, look at the ingress.",
        ),
    ),
    (
        "no suitable node",
        Cause(
            cause="No node is allowed, or has room, to run it.",
            remedy="Look at its constraints and reservations, and at the availability of the nodes.",
        ),
    ),
    (
        "No such image",
        Cause(cause="The node cannot get the image.", remedy="Look at its name, the registry and who may pull."),
    ),
)


def decode(message: str) -> Cause | None:
    """The likely cause of the message, whatever stands around it; None when it is not known."""
    return next((cause for words, cause in _CAUSES if words in message), None)
