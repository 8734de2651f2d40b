"""Readiness: whether engines, wires and firewalls are what a Swarm needs, and how docker_gwbridge is made anew."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from overlayweb.domain import firewalls, gateway_bridge, mtu_advice
from overlayweb.domain import readiness as needs
from overlayweb.domain.readiness import Answer, Check, Port, PortAnswer
from overlayweb.domain.swarm import Network, Node, Swarm
from overlayweb.models import Cluster
from overlayweb.services import clusters, memberships, readiness
from overlayweb.web import access, listing
from overlayweb.web.clusters import get_cluster
from overlayweb.web.readiness_forms import BridgeForm, Sheet, typed

BRIDGE_NEW = {"masquerade": "on"}
FEW = 10
"""So many nodes stand on the page without a way to find one, each with its rules."""
SHOWN = 50
"""Of names, findings and overlays so many are shown; lists show them all."""
KINDS = (
    ("", "All nodes"),
    ("manager", "Managers"),
    ("worker", "Workers"),
    ("closed", "Where a port did not answer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One node with each port that it needs and, where it was tried, what came of it."""

    node: Node
    ports: tuple[tuple[Port, PortAnswer | None], ...]

    def is_of(self, kind: str) -> bool:
        """Whether a list of this kind has it, of :data:`KINDS`."""
        if kind == "closed":
            return any(found and found.answer is not Answer.OPEN for _, found in self.ports)
        return kind in ("", self.node.role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """The docker_gwbridge of one engine in words. ``network`` None: there is none yet."""

    hostname: str
    network: Network | None

    @property
    def subnet(self) -> str:
        """Its subnet."""
        return needs.first_ipam(self.network).subnet if self.network else ""

    @property
    def gateway(self) -> str:
        """Its gateway."""
        return needs.first_ipam(self.network).gateway if self.network else ""

    @property
    def icc(self) -> str:
        """Whether containers of the node reach each other over it."""
        return self._option(gateway_bridge.ICC_OPTION)

    @property
    def masquerade(self) -> str:
        """Whether what goes out bears the node's address."""
        return self._option(gateway_bridge.MASQUERADE_OPTION)

    def _option(self, key: str) -> str:
        words = {"true": "yes", "false": "no"}
        found = needs.option(self.network, key) if self.network else ""
        return words.get(found, found or "unset")


@require_safe
@vary_on_headers("HX-Request", "HX-Target")
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Everything that a Swarm needs of its nodes, in one page; of many nodes, the part about each is a list."""
    cluster = get_cluster(request, name)
    now = timezone.now()
    standing = readiness.standing(cluster=cluster, now=now)
    swarm, check = standing.swarm, standing.check
    of_nodes = {
        "cluster": cluster,
        "standing": standing,
        **(_of_nodes(request, cluster, swarm, check) if swarm else {}),
    }
    if swarm and listing.is_fragment(request):
        return render(request, "readiness.html#found", of_nodes)
    shown = {
        **of_nodes,
        "sight": clusters.sight(cluster=cluster, now=now),
        "changes": memberships.about(cluster=cluster),
        "actions": memberships.last(cluster=cluster),
        "bridges": [Bridge(hostname=host, network=row) for host, row in needs.bridges(swarm, check)],
        **(_of_swarm(swarm, check) if swarm else {}),
        "most": SHOWN,
        "shown": f":{SHOWN}",
    }
    return render(request, "readiness.html", shown)


@require_POST
def check(request: HttpRequest, name: str) -> HttpResponse:
    """Ask a worker to measure, and go back."""
    access.asker(request)
    cluster = get_cluster(request, name)
    readiness.ask_check(cluster=cluster, now=timezone.now())
    return redirect("readiness", cluster.name)


@require_safe
def bridge(request: HttpRequest, name: str) -> HttpResponse:
    """The checklist by which one node gets a docker_gwbridge with settings of one's own; nothing is done here."""
    cluster = get_cluster(request, name)
    swarm = readiness.standing(cluster=cluster, now=timezone.now()).swarm
    if swarm is None or not swarm.nodes:
        return redirect("readiness", cluster.name)
    first = {"node": swarm.nodes[0].hostname}
    form = BridgeForm({**first, **typed(request.GET.dict(), BRIDGE_NEW)}, nodes=swarm.nodes)
    form.is_valid()
    asked = form.request()
    node: Node | None = form.cleaned_data.get("node")
    findings = readiness.check_bridge(cluster=cluster, swarm=swarm, node=node, request=asked)
    fresh = not request.GET
    sheet = Sheet(form, tuple(row for row in findings if not (fresh and row.subject == "subnet")))
    ready = not (fresh or sheet.blocked)
    page = {
        "cluster": cluster,
        "sheet": sheet,
        "node": node,
        "free": next((row.suggestion for row in findings if row.subject == "subnet" and row.suggestion), ""),
        "items": gateway_bridge.checklist(asked, node=node, swarm=swarm) if ready and node else [],
        "fresh": fresh,
    }
    return render(request, "readiness_bridge.html", page)


def _of_swarm(swarm: Swarm, check: Check | None) -> dict[str, object]:
    return {
        "versions": needs.versions(swarm),
        "mtus": mtu_advice.rows(swarm),
        "underlays": mtu_advice.underlays(swarm, check),
    }


def _of_nodes(request: HttpRequest, cluster: Cluster, swarm: Swarm, check: Check | None) -> dict[str, object]:
    """One page of the nodes: their ports, and rules for as many as a page can bear."""
    firewall = request.GET.get("firewall", "")
    firewall = firewall if firewall in firewalls.FIREWALLS else firewalls.FIREWALLS[0]
    asked = listing.wanted(request, kinds=KINDS, orders=("name",))
    answers = check.answers if check else {}
    rows = (_reach(node, swarm, answers) for node in needs.find_nodes(swarm.nodes, asked.text))
    listed = listing.listing(request, asked, [row for row in rows if row.is_of(asked.kind)], kinds=KINDS)
    shown = [row.node for row in listed.page]
    return {
        "swarm": swarm,
        "ports": needs.ports(swarm.data_path_port),
        "listing": listed,
        "firewalls": firewalls.FIREWALLS,
        "firewall": firewall,
        "rules": firewalls.rules(swarm=swarm, firewall=firewall, nodes=shown if len(swarm.nodes) <= FEW else shown[:1]),
        "untried": needs.untried(swarm, check) if check and not cluster.demo else (),
        "encrypted": [row.name for row in swarm.networks if row.encrypted and row.scope == "swarm"],
        "few": FEW,
    }


def _reach(node: Node, swarm: Swarm, answers: Mapping[tuple[str, str, int], PortAnswer]) -> Reach:
    wanted = needs.wanted_of(node, swarm.data_path_port)
    return Reach(node=node, ports=tuple((port, _answer(node, port, answers)) for port in wanted))


def _answer(node: Node, port: Port, answers: Mapping[tuple[str, str, int], PortAnswer]) -> PortAnswer | None:
    return answers.get((node.id, node.address, port.number)) if port.protocol == "tcp" and port.number else None
