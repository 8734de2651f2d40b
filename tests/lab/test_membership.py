"""Real engines: ports behind firewalls, tokens, what an engine refuses of a new Swarm, docker_gwbridge made anew."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from docker.errors import APIError

from overlayweb.domain import firewalls, gateway_bridge, membership, network_plans
from overlayweb.domain.gateway_bridge import BridgeRequest
from overlayweb.domain.membership import InitRequest, JoinRequest
from overlayweb.domain.network_plans import CreateRequest, NetworkPlan
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Level
from overlayweb.domain.readiness import BRIDGE_NAME, Membership
from overlayweb.domain.swarm import Swarm
from overlayweb.engine import connection
from overlayweb.engine.endpoints import Endpoint
from overlayweb.engine.errors import EngineError, NotAManager
from overlayweb.engine.membership import Members
from overlayweb.engine.swarm import DockerEngine
from tests.lab import Lab, image
from tests.lab import services as lab_services
from tests.lab.daemon import Node, wait_until

pytestmark = pytest.mark.requires("dockerd", "root")

_TRY = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from overlayweb.engine import reachability
from tests.domain.builders import make_node
targets = [(make_node(address=address), port) for address, port in json.loads(sys.argv[2])]
found = reachability.try_ports(targets, until=time.monotonic() + 30, seconds=0.5)
print(json.dumps([row.answer for row in found]))
"""


@pytest.fixture(scope="module")
def swarm(lab: Lab) -> Lab:
    lab.reset()
    return lab


@contextmanager
def engine_of(node: Node) -> Iterator[DockerEngine]:
    with connection.connect(Endpoint(url=node.socket), timeout_seconds=30) as engine:
        yield engine


def members(engine: DockerEngine) -> Members:
    return Members(engine.calls)


def observed(lab: Lab) -> Swarm:
    with engine_of(lab.manager) as engine:
        return engine.observe()


def answers(origin: Node, *targets: tuple[Node, int]) -> list[str]:
    """What a worker on that node's machine finds."""
    asked = json.dumps([(node.address, port) for node, port in targets])
    said = origin.execute(sys.executable, "-c", _TRY, str(Path(__file__).parents[2]), asked)
    found: list[str] = json.loads(said)
    return found


def test_ports_are_told_apart_and_the_rules_open_them(swarm: Lab) -> None:
    first, second, third = swarm.nodes
    assert answers(third, (first, 2377), (first, 7946), (second, 7946), (second, 2377)) == [
        "open",
        "open",
        "open",
        "refused",
    ]
    # A firewall that lets in nothing but answers; then the rules of that node.
    second.execute("iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT")
    second.execute("iptables", "-P", "INPUT", "DROP")
    try:
        assert answers(third, (second, 7946)) == ["silent"]
        seen = observed(swarm)
        rules = firewalls.rules(swarm=seen, firewall="iptables", nodes=seen.nodes)
        lines = next(row.lines for row in rules if row.node.hostname == second.name)
        for line in lines:
            if not line.startswith("#"):
                second.execute(*shlex.split(line))
        assert answers(third, (second, 7946)) == ["open"]
    finally:
        second.execute("iptables", "-P", "INPUT", "ACCEPT")


def test_tokens_are_made_anew(swarm: Lab) -> None:
    with engine_of(swarm.manager) as engine:
        before = {role: members(engine).token(role) for role in membership.ROLES}
        members(engine).rotate("worker")
        after = {role: members(engine).token(role) for role in membership.ROLES}
    assert after["worker"] != before["worker"]
    assert after["manager"] == before["manager"]
    with engine_of(swarm.nodes[1]) as engine, pytest.raises(NotAManager):
        members(engine).token("worker")


def test_what_an_engine_refuses_or_takes_in_silence_we_refuse_first(swarm: Lab) -> None:
    outside = swarm.nodes[2]
    outside.cli("swarm", "leave")
    plain = InitRequest(advertise=outside.address)
    refused = (
        replace(plain, data_path_port=1023),
        replace(plain, data_path_port=49152),
        replace(plain, pools=("10.77.0.0/16",), size=30),
        replace(plain, pools=("10.77.0.0/28",), size=24),
        InitRequest(advertise="0.0.0.0:2377"),
        InitRequest(advertise="nope0.example"),
    )
    taken = (
        replace(plain, pools=("10.77.0.0/16", "10.77.4.0/24")),
        replace(plain, pools=("127.0.0.0/8",)),
        InitRequest(advertise="127.0.0.1"),
    )
    with engine_of(outside) as engine:
        assert members(engine).view().membership is Membership.NONE
        for request in refused:
            with pytest.raises(EngineError):
                members(engine).initialise(request)
        for request in taken:
            members(engine).initialise(request)
            outside.cli("swarm", "leave", "--force")
    for request in (*refused, *taken):
        judged = request.advertise != "nope0.example"  # whether there is such an interface, only the engine knows
        assert any(row.level is Level.BLOCKER for row in membership.check_init(request)) == judged, request


