"""Readiness: whether engines, wires and firewalls are what a Swarm needs, and how docker_gwbridge is made anew."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from overlayweb.domain import firewalls, gateway_bridge, mtu_advice
from overlayweb.domain import readiness as needs
from overlayweb.domain.readiness import Check, Port, PortAnswer
from overlayweb.domain.swarm import Network, Node, Swarm
from overlayweb.services import clusters, memberships, readiness
from overlayweb.web import access
from overlayweb.web.clusters import get_cluster
from overlayweb.web.readiness_forms import BridgeForm, Sheet, typed

BRIDGE_NEW = {"masquerade": "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One node with each port that it needs and, where it was tried, what came of it."""

    node: Node
    ports: tuple[tuple[Port, PortAnswer | None], ...]


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
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Everything that a Swarm needs of its nodes, in one page."""
    cluster = get_cluster(request, name)
    now = timezone.now()
    standing = readiness.standing(cluster=cluster, now=now)
    swarm, check = standing.swarm, standing.check
    shown = {
        "cluster": cluster,
        "sight": clusters.sight(cluster=cluster, now=now),
        "standing": standing,
        "changes": memberships.about(cluster=cluster),
        "actions": memberships.last(cluster=cluster),
        "bridges": [Bridge(hostname=host, network=row) for host, row in needs.bridges(swarm, check)],
        **(_of_swarm(request, swarm, check) if swarm else {}),
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
    first = {"node": swarm.nodes[0].id}
    form = BridgeForm({**first, **typed(request.GET.dict(), BRIDGE_NEW)}, nodes=swarm.nodes)
    form.is_valid()
    asked = form.request()
    node = next((row for row in swarm.nodes if row.id == form.cleaned_data.get("node")), swarm.nodes[0])
    findings = readiness.check_bridge(cluster=cluster, swarm=swarm, node=node, request=asked)
    fresh = not request.GET
    sheet = Sheet(form, tuple(row for row in findings if not (fresh and row.subject == "subnet")))
    page = {
        "cluster": cluster,
        "sheet": sheet,
        "node": node,
        "free": next((row.suggestion for row in findings if row.subject == "subnet" and row.suggestion), ""),
        "items": [] if fresh or sheet.blocked else gateway_bridge.checklist(asked, node=node, swarm=swarm),
        "fresh": fresh,
    }
    return render(request, "readiness_bridge.html", page)


def _of_swarm(request: HttpRequest, swarm: Swarm, check: Check | None) -> dict[str, object]:
    firewall = request.GET.get("firewall", "")
    firewall = firewall if firewall in firewalls.FIREWALLS else firewalls.FIREWALLS[0]
    return {
        "swarm": swarm,
        "versions": needs.versions(swarm),
        "ports": needs.ports(swarm.data_path_port),
        "reach": [_reach(node, swarm, check) for node in swarm.nodes],
        "firewalls": firewalls.FIREWALLS,
        "firewall": firewall,
        "rules": firewalls.rules(swarm=swarm, firewall=firewall),
        "mtus": mtu_advice.rows(swarm),
        "underlays": mtu_advice.underlays(swarm, check),
        "encrypted": [row.name for row in swarm.networks if row.encrypted and row.scope == "swarm"],
    }


def _reach(node: Node, swarm: Swarm, check: Check | None) -> Reach:
    wanted = needs.wanted_of(node, swarm.data_path_port)
    return Reach(node=node, ports=tuple((port, check.answer(node, port) if check else None) for port in wanted))
