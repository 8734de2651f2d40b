"""Overlays made and taken away on a real Swarm, and what Docker takes without a word: refused by a plan first."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from overlayweb.domain import connect_plans, decoding, network_plans
from overlayweb.domain.connect_plans import ConnectRequest
from overlayweb.domain.decoding import Decoded
from overlayweb.domain.ingress_settings import VXLAN_IDS_OPTION
from overlayweb.domain.lifecycle import JobStatus
from overlayweb.domain.links import Link
from overlayweb.domain.network_plans import CreateRequest, DeleteRequest
from overlayweb.domain.network_settings import NetworkSettings
from overlayweb.domain.plans import Request
from overlayweb.domain.policy import ApprovalMode
from overlayweb.domain.swarm import IpamConfig
from overlayweb.engine.connection import Endpoint, connect
from overlayweb.engine.errors import Refused
from overlayweb.engine.networks import overlay_body
from overlayweb.models import Cluster, Installation, Job
from tests.lab import image
from tests.lab import services as lab_services
from tests.lab.daemon import Node, wait_until
from tests.lab.services import replicated
from tests.lab.swarm import Lab
from tests.workflows.rig import Rig, assert_story

pytestmark = [pytest.mark.requires("dockerd"), pytest.mark.timeout(300)]

TAKEN = "10.51.0.0/24"
FULL_ID = 64
HANGS = "state-new"
LONGER_THAN_A_START = 5.0
"""Seconds; a container of the lab runs one or two after it was asked for."""


@pytest.fixture(scope="module")
def quiet(lab: Lab) -> Lab:
    """The lab with one overlay and nothing else, for all tests of this file."""
    lab.reset()
    _make(lab, NetworkSettings(name="taken", subnets=_subnets(TAKEN)))
    wait_until(lambda: _listed(lab, "taken")["Driver"] == "overlay", what="taken to be allocated", timeout=20)
    return lab


@pytest.fixture
def rig(quiet: Lab, transactional_db: None) -> Iterator[Rig]:
    now = timezone.now()
    Installation.objects.create(pk=1, approval_mode=ApprovalMode.TWO_PEOPLE, created_at=now)
    rig = Rig(
        lab=quiet,
        cluster=Cluster.objects.create(name="lab", endpoint=quiet.manager.socket, created_at=now),
        author=User.objects.create_user("ana"),
        reviewer=User.objects.create_user("ben"),
        ids={},
    )
    yield rig
    for worker in rig.workers:
        worker.end()


MTU = "com.docker.network.driver.mtu"
FREE = "10.52.0.0/24"


@pytest.mark.parametrize(
    ("asked", "driver", "code"),
    [
        pytest.param({"subnets": "10.51.0.128/25"}, "", "subnet-overlap", id="overlap"),
        pytest.param({"subnets": f"{TAKEN}  10.51.0.64/26"}, "overlay", "subnet-overlap", id="overlap-with-range"),
        pytest.param({"subnets": "192.168.0.0/16"}, "overlay", "subnet-overlap", id="node-addresses"),
        pytest.param({"subnets": "10.0.0.0/8"}, "", "subnet-overlap", id="too-large"),
        pytest.param({"subnets": "12.0.0.0/7"}, "overlay", "subnet-too-large", id="7"),
        pytest.param({"subnets": "10.52.0.0/31"}, "", "subnet-too-small", id="31"),
        pytest.param({"subnets": "10.52.0.0/32"}, "", "subnet-too-small", id="32"),
        pytest.param({"subnets": f"{FREE} 10.52.0.0"}, "", "gateway-not-usable", id="gateway-is-network"),
        pytest.param({"subnets": f"{FREE} 10.52.0.255"}, "", "gateway-not-usable", id="gateway-is-broadcast"),
        pytest.param({"subnets": "fd00:52::/64"}, "overlay", "subnet-ipv6", id="ipv6"),
        pytest.param({"mtu": 20}, "overlay", "mtu-bounds", id="mtu-20"),
        pytest.param({"mtu": 9001}, "overlay", "mtu-bounds", id="mtu-9001"),
        pytest.param({"options": ((MTU, "abc"),)}, "overlay", "option-has-a-field", id="mtu-abc"),
        pytest.param({"options": (("encrypted", "false"),)}, "overlay", "option-has-a-field", id="encrypted-false"),
        pytest.param({"options": ((VXLAN_IDS_OPTION, "abc"),)}, "", "option-of-swarm", id="vxlan-id-abc"),
    ],
)
def test_what_docker_takes_in_silence_is_refused_first(rig: Rig, asked: dict[str, Any], driver: str, code: str) -> None:
    """``driver``: what the engine lists of the network once its allocator has been past it, "" for never allocated."""
    _refused_first(rig, asked=asked, driver=driver, code=code)


def test_the_subnet_of_a_local_bridge_is_refused_first(rig: Rig) -> None:
    """Which of its pools an engine gave to ``docker_gwbridge``: one that holds the machine's name server it leaves."""
    (bridge,) = _listed(rig.lab, "docker_gwbridge")["IPAM"]["Config"]
    _refused_first(rig, asked={"subnets": bridge["Subnet"]}, driver="overlay", code="subnet-overlap")


