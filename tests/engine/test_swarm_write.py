"""Changes to a real Swarm: what goes out comes back, and each refusal is of its kind."""

import time
from collections.abc import Callable, Iterator

import pytest

from overlayweb.domain import specs
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.swarm import IpamConfig, Service
from overlayweb.engine.connection import DockerEngine, Endpoint, connect
from overlayweb.engine.errors import (
    AlreadyExists,
    EngineError,
    EngineFault,
    EngineUnreachable,
    NotAManager,
    NotFound,
    Refused,
    VersionConflict,
)
from tests.lab.services import create_overlay, replicated
from tests.lab.swarm import Lab
from tests.support.patience import patient

pytestmark = pytest.mark.requires("dockerd", "root")

LIMIT = 1.5
SETTINGS = IngressSettings(
    name="mesh",
    subnet="10.77.0.0/20",
    gateway="10.77.0.9",
    ip_range="10.77.4.0/24",
    mtu=1400,
    labels=(("owner", "platform"),),
)


@pytest.fixture
def engine(lab: Lab, mix: dict[str, str]) -> Iterator[DockerEngine]:
    with connect(Endpoint(url=lab.manager.socket)) as made:
        yield made


def _service(engine: DockerEngine, service_id: str) -> Service:
    found = engine.service(service_id)
    assert found is not None
    return found


def _until(condition: Callable[[], object], seconds: float = 15, every: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every)


def _containers(engine: DockerEngine, service_id: str) -> set[str]:
    rows = engine.swarm_tasks()
    return {row.container_id for row in rows if row.service_id == service_id and row.state == "running"}


def test_every_spec_goes_out_and_back_to_the_byte(engine: DockerEngine, mix: dict[str, str]) -> None:
    for service_id in mix.values():
        before = _service(engine, service_id)
        containers = _containers(engine, service_id)
        engine.update_service(service_id=service_id, version=before.version, spec=before.spec)
        after = _service(engine, service_id)
        assert after.version > before.version
        assert after.spec.text == before.spec.text
        assert after.previous_spec == before.spec
        assert after.ports == before.ports
        assert _containers(engine, service_id) == containers, "nothing changed, so nothing restarts"


@pytest.mark.parametrize("name", ["shop_pay", "agent", "mixed", "shop_web"])
def test_a_held_service_comes_back_to_the_byte(engine: DockerEngine, mix: dict[str, str], name: str) -> None:
    before = _service(engine, mix[name])
    _change(engine, before.id, specs.held(before.spec))
    between = _service(engine, before.id)
    assert specs.same(between.spec, specs.held(before.spec))
    assert between.previous_spec == before.spec
    _until(lambda: not _containers(engine, before.id))
    _until(lambda: _service(engine, before.id).ingress_ports == ())
    assert _service(engine, before.id).replicas == before.replicas
    _change(engine, before.id, specs.starting(before.spec, was_held=True))
    _until(lambda: len(_containers(engine, before.id)) == before.replicas, seconds=60)
    containers = _containers(engine, before.id)
    _change(engine, before.id, before.spec)
    after = _service(engine, before.id)
    assert after.spec.text == before.spec.text
    assert after.ports == before.ports
    assert _containers(engine, before.id) == containers


def _change(engine: DockerEngine, service_id: str, spec: specs.Spec) -> None:
    engine.update_service(service_id=service_id, version=_service(engine, service_id).version, spec=spec)


def test_an_old_version_is_a_conflict(engine: DockerEngine, mix: dict[str, str]) -> None:
    service = _service(engine, mix["portal"])
    with pytest.raises(VersionConflict) as caught:
        engine.update_service(service_id=service.id, version=service.version - 1, spec=service.spec)
    assert not caught.value.permanent
    assert _service(engine, service.id).version == service.version


def test_a_service_that_is_gone_is_not_found(engine: DockerEngine, mix: dict[str, str]) -> None:
    spec = _service(engine, mix["portal"]).spec
    with pytest.raises(NotFound, match="it is gone"):
        engine.update_service(service_id="0" * 25, version=1, spec=spec)


def test_a_spec_that_can_not_be_is_refused(engine: DockerEngine, mix: dict[str, str]) -> None:
    service = _service(engine, mix["portal"])
    document = service.spec.document()
    document["Mode"] = {"Global": {}}
    with pytest.raises(EngineError) as caught:
        engine.update_service(service_id=service.id, version=service.version, spec=specs.Spec.of(document))
    assert isinstance(caught.value, Refused | EngineFault)
    assert "mode change is not allowed" in str(caught.value)


def test_a_second_ingress_is_there_already(engine: DockerEngine) -> None:
    with pytest.raises(AlreadyExists) as caught:
        engine.create_ingress(settings=SETTINGS, labels={})
    assert not caught.value.permanent
    with pytest.raises(AlreadyExists):
        engine.create_ingress(settings=IngressSettings(), labels={})


def test_an_ingress_in_use_is_refused_with_all_its_services(engine: DockerEngine) -> None:
    swarm = engine.observe()
    with pytest.raises(Refused) as caught:
        engine.remove_network(swarm.ingress_networks[0].id)
    assert swarm.published_services
    for service in swarm.published_services:
        assert service.name in str(caught.value)
    assert "host_only" not in str(caught.value)