def test_what_we_take_an_engine_takes(swarm: Lab) -> None:
    """The node is outside the Swarm since the test before."""
    outside = swarm.nodes[2]
    good = InitRequest(advertise=outside.address, pools=("10.77.0.0/16",), size=26, data_path_port=7789)
    assert all(row.level is not Level.BLOCKER for row in membership.check_init(good))
    with engine_of(outside) as engine:
        members(engine).initialise(good)
        made = engine.observe()
        assert (made.default_addr_pools, made.subnet_size, made.data_path_port) == (("10.77.0.0/16",), 26, 7789)
        assert members(engine).view().membership is Membership.MANAGER
    outside.cli("swarm", "leave", "--force")


def test_an_engine_joins_by_a_call_too(swarm: Lab) -> None:
    """The node is outside the Swarm since the tests before."""
    outside = swarm.nodes[2]
    with engine_of(swarm.manager) as engine:
        token = members(engine).token("manager")
    remote = membership.joined(swarm.manager.address)
    request = JoinRequest(role="manager", remote=remote, advertise=outside.address)
    with engine_of(outside) as engine:
        members(engine).join(request, token=token)
        assert members(engine).view().membership is Membership.MANAGER
        with pytest.raises(EngineError, match="already part of a swarm"):
            members(engine).join(request, token=token)
    _assert_what_the_ingress_leaves_on_the_bridge_can_be_freed(swarm, outside)
    swarm.reset()


def _assert_what_the_ingress_leaves_on_the_bridge_can_be_freed(swarm: Lab, node: Node) -> None:
    """By the command of the checklist, tried while the node is in the Swarm: there the sandbox is sure to be."""
    shown = observed(swarm)
    row = next(found for found in shown.nodes if found.hostname == node.name)
    items = gateway_bridge.checklist(BridgeRequest(subnet="172.31.64.0/20"), node=row, swarm=shown)
    note = next(item.note for item in items if f"docker network rm {BRIDGE_NAME}" in item.commands)
    (command,) = re.findall(r"`(docker network disconnect [^`]+)`", note)
    sandbox = shlex.split(command)[-1]
    wait_until(lambda: sandbox in _on_bridge(node), what="the ingress on the node", timeout=20)
    with pytest.raises(APIError, match="active endpoints"):
        node.request("DELETE", f"/networks/{BRIDGE_NAME}")
    node.cli(*shlex.split(command)[1:])
    assert sandbox not in _on_bridge(node)


def _on_bridge(node: Node) -> set[str]:
    """Who is on it; nobody where the node, new in its Swarm, has yet to make it."""
    if all(row["Name"] != BRIDGE_NAME for row in node.request("GET", "/networks")):
        return set()
    return {row["Name"] for row in node.request("GET", f"/networks/{BRIDGE_NAME}")["Containers"].values()}


def test_nothing_is_left_to_wait_for_on_a_node_that_was_removed(swarm: Lab) -> None:
    """Its containers went with it, and what stood for them stays orphaned, which no other state follows."""
    manager, outside = swarm.manager, swarm.nodes[2]
    lab_services.create(manager, lab_services.replicated("web", lab_services.ingress_port(8081)))
    swarm.wait_running()
    (row,) = [found for found in observed(swarm).nodes if found.hostname == outside.name]
    ingress = observed(swarm).ingress_networks[0].id

    def there() -> set[str]:
        found = (task for task in observed(swarm).swarm_tasks if task.node_id == row.id)
        return {task.state for task in found if task.may_be_on(ingress)}

    outside.cli("swarm", "leave")
    assert there() == {"running"}, "while it is away nobody knows"
    manager.cli("node", "rm", "--force", row.id)
    wait_until(lambda: "orphaned" in _states_on(manager, row.id), what="its task to be orphaned", timeout=20)
    assert there() == set()


def _states_on(manager: Node, node_id: str) -> set[str]:
    return {task["Status"]["State"] for task in manager.request("GET", "/tasks") if task.get("NodeID") == node_id}