def test_the_vxlan_id_of_another_network_is_refused_first(rig: Rig) -> None:
    theirs = _listed(rig.lab, "taken")["Options"][VXLAN_IDS_OPTION]
    _refused_first(rig, asked={"options": ((VXLAN_IDS_OPTION, theirs),)}, driver="", code="option-of-swarm")


def _refused_first(rig: Rig, *, asked: dict[str, Any], driver: str, code: str) -> None:
    settings = NetworkSettings(**{"name": "silent", **asked, "subnets": _subnets(asked.get("subnets", FREE))})
    plan = network_plans.create(swarm=rig.swarm(), request=CreateRequest(settings=settings))
    assert code in {finding.code for finding in plan.blockers}

    made = [_make(rig.lab, settings), _make(rig.lab, NetworkSettings(name="later", subnets=_subnets("10.53.0.0/24")))]
    wait_until(lambda: _listed(rig.lab, "later")["Driver"] == "overlay", what="the later one's turn", timeout=20)
    swarm = rig.swarm()
    (silent,) = [network for network in swarm.networks if network.id == made[0]]
    assert silent.driver == driver
    meant = decoding.of_network(swarm=swarm, network=silent)
    assert (meant.code if meant else "") == ("" if driver else "network-unallocated")
    for network_id in made:
        rig.lab.manager.request("DELETE", f"/networks/{network_id}")


@pytest.mark.parametrize(
    ("asked", "code", "meant"),
    [
        pytest.param({"name": "taken"}, "name-taken", "name-taken", id="name"),
        pytest.param({"name": "Taken"}, "name-taken", "name-taken", id="name-by-capitals"),
        pytest.param({"name": "docker_gwbridge"}, "name-taken", "name-taken", id="name-of-a-bridge"),
        pytest.param({"subnets": f"{FREE} 10.99.0.1"}, "gateway-outside", "", id="gateway-outside"),
    ],
)
def test_what_docker_refuses_aloud_is_refused_first_too(rig: Rig, asked: dict[str, Any], code: str, meant: str) -> None:
    settings = NetworkSettings(**{"name": "loud", **asked, "subnets": _subnets(asked.get("subnets", FREE))})
    plan = network_plans.create(swarm=rig.swarm(), request=CreateRequest(settings=settings))
    assert [finding.code for finding in plan.blockers] == [code]
    with pytest.raises(docker.errors.APIError) as refused:
        _make(rig.lab, settings)
    found = decoding.decode(str(refused.value))
    assert (found.code if found else "") == meant