def test_an_overlay_in_use_is_refused_with_its_services(engine: DockerEngine) -> None:
    backend = next(row for row in engine.networks() if row.name == "shop_backend")
    with pytest.raises(Refused, match="shop_cache, shop_web"):
        engine.remove_network(backend.id)


def test_an_unused_overlay_is_removed(lab: Lab, engine: DockerEngine) -> None:
    network_id = create_overlay(lab.manager, "unused")
    assert engine.network(network_id) is not None
    engine.remove_network(network_id)
    _until(lambda: engine.network(network_id) is None)
    assert network_id not in {row.id for row in engine.networks()}
    with pytest.raises(NotFound):
        engine.remove_network(network_id)


def test_a_node_label_is_set_and_taken_off(lab: Lab, engine: DockerEngine) -> None:
    node = next(row for row in engine.nodes() if row.hostname == "node2")
    lab.manager.cli("node", "update", "--label-add", "zone=a", node.id)
    try:
        for value in ("1", "2", "2"):
            engine.label_node(node_id=node.id, key="nudge", value=value)
            read = next(row for row in engine.nodes() if row.id == node.id)
            assert read.labels == (("nudge", value), ("zone", "a"))
        engine.label_node(node_id=node.id, key="nudge", value=None)
        engine.label_node(node_id=node.id, key="nudge", value=None)
        read = next(row for row in engine.nodes() if row.id == node.id)
        assert read.labels == (("zone", "a"),)
        assert (read.role, read.availability) == (node.role, node.availability)
    finally:
        lab.manager.cli("node", "update", "--label-rm", "zone", node.id)


def test_a_node_that_is_not_there_is_not_found(engine: DockerEngine) -> None:
    with pytest.raises(NotFound):
        engine.label_node(node_id="0" * 25, key="nudge", value="1")


def test_a_frozen_engine_is_unreachable_within_the_limit(lab: Lab) -> None:
    endpoint = Endpoint(url=lab.manager.socket)
    with connect(endpoint, timeout_seconds=LIMIT) as engine:
        lab.manager.pause()
        try:
            for call in (engine.nodes, lambda: connect(endpoint, timeout_seconds=LIMIT)):
                started = time.monotonic()
                with pytest.raises(EngineUnreachable, match=r"did not answer in time \(1.5 s\)"):
                    call()
                assert LIMIT <= time.monotonic() - started < LIMIT + patient(1)
        finally:
            lab.manager.resume()
        _until(lambda: _ready(engine))


def _ready(engine: DockerEngine) -> bool:
    try:
        return all(node.ready for node in engine.nodes())
    except (EngineUnreachable, EngineFault):
        return False


def test_the_ingress_is_replaced(lab: Lab) -> None:
    lab.reset()
    with connect(Endpoint(url=lab.manager.socket)) as engine:
        (old,) = engine.observe().ingress_networks
        engine.remove_network(old.id)
        _until(lambda: engine.network(old.id) is None)
        made = engine.create_ingress(settings=SETTINGS, labels={"com.overlayweb.job": "7"})
        _until(lambda: any(row.id == made and row.allocated for row in engine.networks()))
        _until(lambda: _everywhere(engine), seconds=60, every=3)
        (new,) = engine.observe().ingress_networks
    assert (new.id, new.name, new.mtu, new.attachable) == (made, "mesh", "1400", False)
    assert new.ipam == (IpamConfig(subnet="10.77.0.0/20", gateway="10.77.0.9", ip_range="10.77.4.0/24"),)
    assert new.labels == (("com.overlayweb.job", "7"), ("owner", "platform"))
    assert new.peers == tuple(node.address for node in lab.nodes)


def _everywhere(engine: DockerEngine) -> bool:
    """Nudge each node by a label, and tell whether the ingress is on all of them, which it may be only later."""
    for node in engine.nodes():
        engine.label_node(node_id=node.id, key="nudge", value=str(time.monotonic()))
    return len(engine.observe().ingress_networks[0].peers) == len(engine.nodes())


def test_an_engine_that_stops_is_unreachable_and_comes_back(lab: Lab) -> None:
    lab.reset()
    lab.manager.request("POST", "/services/create", replicated("after", replicas=1))
    with connect(Endpoint(url=lab.manager.socket)) as engine:
        lab.manager.crash()
        with pytest.raises(EngineUnreachable, match="Check that the Docker daemon is running"):
            engine.observe()
        lab.manager.start()
        _until(lambda: _ready(engine), seconds=30)
        assert [row.name for row in engine.observe().services] == ["after"]


def test_a_swarm_without_a_leader_is_a_fault_that_may_pass() -> None:
    with Lab(nodes=2, managers=2) as lab, connect(Endpoint(url=lab.manager.socket), timeout_seconds=5) as engine:
        _until(lambda: _ready(engine))
        lab.nodes[1].crash()
        _until(lambda: "no leader" in _complaint(engine), seconds=60)


def _complaint(engine: DockerEngine) -> str:
    """What the engine says against reading the nodes; at first it only takes its time, and that may pass too."""
    try:
        engine.nodes()
    except (EngineUnreachable, EngineFault) as error:
        return str(error)
    return ""


def test_an_engine_of_no_swarm_is_not_a_manager() -> None:
    with Lab(nodes=1) as lab:
        lab.manager.client().leave_swarm(force=True)
        with connect(Endpoint(url=lab.manager.socket)) as engine, pytest.raises(NotAManager, match="docker swarm init"):
            engine.observe()
