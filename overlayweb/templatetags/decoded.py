"""What errors mean, beside them: cause, evidence, next action. ``templates/parts/decoded.html`` says how to use it."""

from typing import Any

from django import template
from django.template import Context

from overlayweb.domain import decoding
from overlayweb.domain.decoding import Decoded
from overlayweb.domain.plans import Finding
from overlayweb.domain.policy import Role
from overlayweb.domain.swarm import Network, Service, Swarm
from overlayweb.models import Cluster
from overlayweb.web import places

register = template.Library()

_PART = "parts/decoded.html"


@register.inclusion_tag(_PART, takes_context=True)
def decoded(
    context: Context, message: str, swarm: Swarm | None = None, service: Service | None = None
) -> dict[str, Any]:
    """What an engine's message means; nothing for one that is not known."""
    return _shown(context, decoding.decode(str(message or ""), swarm=swarm, service=service))


@register.inclusion_tag(_PART, takes_context=True)
def decoded_fold(context: Context, message: str, swarm: Swarm | None = None) -> dict[str, Any]:
    """The same, folded: where there is little room, such as in a banner."""
    return _shown(context, decoding.decode(message, swarm=swarm)) | {"fold": True}


@register.inclusion_tag(_PART, takes_context=True)
def decoded_finding(context: Context, finding: Finding) -> dict[str, Any]:
    """What a finding about the cluster means; its own remedy, where it has one, stands beside it already."""
    found = decoding.of_finding(finding, swarm=_swarm(context))
    # The repair page tells what to do about a node that holds a removed ingress in its own order.
    return _shown(context, found) | {"cause_only": finding.code == "node-stale"}


@register.inclusion_tag(_PART, takes_context=True)
def decoded_service(context: Context, service: Service, swarm: Swarm) -> dict[str, Any]:
    """Why a service runs fewer containers than it should; nothing where it does not."""
    return _shown(context, decoding.of_service(swarm=swarm, service=service)) | {"says": True}


@register.inclusion_tag(_PART, takes_context=True)
def decoded_network(context: Context, network: Network, swarm: Swarm) -> dict[str, Any]:
    """Why a network does not work; nothing where it does."""
    return _shown(context, decoding.of_network(swarm=swarm, network=network)) | {"says": True}


@register.inclusion_tag(_PART, takes_context=True)
def decoded_job(context: Context, message: str, job_id: int) -> dict[str, Any]:
    """What a sentence of a job that waits means, with what its cluster shows now."""
    if decoding.decode(message) is None:
        return {}
    cluster = places.of_job(job_id)
    swarm = cluster.swarm() if cluster else None
    return _shown(context, decoding.decode(message, swarm=swarm), cluster=cluster)


@register.inclusion_tag("parts/decoded_line.html")
def decoded_line(message: str) -> dict[str, Any]:
    """What a line of a log means, in one line: the log tells of then, so nothing is looked up now."""
    return {"found": decoding.decode(message)}


def _swarm(context: Context) -> Swarm | None:
    swarm = context.get("swarm")
    return swarm if isinstance(swarm, Swarm) else None


def _shown(context: Context, found: Decoded | None, cluster: Cluster | None = None) -> dict[str, Any]:
    if found is None:
        return {}
    frame = context.get("frame")
    here = cluster or context.get("cluster") or (frame.cluster if frame else None)
    # Parts of a job's page are rendered once for all who watch: they link only to what everybody may see.
    role = frame.role if frame else Role.READER
    url = places.url_of(found.go, cluster=here.name, role=role, demo=here.demo) if found.go and here else ""
    own = context.get("request")
    return {"found": found, "url": "" if own is not None and own.path == url else url}
