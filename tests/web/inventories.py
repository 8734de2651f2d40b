"""A cluster with as many networks and services as a list needs, kept as a look keeps them."""

from dataclasses import replace
from datetime import datetime

from overlayweb.domain import subnets
from overlayweb.domain.swarm import Network, Service, Swarm, SwarmTask
from overlayweb.models import Cluster
from tasks import observations
from tests.domain.builders import INGRESS_ID, make_ingress, make_network, make_service, make_swarm

FIRST_SUBNET = 10 << 24
FIRST_PORT, PORTS = 10_000, 20_000


def make_large_swarm(size: int, *, observed_at: datetime) -> Swarm:
    """``size`` overlays of a /26 beside the ingress, and as many services, each on one overlay, every third published.

    Every seventh overlay is encrypted, every eleventh has no addresses.
    """
    overlays = [_overlay(number) for number in range(size)]
    services = [_service(number, overlays[number]) for number in range(size)]
    return make_swarm(
        services=services, networks=overlays, nodes=5, ingress=make_ingress("172.30.0.0/16"), observed_at=observed_at
    )


def wedged(swarm: Swarm) -> Swarm:
    """The same with another ingress: two nodes, the manager's among them, hold the removed one and refuse services."""
    held = make_ingress("172.30.0.0/16", registered=False, peers=("192.168.50.11", "192.168.50.13"))
    new = make_ingress("172.29.0.0/16", id="ingressnew")
    others = tuple(network for network in swarm.networks if not network.ingress)
    tasks = tuple(_on_new_ingress(swarm_task) for swarm_task in swarm.swarm_tasks)
    return replace(swarm, networks=(new, held, *others), swarm_tasks=tasks, manager_id="id-node1")


def make_cluster(name: str, swarm: Swarm) -> Cluster:
    """A cluster of which this was seen."""
    cluster = Cluster.objects.create(name=name, endpoint="unix:///nowhere.sock", created_at=swarm.observed_at)
    assert observations.keep(cluster=cluster, swarm=swarm)
    cluster.refresh_from_db()
    return cluster


def _on_new_ingress(swarm_task: SwarmTask) -> SwarmTask:
    if INGRESS_ID not in swarm_task.network_ids:
        return swarm_task
    if swarm_task.node_id in ("id-node1", "id-node3"):
        said = "ingress-sbox: ingress sandbox already present"
        return replace(swarm_task, state="rejected", desired_state="shutdown", error=said, network_ids=())
    return replace(swarm_task, network_ids=("ingressnew", *swarm_task.network_ids[1:]))


def _overlay(number: int) -> Network:
    block = f"{subnets.address_text(FIRST_SUBNET + 64 * number)}/26"
    return make_network(
        f"stack{number % 97}_net{number:05}", "" if number % 11 == 10 else block, encrypted=number % 7 == 0
    )


def _service(number: int, overlay: Network) -> Service:
    published = (FIRST_PORT + number % PORTS,) if number % 3 == 0 else ()
    vips = ((overlay.id, f"10.0.0.{number % 250}/26"),)
    return make_service(f"stack{number % 97}_svc{number:05}", published=published, network_ids=(overlay.id,), vips=vips)