def test_a_network_is_made_kept_while_somebody_is_on_it_and_deleted(rig: Rig) -> None:
    lab = rig.lab
    settings = NetworkSettings(name="lake", subnets=_subnets("10.54.0.0/24"), mtu=1400, attachable=True)
    job = rig.run(_agreed(rig, network_plans.CREATE, CreateRequest(settings=settings)))
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert_story(job)
    row = _listed(lab, "lake")
    assert row["IPAM"]["Config"] == [{"Subnet": "10.54.0.0/24", "Gateway": "10.54.0.1"}]
    assert (row["Options"][MTU], row["Attachable"]) == ("1400", True)
    assert row["Labels"] == {"com.overlayweb.job": f"{job.pk}-1"}

    worker = lab.nodes[2]
    service = lab_services.create(lab.manager, replicated("on_lake", replicas=1, networks=[row["Id"]]))
    lab.wait_running(["on_lake"], timeout=60)
    box = worker.cli("run", "--detach", "--network", "lake", image.IMAGE, "sleep", "600").strip()
    delete = DeleteRequest(network_id=row["Id"])
    said = network_plans.delete(swarm=rig.swarm(), request=delete).blockers
    assert [finding.code for finding in said] == ["network-in-use", "standalone-container"]
    assert f"{box[:12]} on {worker.name}" in said[1].message
    lab.manager.request("DELETE", f"/services/{service}")
    wait_until(lambda: list(lab.containers_on(row["Id"])) == [worker.name], what="the service to leave", timeout=30)
    meant = decoding.decode(_refusal(rig, row["Id"]), swarm=rig.swarm())
    assert meant is not None
    assert meant.code == "in-use-by-task"
    found = f"container {box[:12]} that was attached by hand, on {worker.name}, running"
    assert any(found in sentence for sentence in meant.evidence), meant
    worker.cli("rm", "--force", box)
    wait_until(
        lambda: not network_plans.delete(swarm=rig.swarm(), request=delete).blockers, what="nobody on it", timeout=30
    )
    job = rig.run(_agreed(rig, network_plans.DELETE, delete))
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert "lake" not in {network.name for network in rig.swarm().networks}


def test_a_removal_waits_until_the_last_container_has_left(rig: Rig) -> None:
    """Its service has gone already; the container itself ignores that it is to stop."""
    marsh = _make(rig.lab, NetworkSettings(name="marsh", subnets=_subnets("10.59.0.0/24")))
    spec = lab_services.slow_stopping("stubborn", replicas=1)
    spec["TaskTemplate"]["Networks"] = [{"Target": marsh}]
    service = lab_services.create(rig.lab.manager, spec)
    rig.lab.wait_running(["stubborn"], timeout=60)
    rig.lab.manager.request("DELETE", f"/services/{service}")
    delete = DeleteRequest(network_id=marsh)
    said = network_plans.delete(swarm=rig.swarm(), request=delete).findings
    assert [finding.code for finding in said] == ["tasks-leaving"]
    job = rig.run(_agreed(rig, network_plans.DELETE, delete))
    assert (job.status, job.attention) == (JobStatus.SUCCEEDED, [])
    assert "Waiting for 1 container of services to leave marsh" in [event.message for event in job.events.all()]
    assert _on(rig, marsh) == set()
    assert "marsh" not in {network.name for network in rig.swarm().networks}


def test_one_that_swarm_does_not_allocate_is_removed_again_and_what_it_meets_named(rig: Rig) -> None:
    """The overlay in the way comes from a stranger, after the job has looked at the cluster."""
    settings = NetworkSettings(name="late", subnets=_subnets("10.55.0.0/24"))
    job = _agreed(rig, network_plans.CREATE, CreateRequest(settings=settings))
    with rig.worker(job, die="step:create-1") as worker:
        worker.wait()
    stranger = _make(rig.lab, NetworkSettings(name="stranger", subnets=_subnets("10.55.0.128/25")))
    wait_until(lambda: _listed(rig.lab, "stranger")["Driver"] == "overlay", what="the stranger's", timeout=20)
    rig.run(job)
    assert job.status == JobStatus.FAILED
    assert "stranger (10.55.0.128/25)" in job.outcome
    assert {"late", "stranger"} & {network.name for network in rig.swarm().networks} == {"stranger"}
    rig.lab.manager.request("DELETE", f"/networks/{stranger}")