def test_docker_gwbridge_is_made_anew_by_the_checklist(swarm: Lab) -> None:
    """Every command of the list, where it says; the node comes back with its label and without its old row."""
    swarm.reset()
    manager, node = swarm.manager, swarm.nodes[2]
    manager.cli(
        "service", "create", "--detach", "--no-resolve-image", "--mode=global", "--publish=8080:80", image.IMAGE
    )
    swarm.wait_running()
    manager.cli("node", "update", "--label-add", "zone=a b", node.name)
    shown = observed(swarm)
    row = next(found for found in shown.nodes if found.hostname == node.name)
    request = BridgeRequest(subnet="172.31.64.0/20", gateway="172.31.64.9", mtu=1400)
    with engine_of(manager) as engine:
        token = members(engine).token("worker")
    for item in gateway_bridge.checklist(request, node=row, swarm=shown):
        for line in item.commands:
            _carry_out(swarm, line, where=node if item.where == node.name else manager, token=token)
    with engine_of(node) as engine:
        view = members(engine).view()
    assert view.membership is Membership.WORKER
    assert view.bridge is not None
    assert (view.bridge.ipam[0].subnet, view.bridge.ipam[0].gateway, view.bridge.mtu) == (
        request.subnet,
        request.gateway,
        "1400",
    )
    wait_until(lambda: _ready(swarm, node.name), what="the node to be ready again", timeout=30)
    (back,) = [found for found in observed(swarm).nodes if found.hostname == node.name]
    assert back.id != row.id
    assert (back.labels, back.availability) == (row.labels, "active")
    swarm.wait_running()


def _carry_out(swarm: Lab, line: str, *, where: Node, token: str) -> None:
    """One line of the checklist, as the person at that node does it; remarks say what to wait for, or to look up."""
    words = shlex.split(line.replace(membership.TOKEN_PLACE, token), comments=True)
    if not words:
        if "desired-state=running" in line:
            wait_until(lambda: not _runs(line, where), what="the node to run nothing", timeout=30)
        return
    if words[-1] == "NEW":
        wait_until(lambda: _ready(swarm, swarm.nodes[2].name), what="the node's new row", timeout=30)
        words[-1] = next(row.id for row in observed(swarm).nodes if row.hostname == swarm.nodes[2].name)
    if words[1:3] == ["node", "rm"]:
        wait_until(lambda: _down(swarm, words[-1]), what="the old row to be down", timeout=30)
    where.cli(*words[1:])


def _runs(remark: str, manager: Node) -> str:
    asked = remark.partition("docker ")[2]
    return manager.cli(*shlex.split(asked), "--quiet").strip()


def _down(lab: Lab, node_id: str) -> bool:
    return any(node.id == node_id and not node.ready for node in observed(lab).nodes)


def test_no_overlay_too_many_is_planned(swarm: Lab) -> None:
    """The pool has two blocks, and the ingress has one: Docker takes a network too many without a word."""
    manager = swarm.nodes[1]
    manager.cli("swarm", "leave", "--force")
    plain = CreateRequest(settings=NetworkSettings(name="more"))
    with engine_of(manager) as engine:
        members(engine).initialise(InitRequest(advertise=manager.address, pools=("10.77.0.0/25",), size=26))
        wait_until(lambda: _allocated(engine, "ingress"), what="the ingress to be allocated", timeout=20)
        assert _codes(network_plans.create(swarm=engine.observe(), request=plain)) == set()
        lab_services.create_overlay(manager, "last")
        wait_until(lambda: _allocated(engine, "last"), what="last to be allocated", timeout=20)
        assert _codes(network_plans.create(swarm=engine.observe(), request=plain)) == {"pool-exhausted"}
        lab_services.create_overlay(manager, "more")
        manager.cli("network", "create", "--driver", "overlay", "--subnet", "10.78.0.0/26", "later")
        wait_until(lambda: _allocated(engine, "later"), what="the later one's turn", timeout=20)
        assert not _allocated(engine, "more")
    swarm.reset()


def _allocated(engine: DockerEngine, name: str) -> bool:
    return any(network.name == name and network.allocated for network in engine.networks())


def _codes(plan: NetworkPlan) -> set[str]:
    return {finding.code for finding in plan.blockers}


def _ready(lab: Lab, hostname: str) -> bool:
    return any(node.hostname == hostname and node.ready for node in observed(lab).nodes)
