"""Plans of standalone containers that come to an overlay and leave it: what is refused, and what voids them."""

from dataclasses import replace
from typing import Any

from overlayweb.domain import container_plans, planners
from overlayweb.domain.container_plans import ContainerLink, ContainerPlan, ContainerRequest
from overlayweb.domain.plans import Level
from overlayweb.domain.swarm import Container, NodeView, Swarm
from tests.domain.builders import NOW, make_attachment, make_network, make_service, make_swarm

LAKE = make_network("lake", "10.44.0.0/24")
SHELL, BOX = Container(id="5" * 64, name="shell", image="tools:1"), Container(id="b" * 64, name="box")


def swarm(*, lake: Any = LAKE, shell: Container = SHELL, box: Container = BOX, **changes: Any) -> Swarm:
    """``shell`` runs on the manager, node1; ``box`` on node2, whose engine is registered; node3's is not."""
    view = NodeView(node_id="id-node2", hostname="node2", observed_at=NOW, containers=(box,))
    given = {"manager_id": "id-node1", "containers": (shell,), "node_views": (view,), **changes}
    return make_swarm(networks=[lake], services=[make_service("web", published=())], **given)


def plan(there: Swarm, *links: ContainerLink) -> ContainerPlan:
    return container_plans.build(swarm=there, request=ContainerRequest(network_id=LAKE.id, links=links))


def link(container: Container, node: str, *, attach: bool = True) -> ContainerLink:
    return ContainerLink(node_id=f"id-{node}", container_id=container.id, attach=attach)


def blocked(found: ContainerPlan) -> list[str]:
    return [finding.code for finding in found.blockers]


def test_containers_of_the_nodes_that_are_asked_can_be_moved() -> None:
    found = plan(swarm(), link(BOX, "node2"), link(SHELL, "node1"))
    assert found.blockers == ()
    assert container_plans.title(found) == "Connect 2 containers to lake"
    assert found.commands == (
        "docker network connect lake box  # on node2",
        "docker network connect lake shell  # on node1",
    )
    assert [step.name for step in found.steps] == ["check", "connect"]


def test_one_that_leaves_its_last_network_is_warned_of() -> None:
    box = Container(id=BOX.id, name="box", network_ids=(LAKE.id,))
    found = plan(swarm(box=box), link(box, "node2", attach=False))
    assert container_plans.title(found) == "Disconnect box from lake"
    assert [(row.level, row.code) for row in found.findings] == [(Level.WARNING, "container-alone")]


def test_what_cannot_be_is_refused() -> None:
    assert blocked(plan(swarm())) == ["no-change"]
    assert blocked(plan(swarm(), link(BOX, "node3"))) == ["container-gone"]
    assert blocked(plan(swarm(), link(BOX, "node2", attach=False))) == ["no-change"]
    closed = make_network("lake", "10.44.0.0/24", attachable=False)
    assert blocked(plan(swarm(lake=closed), link(BOX, "node2"))) == ["not-attachable"]
    assert blocked(plan(swarm(lake=make_network("lake", "")), link(BOX, "node2"))) == ["network-unallocated"]
    small = make_network("lake", "10.44.0.0/30")
    assert blocked(plan(swarm(lake=small), link(BOX, "node2"), link(SHELL, "node1"))) == ["no-room"]
    ours = Container(id=SHELL.id, name="overlayweb", own=True, network_ids=(LAKE.id, "other"))
    assert blocked(plan(swarm(shell=ours), link(ours, "node1", attach=False))) == ["own-container"]
    gone = container_plans.build(swarm=make_swarm(), request=ContainerRequest(network_id="id-gone", links=()))
    assert blocked(gone) == ["network-gone"]


def test_a_node_takes_an_address_with_its_first_container() -> None:
    small, crate = make_network("lake", "10.44.0.0/29"), Container(id="c" * 64, name="crate")
    crates = (BOX, crate, Container(id="d" * 64, name="chest"))
    view = NodeView(node_id="id-node2", hostname="node2", observed_at=NOW, containers=crates)
    there = swarm(lake=small, node_views=(view,))
    together = [link(container, "node2") for container in crates]
    assert blocked(plan(there, *together)) == []  # gateway, node2, three containers
    assert blocked(plan(there, *together, link(SHELL, "node1"))) == ["no-room"]  # and node1, shell: one too many
    taken = replace(there, attachments=(make_attachment(small, "f" * 64, node_id="id-node1"),))
    assert blocked(plan(taken, link(BOX, "node2"), link(SHELL, "node1"))) == []  # node1 has its address already


def test_a_node_that_did_not_answer_tells_no_containers() -> None:
    mute = NodeView(node_id="id-node2", hostname="node2", observed_at=NOW, containers=(BOX,), error="No answer.")
    assert [container.name for _, container in container_plans.known(swarm(node_views=(mute,)))] == ["shell"]


def test_a_container_that_moved_meanwhile_voids_the_plan() -> None:
    before = plan(swarm(), link(BOX, "node2"))
    elsewhere = Container(id=BOX.id, name="box", network_ids=("other",))
    assert planners.drift(before=before, now=plan(swarm(), link(BOX, "node2"))) == ()
    assert planners.drift(before=before, now=plan(swarm(box=elsewhere), link(BOX, "node2"))) != ()
