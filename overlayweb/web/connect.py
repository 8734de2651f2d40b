"""The form in which services are attached to overlays and detached: from a service, or from a network."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain import connect_plans, reach
from overlayweb.domain.connect_plans import ConnectPlan, ConnectRequest
from overlayweb.domain.links import Link
from overlayweb.domain.plans import Finding, Level
from overlayweb.domain.swarm import Network, Service, Swarm
from overlayweb.models import ChangeRequest, Cluster
from overlayweb.services import changes
from overlayweb.web import asking, service_ports
from overlayweb.web.access import asker
from overlayweb.web.clusters import get_cluster
from overlayweb.web.listing import is_fragment
from overlayweb.web.missing import MissingError

PAGE = "connect.html"
CHECK, FILTER = "check", "filter"
MOST = 100
"""So many rows are shown at once; what is attached comes first, and a filter finds the rest."""
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One row of the form. ``key``: the id of the other side; ``ticked`` and ``aliases``: as typed."""

    key: str
    name: str
    detail: str
    attached: bool
    ticked: bool
    aliases: str


@dataclass(kw_only=True)
class Draft:
    """The form about one service or one network, the pairs that are shown, and the plan that follows."""

    cluster: Cluster
    swarm: Swarm
    subject: Service | Network
    text: str
    pairs: list[Pair]
    found: int
    reason: str
    reason_missing: bool = False
    replaces: ChangeRequest | None = None

    @property
    def of_service(self) -> bool:
        """Whether it is about a service, and the pairs are networks."""
        return isinstance(self.subject, Service)

    @cached_property
    def request(self) -> ConnectRequest:
        """What was ticked and what was not, against what is."""
        return ConnectRequest(links=tuple(self._links()))

    @cached_property
    def plan(self) -> ConnectPlan:
        """The plan as it would be."""
        found = changes.preview(cluster=self.cluster, request=self.request, kind=connect_plans.KIND)
        return ConnectPlan.of(found)

    @property
    def unchanged(self) -> bool:
        """Whether nothing is asked for yet."""
        return not self.request.links

    @property
    def problems(self) -> int:
        """How many things have to be mended; the missing reason apart."""
        return len(self.blockers)

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What has to be mended first."""
        return tuple(finding for finding in self.plan.findings if finding.level is Level.BLOCKER)

    def _links(self) -> Iterator[Link]:
        for pair in self.pairs:
            if pair.ticked != pair.attached:
                ends = (self.subject.id, pair.key) if self.of_service else (pair.key, self.subject.id)
                aliases = tuple(pair.aliases.replace(",", " ").split()) if pair.ticked else ()
                yield Link(service_id=ends[0], network_id=ends[1], attach=pair.ticked, aliases=aliases)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def service_connect(request: HttpRequest, name: str, service_id: str) -> HttpResponse:
    """The networks of one service, to tick."""
    return _form(request, get_cluster(request, name), service_id)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def network_connect(request: HttpRequest, name: str, network_id: str) -> HttpResponse:
    """The services of one network, to tick."""
    return _form(request, get_cluster(request, name), network_id)


def again(request: HttpRequest, old: ChangeRequest) -> HttpResponse:
    """The form, filled with what ``old`` asked for; posted, what replaces it."""
    asked = ConnectPlan.of(old.plan_record.plan()).request
    if asked.publications:
        return service_ports.again(request, old)
    links = asked.links
    services = {link.service_id for link in links}
    subject = links[0].service_id if len(services) == 1 else links[0].network_id
    return _form(request, old.cluster, subject, replaces=old, links=links)


def _form(
    request: HttpRequest,
    cluster: Cluster,
    subject_id: str,
    *,
    replaces: ChangeRequest | None = None,
    links: Iterable[Link] = (),
) -> HttpResponse:
    asker(request)
    data = request.POST if request.method == "POST" else request.GET
    draft = _read(cluster, subject_id, data, posted=request.method == "POST", links=links)
    draft.replaces = replaces
    if request.method != "POST" or {CHECK, FILTER} & set(data):
        return render(request, PAGE, {"draft": draft})
    if is_fragment(request):
        return render(request, f"{PAGE}#answer", {"draft": draft, "oob": True})
    draft.reason_missing = not draft.reason
    if draft.unchanged or draft.reason_missing or draft.blockers:
        return render(request, PAGE, {"draft": draft, "refused": True}, status=UNPROCESSABLE)
    answer = asking.submit(
        request,
        cluster,
        kind=connect_plans.KIND,
        asked=draft.request,
        reason=draft.reason,
        replaces=replaces,
    )
    if answer is not None:
        return answer
    draft = _read(cluster, subject_id, data, posted=True, links=links)
    draft.replaces = replaces
    return render(request, PAGE, {"draft": draft, "refused": True}, status=UNPROCESSABLE)


def _read(cluster: Cluster, subject_id: str, data: QueryDict, *, posted: bool, links: Iterable[Link]) -> Draft:
    """Raises MissingError for a service or an overlay that there is not, or a cluster that was never seen."""
    swarm = cluster.swarm()
    rows: tuple[Service | Network, ...] = (*swarm.services, *reach.overlays(swarm)) if swarm else ()
    subject = next((row for row in rows if row.id == subject_id), None)
    if swarm is None or subject is None:
        raise MissingError(cluster)
    text = data.get("q", "").strip()
    asked = {link.network_id if isinstance(subject, Service) else link.service_id: link for link in links}
    ticked, shown = set(data.getlist("on")), set(data.getlist("shown"))
    pairs = []
    for key, name, detail, attached in _others(swarm, subject):
        if posted and key in shown:
            on, aliases = key in ticked, data.get(f"alias-{key}", "")
        else:
            link = asked.get(key)
            on, aliases = (link.attach, " ".join(link.aliases)) if link else (attached, "")
        if on != attached or text.lower() in name.lower():
            pairs.append(Pair(key=key, name=name, detail=detail, attached=attached, ticked=on, aliases=aliases))
    pairs.sort(key=lambda pair: (pair.ticked == pair.attached, not pair.attached, pair.name))
    reason = data.get("reason", "").strip()
    return Draft(
        cluster=cluster, swarm=swarm, subject=subject, text=text, pairs=pairs[:MOST], found=len(pairs), reason=reason
    )


def _others(swarm: Swarm, subject: Service | Network) -> Iterator[tuple[str, str, str, bool]]:
    """(id, name, detail, whether attached) of every network for a service, of every service for a network."""
    if isinstance(subject, Service):
        for network in reach.overlays(swarm):
            blocks = ", ".join(ipam.subnet for ipam in network.ipam) or "no addresses"
            yield network.id, network.name, blocks, network.id in subject.network_ids
    else:
        for service in swarm.services:
            containers = len(swarm.running_on(service.id))
            yield (
                service.id,
                service.name,
                f"{containers} container{' runs' if containers == 1 else 's run'}",
                subject.id in service.network_ids,
            )
