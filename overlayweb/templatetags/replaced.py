"""What the pages of a replacement show of its plan."""

from collections.abc import Iterator
from typing import Any

from django import template

from overlayweb.domain.network_plans import CreatePlan, DeletePlan
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.replace_plans import ReplacePlan

register = template.Library()


@register.inclusion_tag("parts/diff.html")
def network_diff(plan: ReplacePlan) -> dict[str, Any]:
    """Old and new settings, one row each: (name, old, new)."""
    old, new = dict(_shown(plan.before, no_subnet="none")), dict(_shown(plan.after))
    return {"rows": [(name, old[name], new[name]) for name in new], "nothing_before": False}


def _shown(settings: NetworkSettings, *, no_subnet: str = "Swarm chooses") -> Iterator[tuple[str, str]]:
    yield "Name", settings.name
    yield "Subnets", ", ".join(row.subnet for row in settings.subnets) or no_subnet
    yield "Gateways", ", ".join(row.gateway for row in settings.subnets if row.gateway) or no_subnet
    yield "IP ranges", ", ".join(row.ip_range for row in settings.subnets if row.ip_range) or "unset"
    yield "MTU", str(settings.mtu or "unset")
    flags = {"Attachable": settings.attachable, "Internal": settings.internal, "Encrypted": settings.encrypted}
    yield from ((name, "yes" if on else "no") for name, on in flags.items())
    yield "Labels", " ".join(f"{key}={value}" for key, value in settings.labels) or "none"
    yield "Options", " ".join(f"{key}={value}" for key, value in settings.options) or "none"


@register.inclusion_tag("parts/network_settings.html")
def network_settings(plan: CreatePlan | DeletePlan) -> dict[str, Any]:
    """The settings of the one network that is made, or goes."""
    if isinstance(plan, CreatePlan):
        return {"rows": list(_shown(plan.after))}
    return {"rows": list(_shown(plan.before, no_subnet="none"))}