def test_containers_that_hang_for_want_of_addresses_are_explained(rig: Rig) -> None:
    """Six addresses, of which the gateway, the VIP and the nodes take some: eight containers do not fit."""
    tiny = _make(rig.lab, NetworkSettings(name="tiny", subnets=_subnets("10.56.0.0/29")))
    full = lab_services.create(rig.lab.manager, replicated("crowd", replicas=8, networks=[tiny]))

    def meaning() -> Decoded | None:
        swarm = rig.swarm()
        service = next(row for row in swarm.services if row.id == full)
        return decoding.of_service(swarm=swarm, service=service)

    wait_until(lambda: (found := meaning()) is not None and found.code == HANGS, what="the want to show", timeout=40)
    found = meaning()
    assert found is not None
    assert any("tiny" in sentence for sentence in found.evidence), found.evidence
    rig.lab.manager.request("DELETE", f"/services/{full}")
    wait_until(lambda: not _on(rig, tiny), what="everybody to leave", timeout=30)
    rig.lab.manager.request("DELETE", f"/networks/{tiny}")


def test_what_swarm_says_of_containers_that_it_rejects_is_explained(rig: Rig) -> None:
    """In the engine's own words: a folder that is nowhere, an image, a command, and a network for services only."""
    wanted = {
        "mount": {"Mounts": [{"Type": "bind", "Source": "/nowhere", "Target": "/data"}]},
        "image-missing": {"Image": "lab/nowhere:1"},
        "runtime": {"Command": ["/bin/nothing"], "Init": False},
    }
    ids = {}
    for code, changed in wanted.items():
        spec = replicated(code, replicas=1)
        spec["TaskTemplate"]["ContainerSpec"].update(changed)
        ids[code] = lab_services.create(rig.lab.manager, spec)

    def meanings() -> dict[str, Decoded | None]:
        swarm = rig.swarm()
        services = [row for row in swarm.services if row.name in wanted]
        return {row.name: decoding.of_service(swarm=swarm, service=row) for row in services}

    def explained() -> bool:
        return all(meant and "say" in " ".join(meant.evidence) for meant in meanings().values())

    with contextlib.suppress(TimeoutError):
        wait_until(explained, what="all three to be rejected", timeout=20, every=0.5)
    assert {name: meant.code if meant else "" for name, meant in meanings().items()} == {code: code for code in wanted}
    for service in ids.values():
        rig.lab.manager.request("DELETE", f"/services/{service}")
    box = rig.lab.nodes[1].cli("create", "--network", "taken", image.IMAGE, "sleep", "600").strip()
    with pytest.raises(docker.errors.APIError) as refused:
        rig.lab.nodes[1].request("POST", f"/containers/{box}/start")
    meant = decoding.decode(str(refused.value), swarm=rig.swarm())
    assert meant is not None
    assert meant.code == "not-attachable"
    assert any(f"taken {TAKEN} is used by no service; it is not attachable" in row for row in meant.evidence), meant
    rig.lab.nodes[1].cli("rm", box)


