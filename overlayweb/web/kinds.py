"""How each kind of change looks: the parts of its plan, and the form in which it is asked for again."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse

from overlayweb.domain import (
    connect_plans,
    container_plans,
    ingress_plans,
    init_plans,
    join_plans,
    network_plans,
    repair_plans,
    replace_plans,
)
from overlayweb.models import ChangeRequest
from overlayweb.web import connect, containers, ingress, memberships, network_replace, networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """``name``: what the kind is called in a list to choose from.

    ``impact``, ``plan``: template parts with the numbers of a plan and the rest of it; they get ``plan``.

    ``again``: answers with the form, filled with what an older change asked for, or takes what was posted from it.
    """

    name: str
    impact: str
    plan: str
    again: Callable[[HttpRequest, ChangeRequest], HttpResponse]


LOOKS: dict[str, Look] = {
    ingress_plans.KIND: Look(
        name="Ingress rebuild", impact="parts/impact.html", plan="parts/plan.html", again=ingress.again
    ),
    repair_plans.KIND: Look(
        name="Mesh repair", impact="parts/repair_impact.html", plan="parts/repair_plan.html", again=ingress.again
    ),
    network_plans.CREATE: Look(
        name="New network", impact="parts/network_impact.html", plan="parts/network_plan.html", again=networks.again
    ),
    replace_plans.KIND: Look(
        name="Replaced network",
        impact="parts/replace_impact.html",
        plan="parts/replace_plan.html",
        again=network_replace.again,
    ),
    network_plans.DELETE: Look(
        name="Deleted network", impact="parts/network_impact.html", plan="parts/network_plan.html", again=networks.again
    ),
    connect_plans.KIND: Look(
        name="Service networks or ports",
        impact="parts/connect_impact.html",
        plan="parts/connect_plan.html",
        again=connect.again,
    ),
    container_plans.KIND: Look(
        name="Connected containers",
        impact="parts/network_impact.html",
        plan="parts/container_plan.html",
        again=containers.again,
    ),
    init_plans.KIND: Look(
        name="New Swarm", impact="parts/network_impact.html", plan="parts/init_plan.html", again=memberships.again
    ),
    join_plans.KIND: Look(
        name="Joined engine", impact="parts/network_impact.html", plan="parts/join_plan.html", again=memberships.again
    ),
}
