"""What an engine answers when it refuses: an HTTP status and its own words."""


class ApiError(Exception):
    """The engine's answer to a call that it does not carry out: ``status`` of HTTP and the engine's ``message``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


# How the engine's HTTP side answers the codes of its Swarm part. Source: moby, httpstatus/status.go.
_STATUS = {
    "InvalidArgument": 400,
    "FailedPrecondition": 400,
    "PermissionDenied": 403,
    "NotFound": 404,
    "AlreadyExists": 409,
    "Unknown": 500,
    "Unimplemented": 501,
}


def rpc(code: str, description: str) -> ApiError:
    """A refusal by the Swarm part of the engine, which speaks gRPC: its code shows in the words."""
    return ApiError(_STATUS[code], f"rpc error: code = {code} desc = {description}")


def not_found(noun: str, ref: str) -> ApiError:
    """There is no such node, network, service or task."""
    return ApiError(404, f"{noun} {ref} not found")


def out_of_sequence() -> ApiError:
    """The version that was sent is not the current one."""
    return rpc("Unknown", "update out of sequence")


def name_taken(name: str) -> ApiError:
    """Another network bears the name, in the Swarm or on the engine that was asked."""
    return ApiError(409, f"network with name {name} already exists")


def no_swarm() -> ApiError:
    """The engine is in no Swarm."""
    return ApiError(
        503,
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to'
        " swarm and try again.",
    )


def not_a_manager() -> ApiError:
    """The engine is a worker, which shows nothing of the Swarm."""
    return ApiError(
        503,
        "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run"
        " this command on a manager node or promote the current node to a manager.",
    )


def no_leader() -> ApiError:
    """Half of the managers or more are away."""
    return rpc(
        "Unknown",
        "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half"
        " of the managers are online.",
    )
