"""Everything that an engine may answer other than what was asked for."""


class EngineError(Exception):
    """The engine did not do what was asked. The message is fit for a person and says what to do.

    ``permanent``: asking again without a change will not help.
    """

    permanent = True


class EngineUnreachable(EngineError):
    """No answer: not running, not allowed, timed out, reset, or a broken answer. The call may have taken effect."""

    permanent = False


class EngineFault(EngineError):
    """The engine answered with an error of its own (5xx). It may have taken effect."""

    permanent = False


class NotAManager(EngineError):
    """The engine is not a manager of a Swarm."""


class VersionConflict(EngineError):
    """The object was changed since it was read (``update out of sequence``). Read again, compare, retry."""

    permanent = False


class NotFound(EngineError):
    """The object is gone (404)."""


class AlreadyExists(EngineError):
    """An object of that name, or a second ingress, is there already (409)."""

    permanent = False


class Refused(EngineError):
    """The engine refuses the request as it stands (400, 403)."""
