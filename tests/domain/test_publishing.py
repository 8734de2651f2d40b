"""Published ports that come and go: in specs, in plans, and what stands approved afterwards."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlayweb.domain import connect_plans, specs, standings
from overlayweb.domain.connect_plans import ConnectPlan, ConnectRequest
from overlayweb.domain.links import Link, Publication
from overlayweb.domain.plans import Level
from overlayweb.domain.ports import PublishedPort
from overlayweb.domain.swarm import Service, Swarm
from tests.domain.builders import make_ingress, make_network, make_port, make_service, make_spec, make_swarm

PORTS = st.builds(
    PublishedPort,
    target_port=st.sampled_from([80, 443]),
    published_port=st.integers(8000, 8005),
    protocol=st.sampled_from(["tcp", "udp"]),
    publish_mode=st.sampled_from(["ingress", "host"]),
)
SOME = st.lists(PORTS, unique=True, max_size=6)
HOST = make_port(8080, mode="host")


def plan(service: Service, wanted: tuple[PublishedPort, ...], *, swarm: Swarm | None = None) -> ConnectPlan:
    asked = standings.publication(service, standings.of_ports(service.name, wanted))
    request = ConnectRequest(links=(), publications=(asked,))
    return connect_plans.build(swarm=swarm or make_swarm(services=[service]), request=request)


def codes(found: ConnectPlan, level: Level = Level.BLOCKER) -> set[str]:
    return {finding.code for finding in found.findings if finding.level is level}


@given(there=SOME, wanted=SOME)
def test_a_spec_gets_just_these_ports_and_gets_its_own_back(
    there: list[PublishedPort], wanted: list[PublishedPort]
) -> None:
    service = make_service(spec=make_spec(published=there), ports=tuple(there))
    asked = standings.publication(service, standings.of_ports(service.name, wanted))
    after = specs.republished(service.spec, publish=asked.publish, unpublish=asked.unpublish)
    assert set(specs.ports_of(after)) == set(asked.of(service.ports)) == set(wanted)
    assert specs.republished(after, publish=asked.publish, unpublish=asked.unpublish) == after
    back = specs.republished(after, publish=asked.unpublish, unpublish=asked.publish)
    assert set(specs.ports_of(back)) == set(there)
    assert without_ports(back) == without_ports(after) == without_ports(service.spec)


def without_ports(spec: specs.Spec) -> dict[str, Any]:
    document = spec.document()
    document.pop("EndpointSpec", None)
    return document


def test_other_rows_stay_to_the_byte_and_a_port_that_swarm_chose_is_meant_by_its_number() -> None:
    service = make_service(published=(0, 8443))
    row = service.spec.document()["EndpointSpec"]["Ports"][1]
    after = specs.republished(service.spec, publish=(HOST,), unpublish=(service.ports[0],))
    assert service.ports[0].published_port
    assert after.document()["EndpointSpec"]["Ports"][0] == row
    assert specs.ports_of(after) == (make_port(8443), HOST)


def test_without_ports_an_endpoint_is_as_the_engine_gives_it_back() -> None:
    bare = make_spec(published=())
    published = specs.republished(bare, publish=(make_port(8080),), unpublish=())
    assert published.document()["EndpointSpec"]["Mode"] == "vip"
    taken_off = specs.republished(published, publish=(), unpublish=(make_port(8080),))
    assert taken_off.document()["EndpointSpec"] == {"Mode": "vip"}


def test_the_plan_says_what_changes_and_what_stands_afterwards() -> None:
    service = make_service("web", published=(8080, 9999))
    found = plan(service, (make_port(8080), make_port(8443, target=443)))
    assert not found.blockers
    assert connect_plans.title(found) == "web: publish 8443→443/tcp, unpublish 9999→80/tcp"
    assert found.commands[0] == (
        "docker service update --detach=false --publish-rm 80/tcp"
        " --publish-add published=8080,target=80,protocol=tcp,mode=ingress"
        " --publish-add published=8443,target=443,protocol=tcp,mode=ingress web"
    ), "what stays of the same target goes with it, and is added again"
    assert found.keeps_working[-1].startswith("Every other service, all other published ports,")
    stands = standings.of_plan(found)
    assert stands == (standings.of_ports("web", (make_port(8080), make_port(8443, target=443))),)


def test_a_service_that_shall_publish_nothing_stands_so() -> None:
    service = make_service("web", published=(8080,))
    assert standings.of_plan(plan(service, ())) == (standings.of_ports("web", ()),)


def test_networks_and_ports_of_one_service_change_in_one_update() -> None:
    service = make_service("web", published=(8080,))
    link = Link(service_id=service.id, network_id="id-backend")
    request = ConnectRequest(links=(link,), publications=(Publication(service_id=service.id, unpublish=service.ports),))
    swarm = make_swarm(services=[service], networks=[make_network()])
    found = connect_plans.build(swarm=swarm, request=request)
    assert not found.blockers
    assert len(found.effects) == 1
    assert connect_plans.things(found) == "networks and ports"


@pytest.mark.parametrize(
    ("mine", "theirs", "taken"),
    [
        (make_port(8080), make_port(8080), True),
        (make_port(8080), HOST, True),
        (HOST, make_port(8080), True),
        (HOST, HOST, False),
        (make_port(8081), make_port(8080), False),
        (PublishedPort(target_port=80, published_port=8080, protocol="udp"), make_port(8080), False),
    ],
)
def test_a_port_that_another_service_publishes(mine: PublishedPort, theirs: PublishedPort, *, taken: bool) -> None:
    service, other = make_service("web", published=()), make_service("other", published=(theirs,))
    found = plan(service, (mine,), swarm=make_swarm(services=[service, other]))
    assert codes(found) == ({"port-taken"} if taken else set())


def test_what_the_ingress_has_to_be_for_a_port() -> None:
    service = make_service("web", published=())
    gone = make_swarm(services=[service], ingress=None)
    small = make_swarm(services=[service], ingress=make_ingress("10.0.0.0/30"))
    hangs = make_swarm(services=[service], ingress=make_ingress(""))
    assert codes(plan(service, (make_port(8080),), swarm=gone)) == {"no-ingress"}
    assert codes(plan(service, (make_port(8080),), swarm=hangs)) == {"no-ingress"}
    assert codes(plan(service, (make_port(8080),), swarm=small)) == {"no-addresses"}
    assert not codes(plan(service, (HOST,), swarm=gone))


def test_an_endpoint_without_an_address_publishes_in_host_mode_alone() -> None:
    service = make_service("web", spec=make_spec(published=(), EndpointSpec={"Mode": "dnsrr"}), ports=())
    assert codes(plan(service, (make_port(8080),))) == {"dnsrr"}
    assert not codes(plan(service, (HOST,)))


def test_start_first_is_told_what_it_risks() -> None:
    first = make_service("web", published=(9999,), update_config={"Order": "start-first", "Parallelism": 1})
    assert "start-first-publish" in codes(plan(first, (make_port(8080),)), Level.WARNING)
    assert "start-first-publish" not in codes(plan(first, ()), Level.WARNING)
    assert "start-first-host-port" in codes(plan(first, (HOST,)), Level.WARNING)


def test_ports_that_are_there_and_services_that_are_not() -> None:
    service = make_service("web", published=(8080,))
    assert codes(plan(service, service.ports)) == {"no-change"}
    assert codes(plan(service, (), swarm=make_swarm(services=[]))) == {"service-gone"}
