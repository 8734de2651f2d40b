"""What lists say of networks and services, held against the same counted the slow way."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlayweb.domain import inventory
from overlayweb.domain.inventory import NetworkState, ServiceState
from overlayweb.domain.swarm import STACK_LABEL, Mode, Network, Service, Swarm, SwarmTask
from tests.domain.builders import (
    make_bridge,
    make_ingress,
    make_network,
    make_port,
    make_service,
    make_swarm,
    make_swarm_task,
    make_swarm_tasks,
)

OVERLAYS = tuple(make_network(f"net{number}", f"10.0.{number}.0/24") for number in range(4))


@st.composite
def swarms(draw: st.DrawFn) -> Swarm:
    """Services on some of four overlays, with tasks in all kinds of states."""
    services: list[Service] = []
    tasks: list[SwarmTask] = []
    for number in range(draw(st.integers(0, 5))):
        on = tuple(draw(st.sets(st.sampled_from(OVERLAYS))))
        ids = tuple(network.id for network in on)
        vips = tuple((network.id, "10.0.0.9/24") for network in on if draw(st.booleans()))
        service = make_service(f"s{number}", published=(), network_ids=ids, vips=vips)
        services.append(service)
        for state in draw(
            st.lists(st.sampled_from(("running", "shutdown", "new", "orphaned", "starting")), max_size=4)
        ):
            task = make_swarm_task(service, len(tasks) + 1, state=state)
            tasks.append(replace(task, desired_state=draw(st.sampled_from(("running", "shutdown")))))
    return make_swarm(services=services, networks=OVERLAYS, swarm_tasks=tasks)


@given(swarms())
def test_addresses_are_counted_as_one_by_one(swarm: Swarm) -> None:
    rows = {row.network_id: row for row in inventory.networks(swarm)}
    for network in OVERLAYS:
        inside = [t for t in swarm.swarm_tasks if t.may_be_on(network.id) and t.desired_state == "running"]
        vips = [service for service in swarm.services if network.id in dict(service.vips)]
        used = 1 + len({task.node_id for task in inside}) + len(vips) + len(inside)
        assert (rows[network.id].used, rows[network.id].usable) == (used, 254)
        on = {s.id for s in swarm.services if network.id in s.network_ids or network.id in dict(s.vips)}
        assert rows[network.id].services == len(on)


def the(swarm: Swarm, network: Network) -> inventory.ListedNetwork:
    return next(row for row in inventory.networks(swarm) if row.network_id == network.id)


@pytest.mark.parametrize(
    ("network", "state"),
    [
        (make_network(), NetworkState.READY),
        (make_network(subnet=""), NetworkState.UNALLOCATED),
        (make_ingress("10.9.0.0/24", id="old", registered=False), NetworkState.REMOVED),
        (make_bridge("bridge0"), NetworkState.READY),
        (make_bridge("host0", "", driver="host"), NetworkState.READY),
    ],
)
def test_how_a_network_stands(network: Network, state: NetworkState) -> None:
    assert the(make_swarm(networks=[network]), network).state == state


def test_what_a_network_is_found_by() -> None:
    network = make_network("Shop_Back", "10.3.0.0/24", mtu="1400", labels=((STACK_LABEL, "shop"),))
    row = the(make_swarm(networks=[network]), network)
    assert (row.stack, row.mtu, row.subnets) == ("shop", 1400, "10.3.0.0/24")
    assert all(word in row.words for word in ("shop_back", "10.3.0", "overlay", network.id.lower()))


def test_the_ingress_is_on_its_peers() -> None:
    ingress = make_ingress(peers=("192.168.50.11", "192.168.50.12"))
    row = the(make_swarm(ingress=ingress), ingress)
    assert (row.services, row.nodes) == (1, 2)


@pytest.mark.parametrize(
    ("service", "running", "state"),
    [
        (make_service(), 2, ServiceState.RUNNING),
        (make_service(), 1, ServiceState.SHORT),
        (make_service(replicas=0), 0, ServiceState.EMPTY),
        (make_service(update_state="updating"), 1, ServiceState.UPDATING),
        (make_service(update_state="rollback_paused"), 2, ServiceState.PAUSED),
        (make_service(update_state="completed"), 2, ServiceState.RUNNING),
        (make_service(mode=Mode.REPLICATED_JOB, replicas=1), 1, ServiceState.RUNNING),
        (make_service(mode=Mode.REPLICATED_JOB, replicas=1), 0, ServiceState.SHORT),
    ],
)
def test_how_a_service_stands(service: Service, running: int, state: ServiceState) -> None:
    swarm = make_swarm(services=[service], swarm_tasks=make_swarm_tasks(service, running))
    (row,) = inventory.services(swarm)
    assert (row.state, row.running) == (state, running)


def test_a_job_that_has_completed_is_done() -> None:
    service = make_service(mode=Mode.REPLICATED_JOB, replicas=2)
    tasks = [make_swarm_task(service, number, state="complete", desired_state="complete") for number in (1, 2)]
    (row,) = inventory.services(make_swarm(services=[service], swarm_tasks=tasks))
    assert row.state == ServiceState.DONE


def test_what_a_service_is_found_by() -> None:
    service = make_service(
        "shop_web", published=(8443, make_port(53, mode="host"), 8001), network_ids=("id-front", "gone")
    )
    (row,) = inventory.services(make_swarm(services=[service], networks=[make_network("front")]))
    assert row.ports == "53 on its nodes, 8001, 8443"
    assert (row.networks, row.network_names) == (2, "front, gone"), "a network that is gone keeps its id"
    assert (row.image, row.published) == ("shop/web:1", True)
    assert all(word in row.words for word in ("shop_web", "8001", "front", "shop/web:1"))