def test_three_containers_on_three_nodes_do_not_fit_into_six_addresses_and_are_refused_first(rig: Rig) -> None:
    """Gateway, VIP and three nodes take five. Docker starts what finds an address; the others wait for ever."""
    tiny = _make(rig.lab, NetworkSettings(name="six", subnets=_subnets("10.58.0.0/29")))
    wait_until(lambda: _listed(rig.lab, "six")["Driver"] == "overlay", what="six to be allocated", timeout=20)
    outside = lab_services.create(rig.lab.manager, replicated("outside", replicas=3))
    request = ConnectRequest(links=(Link(service_id=outside, network_id=tiny),))

    def refused() -> bool:
        plan = connect_plans.build(swarm=rig.swarm(), request=request)
        return "no-addresses" in {row.code for row in plan.blockers}

    assert refused()
    with _drained(rig.lab, *rig.lab.nodes[1:]):
        assert not refused(), "a drained node takes no address"
        alone = lab_services.create(rig.lab.manager, replicated("alone", replicas=3, networks=[tiny]))
        rig.lab.wait_running(["alone"], timeout=30)
        assert list(rig.lab.containers_on(tiny)) == [rig.lab.manager.name]
        rig.lab.manager.request("DELETE", f"/services/{alone}")
        wait_until(lambda: not _on(rig, tiny), what="everybody to leave", timeout=30)
    trio = lab_services.create(rig.lab.manager, replicated("trio", replicas=3, networks=[tiny]))

    def states() -> list[str]:
        return sorted(row.state for row in rig.swarm().tasks_of(trio) if row.desired_state == "running")

    wait_until(lambda: len(states()) == 3 and "running" in states(), what="one to run", timeout=60)
    time.sleep(LONGER_THAN_A_START)
    # Nodes and containers are given addresses in any order: one that found none waits as new, one whose node did not
    # waits as preparing.
    assert {"new", "preparing"} & set(states()), states()
    for service in (outside, trio):
        rig.lab.manager.request("DELETE", f"/services/{service}")
    wait_until(lambda: not _on(rig, tiny), what="everybody to leave", timeout=30)
    rig.lab.manager.request("DELETE", f"/networks/{tiny}")


def test_an_auxiliary_address_is_taken_in_silence_and_given_out(rig: Rig) -> None:
    """Why the forms refuse them."""
    body = overlay_body(settings=NetworkSettings(name="aux", subnets=_subnets("10.57.0.0/24")), labels={})
    body["IPAM"]["Config"][0]["AuxiliaryAddresses"] = {"printer": "10.57.0.2"}
    network_id = rig.lab.manager.request("POST", "/networks/create", body)["Id"]
    wait_until(lambda: _listed(rig.lab, "aux")["Driver"] == "overlay", what="aux to be allocated", timeout=20)
    service = lab_services.create(rig.lab.manager, replicated("printing", replicas=0, networks=[network_id]))

    def vips() -> list[str]:
        found = rig.lab.manager.request("GET", f"/services/{service}")["Endpoint"].get("VirtualIPs") or []
        return [row.get("Addr", "") for row in found]

    wait_until(lambda: bool(vips()), what="its VIP", timeout=20)
    assert "AuxiliaryAddresses" not in _listed(rig.lab, "aux")["IPAM"]["Config"][0]
    assert vips() == ["10.57.0.2/24"]
    rig.lab.manager.request("DELETE", f"/services/{service}")
    rig.lab.manager.request("DELETE", f"/networks/{network_id}")


@contextlib.contextmanager
def _drained(lab: Lab, *nodes: Node) -> Iterator[None]:
    for node in nodes:
        lab_services.set_availability(lab.manager, node.name, "drain")
    yield
    for node in nodes:
        lab_services.set_availability(lab.manager, node.name, "active")


def _refusal(rig: Rig, network_id: str) -> str:
    """What the engine says when it is asked to remove a network."""
    with connect(Endpoint(url=rig.lab.manager.socket)) as engine, pytest.raises(Refused) as refused:
        engine.remove_network(network_id)
    return str(refused.value)


def _on(rig: Rig, network_id: str) -> set[str]:
    return {box for boxes in rig.lab.containers_on(network_id).values() for box in boxes if len(box) == FULL_ID}


def _agreed(rig: Rig, kind: str, request: Request) -> Job:
    rig.swarm()
    return rig.agreed(kind, request)


def _make(lab: Lab, settings: NetworkSettings) -> str:
    body = overlay_body(settings=settings, labels={})
    return str(lab.manager.request("POST", "/networks/create", body)["Id"])


def _subnets(*rows: str) -> tuple[IpamConfig, ...]:
    names = ("subnet", "gateway", "ip_range")
    return tuple(IpamConfig(**dict(zip(names, row.split(" "), strict=False))) for row in rows)


def _listed(lab: Lab, name: str) -> dict[str, Any]:
    return next(row for row in lab.manager.request("GET", "/networks") if row["Name"] == name)
