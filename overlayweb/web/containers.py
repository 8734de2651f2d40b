"""The form in which standalone containers are connected to an attachable overlay and disconnected."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain import container_plans
from overlayweb.domain.container_plans import ContainerLink, ContainerPlan, ContainerRequest
from overlayweb.domain.swarm import Network, Swarm
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes
from overlayweb.web import asking
from overlayweb.web.access import asker
from overlayweb.web.clusters import get_cluster
from overlayweb.web.listing import is_fragment
from overlayweb.web.missing import MissingError

PAGE = "containers.html"
CHECK = "check"
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One container of the form. ``key``: its node's id and its own, with a colon between; ``ticked``: as typed."""

    key: str
    name: str
    detail: str
    hostname: str
    attached: bool
    ticked: bool


@dataclass(kw_only=True)
class Draft:
    """The form about one network, the containers that can be moved, and the plan that follows."""

    cluster: Cluster
    swarm: Swarm
    network: Network
    rows: list[Row]
    reason: str
    reason_missing: bool = False
    replaces: ChangeRequest | None = None

    @cached_property
    def request(self) -> ContainerRequest:
        """What was ticked and what was not, against what is."""
        return ContainerRequest(network_id=self.network.id, links=tuple(self._links()))

    @cached_property
    def plan(self) -> ContainerPlan:
        """The plan as it would be."""
        found = changes.preview(cluster=self.cluster, request=self.request, kind=container_plans.KIND)
        return ContainerPlan.of(found)

    @property
    def unchanged(self) -> bool:
        """Whether nothing is asked for yet."""
        return not self.request.links

    @property
    def problems(self) -> int:
        """How many things have to be mended; the missing reason apart."""
        return len(self.plan.blockers)

    @property
    def unasked(self) -> list[str]:
        """Hostnames of nodes whose own engine does not tell its containers."""
        told = {view.node_id for view in self.swarm.node_views if not view.error} | {self.swarm.manager_id}
        return sorted(node.hostname for node in self.swarm.nodes if node.id not in told)

    def _links(self) -> Iterator[ContainerLink]:
        for row in self.rows:
            if row.ticked != row.attached:
                node_id, _, container_id = row.key.partition(":")
                yield ContainerLink(node_id=node_id, container_id=container_id, attach=row.ticked)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def network_containers(request: HttpRequest, name: str, network_id: str) -> HttpResponse:
    """The standalone containers that can be on one network, to tick."""
    return _form(request, get_cluster(request, name), network_id)


def again(request: HttpRequest, old: ChangeRequest) -> HttpResponse:
    """The form, filled with what ``old`` asked for; posted, what replaces it."""
    asked = ContainerPlan.of(old.plan_record.plan()).request
    return _form(request, old.cluster, asked.network_id, replaces=old, links=asked.links)


def _form(
    request: HttpRequest,
    cluster: Cluster,
    network_id: str,
    *,
    replaces: ChangeRequest | None = None,
    links: Iterable[ContainerLink] = (),
) -> HttpResponse:
    asker(request)
    posted = request.POST if request.method == "POST" else None
    draft = _read(cluster, network_id, posted, links, replaces)
    if posted is None or CHECK in posted:
        return render(request, PAGE, {"draft": draft})
    if is_fragment(request):
        return render(request, f"{PAGE}#answer", {"draft": draft, "oob": True})
    draft.reason_missing = not draft.reason
    if not (draft.unchanged or draft.reason_missing or draft.plan.blockers):
        answer = asking.submit(
            request,
            cluster,
            kind=container_plans.KIND,
            asked=draft.request,
            reason=draft.reason,
            replaces=replaces,
        )
        if answer is not None:
            return answer
        draft = _read(cluster, network_id, posted, links, replaces)
    return render(request, PAGE, {"draft": draft, "refused": True}, status=UNPROCESSABLE)


def _read(
    cluster: Cluster,
    network_id: str,
    posted: QueryDict | None,
    links: Iterable[ContainerLink],
    replaces: ChangeRequest | None,
) -> Draft:
    """Raises MissingError for an overlay that there is not, or a cluster that was never seen."""
    swarm = cluster.swarm()
    network = next((n for n in swarm.networks if n.id == network_id and n.scope == "swarm"), None) if swarm else None
    if swarm is None or network is None or network.ingress:
        raise MissingError(cluster)
    asked = {f"{link.node_id}:{link.container_id}": link.attach for link in links}
    rows = []
    for node, container in container_plans.known(swarm):
        key, attached = f"{node.id}:{container.id}", network_id in container.network_ids
        shown = posted is not None and key in posted.getlist("shown")
        ticked = key in posted.getlist("on") if posted is not None and shown else asked.get(key, attached)
        detail = f"{container.image} · {container.id[:12]}"
        rows.append(
            Row(key=key, name=container.name, detail=detail, hostname=node.hostname, attached=attached, ticked=ticked)
        )
    reason = posted.get("reason", "").strip() if posted is not None else ""
    return Draft(cluster=cluster, swarm=swarm, network=network, rows=rows, reason=reason, replaces=replaces)
