"""What an engine is to a Swarm, and making it part of one: asked of any engine, a manager or not."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from overlayweb.domain.membership import DEFAULT_SIZE, TOKEN_PLACE, InitRequest, JoinRequest
from overlayweb.domain.readiness import EngineView, Membership
from overlayweb.engine import reading
from overlayweb.engine.calls import Calls
from overlayweb.engine.errors import EngineError

_EVERYWHERE = "0.0.0.0:2377"
_ROTATE = {"worker": "rotateWorkerToken", "manager": "rotateManagerToken"}
_TOKENS = {"worker": "Worker", "manager": "Manager"}


class Members:
    """One engine and its part in a Swarm. Every call may raise EngineError. ``calls``: those of a DockerEngine."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def close(self) -> None:
        """End the connections to the engine."""
        self._calls.close()

    def view(self, hostname: str = "") -> EngineView:
        """What the engine tells of itself, with the networks of its own. ``hostname`` "": as it calls itself."""
        found = self._calls.get("info", as_=lambda raw: _view(raw, hostname), doing="read what the engine is")
        local = self._calls.rows(
            "networks",
            as_=reading.network,
            doing="read the engine's own networks",
            filters=json.dumps({"scope": ["local"]}),
        )
        return replace(found, networks=local)

    def token(self, role: str) -> str:
        """The token by which a "worker" or "manager" joins. Only managers have it."""
        return self._calls.get("swarm", as_=lambda raw: str(raw["JoinTokens"][_TOKENS[role]]), doing="read the token")

    def rotate(self, role: str) -> None:
        """Make a new token for this role; who is in the Swarm stays. Raises VersionConflict; the other token stays."""
        version, spec = self._calls.get("swarm", as_=reading.version_and_spec, doing="read the Swarm")
        query = {"version": str(version), _ROTATE[role]: "true"}
        self._calls.post("swarm", "update", body=json.dumps(spec), doing=f"rotate the {role} token", **query)

    def clock(self) -> datetime:
        """What time it is by the engine's own clock."""
        return self._calls.get("info", as_=lambda raw: _moment(raw["SystemTime"]), doing="read the engine's clock")

    def founded_at(self) -> datetime:
        """When the Swarm was made, by the clock of the engine that made it. Only managers know."""
        return self._calls.get("swarm", as_=lambda raw: _moment(raw["CreatedAt"]), doing="read the Swarm")

    def initialise(self, request: InitRequest) -> str:
        """Make a Swarm of this engine; returns the id of its node. Refused where it is part of one.

        A pool without a size is taken by engines, and ends their allocator for good ("invalid pools size: 0"): as the
        docker command does, we name the size that is meant.
        """
        body = {
            "ListenAddr": _EVERYWHERE,
            "AdvertiseAddr": request.advertise,
            "DataPathAddr": request.data_path,
            "DataPathPort": request.data_path_port or 0,
            "DefaultAddrPool": [*request.pools],
            "SubnetSize": (request.size or DEFAULT_SIZE) if request.pools else 0,
        }
        return str(self._calls.post("swarm", "init", body=json.dumps(body), doing="make a Swarm"))

    def join(self, request: JoinRequest, *, token: str) -> None:
        """Let this engine join a Swarm. Refused where it is part of one. No error says the token."""
        body = {
            "ListenAddr": _EVERYWHERE,
            "AdvertiseAddr": request.advertise,
            "DataPathAddr": request.data_path,
            "RemoteAddrs": [request.remote],
            "JoinToken": token,
        }
        try:
            self._calls.post("swarm", "join", body=json.dumps(body), doing="join the Swarm")
        except EngineError as error:
            raise type(error)(str(error).replace(token, TOKEN_PLACE)) from None


def _view(raw: dict[str, Any], hostname: str) -> EngineView:
    swarm = raw.get("Swarm") or {}
    return EngineView(
        hostname=hostname or raw.get("Name", ""),
        membership=_membership(swarm),
        node_id=swarm.get("NodeID", ""),
        address=swarm.get("NodeAddr", ""),
        os=raw.get("OSType", ""),
        kernel=raw.get("KernelVersion", ""),
        engine_version=raw.get("ServerVersion", ""),
        engine_id=raw.get("ID", ""),
        managers=tuple(sorted(row["Addr"] for row in swarm.get("RemoteManagers") or ())),
        swarm_error=swarm.get("Error", ""),
    )


def _moment(text: str) -> datetime:
    found = reading.moment(text)
    if found is None:
        raise ValueError(text)
    return found


def _membership(swarm: dict[str, Any]) -> Membership:
    state = swarm.get("LocalNodeState", "")
    if state == "active":
        return Membership.MANAGER if swarm.get("ControlAvailable") else Membership.WORKER
    return {"inactive": Membership.NONE, "": Membership.NONE, "locked": Membership.LOCKED}.get(state, Membership.BROKEN)
