"""What a job's page calls things that differ by the kind of change: the way back, and how a service is treated."""

from collections.abc import Mapping

from overlayweb.domain import connect_plans, container_plans, init_plans, join_plans, network_plans, replace_plans
from overlayweb.domain.lifecycle import Pass
from overlayweb.domain.plans import Strategy

_OF_INGRESS: Mapping[str, str] = {
    Pass.PUT_BACK: "The way back: every service gets its ports again",
    Pass.RESTORE: "The way back: the old ingress is built again",
}
_HEADINGS: Mapping[str, Mapping[str, str]] = {
    replace_plans.KIND: {
        Pass.PUT_BACK: "The way back: every service goes back onto the old network",
        Pass.RESTORE: "The old network is gone: every service goes onto the new one",
    },
    connect_plans.KIND: {Pass.PUT_BACK: "The way back: every service gets its networks back"},
    container_plans.KIND: {Pass.PUT_BACK: "The way back: every container gets its networks back"},
    network_plans.CREATE: {Pass.PUT_BACK: "The way back: what was made is removed"},
    init_plans.KIND: {Pass.RESTORE: "A Swarm is not unmade by a job: what stands"},
    join_plans.KIND: {Pass.RESTORE: "A node is not taken out by a job: what stands"},
    network_plans.DELETE: {Pass.RESTORE: "The network is gone: its removal is finished"},
}
_MOVES_SERVICES = frozenset({connect_plans.KIND, replace_plans.KIND})
_STRATEGIES: Mapping[str, str] = {
    Strategy.STOP: "stop",
    Strategy.UNPUBLISH: "unpublish",
    Strategy.AUTOMATIC: "left alone",
}


def heading(kind: str, of_pass: str) -> str:
    """What stands above the steps of this pass, "" for the way forward."""
    return _HEADINGS.get(kind, _OF_INGRESS).get(of_pass, "")


def restoring(kind: str) -> str:
    """What a job does that turned round after its point of no return."""
    return "Finishing" if kind in _HEADINGS else "Restoring the old ingress"


def strategy(kind: str, chosen: str) -> str:
    """How a service is treated."""
    return "by its own update config" if kind in _MOVES_SERVICES else _STRATEGIES[chosen]
