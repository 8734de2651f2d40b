"""The stage of an engine in no Swarm, of which one is to be made."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.membership import InitRequest
from overlayweb.domain.swarm import Swarm
from overlayweb.models import Job
from overlayweb.simulator.simulation import empty
from overlayweb.simulator.world import World
from tests.faults import stage

if TYPE_CHECKING:
    from tests.faults.director import Run

REQUEST = InitRequest(advertise="192.168.60.11", pools=("10.77.0.0/16",), size=26)


def content(world: World, nodes: int) -> None:
    """One engine, however many nodes others have."""
    del nodes
    empty(world, 0)


def made(run: "Run", job: Job, before: Swarm, now: Swarm) -> Iterator[str]:
    """One Swarm was made, once, as planned; or none, and the engine is as it was."""
    calls = [line for line in stage.changes(run.folder) if line["verb"] == "init_swarm"]
    succeeded = job.status == JobStatus.SUCCEEDED
    if len(calls) != succeeded:
        yield f"the job {job.status}, and {len(calls)} Swarms were made"
    if not succeeded:
        if now.id or {row.name for row in now.networks} != {row.name for row in before.networks}:
            yield f"the engine is in Swarm {now.id} with {[row.name for row in now.networks]}"
        return
    if (now.default_addr_pools, now.subnet_size) != (REQUEST.pools, REQUEST.size):
        yield f"its pools are {now.default_addr_pools} by /{now.subnet_size}"
    if [block.subnet for network in now.ingress_networks for block in network.ipam] != ["10.77.0.0/26"]:
        yield f"its ingress is {now.ingress_networks}"
    if [(node.role, node.ready) for node in now.nodes] != [("manager", True)]:
        yield f"its nodes are {now.nodes}"
