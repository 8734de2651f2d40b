"""Every way in which a call can fail, over real sockets: the kind of error, its words, and the time it takes."""

import json
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from overlayweb.domain.membership import JoinRequest
from overlayweb.domain.plans import IngressSettings
from overlayweb.domain.specs import Spec
from overlayweb.engine.calls import WHOLE_CALL
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
from overlayweb.engine.membership import Members
from tests.engine import servers
from tests.engine.servers import Server
from tests.support.patience import patient

LIMIT = 0.4
NO_LEADER = (
    "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are"
    " online. Make sure more than half of the managers are online."
)
ALONE = (
    "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    "rpc error: code = Unknown desc = context deadline exceeded",
    "rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status",
)
WORKER = (
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this"
    " command on a manager node or promote the current node to a manager."
)
STARTING = "This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster."
LOCKED = "Swarm is encrypted and needs to be unlocked before it can be used. Use docker swarm unlock to unlock it."


@pytest.fixture(params=["unix", "tcp"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with servers.on_socket(tmp_path / "docker.sock") if request.param == "unix" else servers.on_loopback() as made:
        yield made


@pytest.fixture
def engine(server: Server) -> Iterator[DockerEngine]:
    with connect(Endpoint(url=server.url), timeout_seconds=LIMIT) as made:
        yield made


@pytest.mark.parametrize(
    ("status", "message", "kind", "words"),
    [
        (500, "rpc error: code = Unknown desc = update out of sequence", VersionConflict, "was changed since"),
        (404, "service abc not found", NotFound, "it is gone. The engine says: service abc not found"),
        (500, "rpc error: code = NotFound desc = node abc not found", NotFound, "node abc not found"),
        (409, "network with name ingress already exists", AlreadyExists, "network with name ingress already exists"),
        (403, "rpc error: code = AlreadyExists desc = ingress is there", AlreadyExists, "ingress is there"),
        (400, "invalid spec", Refused, "The engine refuses to read the nodes: invalid spec."),
        (403, "not supported", Refused, "not supported"),
        (500, "rpc error: code = FailedPrecondition desc = network x is in use", Refused, ": network x is in use."),
        (500, "something broke", EngineFault, "failed to read the nodes: something broke."),
        (504, "context deadline exceeded", EngineFault, "context deadline exceeded"),
        (503, NO_LEADER, EngineFault, "more than half of the managers"),
        (500, NO_LEADER, EngineFault, "no leader"),
        *((500, words, EngineFault, "Bring more than half of the managers online") for words in ALONE),
        (503, STARTING, EngineFault, "is starting"),
        (503, WORKER, NotAManager, "docker node promote"),
        (503, LOCKED, NotAManager, "docker swarm unlock"),
        (503, "rpc error: code = Unavailable desc = connection error", EngineFault, "connection error"),
    ],
)
def test_an_answered_error_becomes_its_kind(
    server: Server, engine: DockerEngine, status: int, message: str, kind: type[EngineError], words: str
) -> None:
    server.script = [servers.engine_error(status, message)]
    with pytest.raises(EngineError) as caught:
        engine.nodes()
    assert type(caught.value) is kind
    assert kind is not EngineFault or not caught.value.permanent
    assert words in str(caught.value)
    assert "rpc error" not in str(caught.value)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(servers.reset, id="reset"),
        pytest.param(servers.raw(b""), id="closed"),
        pytest.param(servers.raw(b"HTTP/1.1 200"), id="cut in the head"),
        pytest.param(servers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[{}"), id="cut body"),
        pytest.param(servers.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[]"), id="cut chunk"),
        pytest.param(servers.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"), id="no end"),
        pytest.param(servers.raw(b"HTTP/1.1 200 OK\r\n\r\n[{"), id="half a document"),
        pytest.param(servers.raw(b"SSH-2.0-OpenSSH_9.2\r\n"), id="another protocol"),
        pytest.param(servers.raw(b"HTTP/1.1 200 OK\r\n\r\n<html>hello</html>"), id="a web page"),
        pytest.param(servers.answer(200, [{"hello": "world"}]), id="rows of something else"),
        pytest.param(servers.answer(200, {"hello": "world"}), id="an object for a list"),
        pytest.param(servers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), id="an empty body"),
        pytest.param(servers.answer(200, None), id="null"),
        pytest.param(servers.answer(200, [[]]), id="a list for an object"),
        pytest.param(servers.raw(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), id="a redirect"),
    ],
)
def test_a_broken_answer_is_unreachable(server: Server, engine: DockerEngine, act: servers.Act) -> None:
    server.script = [act]
    with pytest.raises(EngineUnreachable) as caught:
        engine.nodes()
    assert not caught.value.permanent
    assert "Could not read the nodes." in str(caught.value)
    assert server.url in str(caught.value)


def test_no_error_of_a_join_says_the_token(server: Server, engine: DockerEngine) -> None:
    token = "SWMTKN-1-secret"
    server.script = [servers.engine_error(500, f"invalid join token {token}")]
    request = JoinRequest(role="worker", remote="192.168.1.10:2377")
    with pytest.raises(EngineFault) as failed:
        Members(engine.calls).join(request, token=token)
    assert "invalid join token TOKEN" in str(failed.value)
    assert token not in "".join(traceback.format_exception(failed.value))


def test_silence_ends_at_the_limit(server: Server, engine: DockerEngine) -> None:
    server.script = [servers.silence]
    started = time.monotonic()
    with pytest.raises(EngineUnreachable, match=r"did not answer in time .* more than half of the managers"):
        engine.nodes()
    assert LIMIT <= time.monotonic() - started < LIMIT + patient(0.5)


@pytest.mark.slow
def test_a_dripping_answer_ends_too(server: Server, engine: DockerEngine) -> None:
    server.script = [servers.drip]
    started = time.monotonic()
    with pytest.raises(EngineUnreachable, match="did not answer in time"):
        engine.nodes()
    assert LIMIT < time.monotonic() - started < WHOLE_CALL * LIMIT + patient(1)


def test_a_change_whose_answer_is_lost_is_unreachable(server: Server, engine: DockerEngine) -> None:
    server.script = [servers.reset]
    with pytest.raises(EngineUnreachable, match="create the ingress network ingress"):
        engine.create_ingress(settings=IngressSettings(), labels={})
    assert sum("POST /v1.41/networks/create" in request for request in server.requests) == 1


@pytest.mark.parametrize("answered", [None, {}, []])
def test_a_creation_without_an_id_is_unreachable(server: Server, engine: DockerEngine, answered: object) -> None:
    server.script = [servers.answer(201, answered)]
    with pytest.raises(EngineUnreachable, match="does not say which"):
        engine.create_ingress(settings=IngressSettings(), labels={})


def test_the_engine_answers_again_after_a_failure(server: Server, engine: DockerEngine) -> None:
    server.script = [servers.reset, servers.silence, servers.answer(200, [])]
    for _ in range(2):
        with pytest.raises(EngineUnreachable):
            engine.nodes()
    assert engine.nodes() == ()


def test_the_spec_goes_out_as_it_is(server: Server, engine: DockerEngine) -> None:
    spec = Spec.of({"Name": "shop", "Unknown": {"Key": None}, "Labels": {"wort": "größe"}, "MaxFailureRatio": 0.1})
    server.script = [servers.answer(200, {"Warnings": None})]
    engine.update_service(service_id="abc/../def", version=7, spec=spec)
    head, _, body = server.requests[-1].partition("\r\n\r\n")
    assert head.startswith("POST /v1.41/services/abc%2F..%2Fdef/update?version=7&registryAuthFrom=spec HTTP/1.1")
    assert body == spec.text
    assert "x-registry-auth" not in head.lower()


def test_nothing_of_the_operators_configuration_is_sent(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-4711"
    config = {"auths": {"registry.example": {"auth": "!"}}, "HttpHeaders": {"X-Canary": canary}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login someone password {canary}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    server.script = [servers.answer(200, [])]
    with connect(Endpoint(url=server.url), timeout_seconds=LIMIT) as engine:
        engine.nodes()
    assert len(server.requests) == 2
    assert canary not in "".join(server.requests)
    assert "authorization" not in "".join(server.requests).lower()


def test_a_node_changed_meanwhile_is_read_again(server: Server, engine: DockerEngine) -> None:
    spec = {"Role": "worker", "Availability": "active", "Labels": {"zone": "a"}}
    conflict = servers.engine_error(500, "rpc error: code = Unknown desc = update out of sequence")
    server.script = [
        servers.answer(200, {"ID": "n1", "Version": {"Index": 3}, "Spec": spec}),
        conflict,
        servers.answer(200, {"ID": "n1", "Version": {"Index": 5}, "Spec": {**spec, "Availability": "drain"}}),
        servers.answer(200, None),
    ]
    engine.label_node(node_id="n1", key="nudge", value="1")
    head, _, body = server.requests[-1].partition("\r\n\r\n")
    assert "POST /v1.41/nodes/n1/update?version=5 " in head
    assert json.loads(body) == {"Role": "worker", "Availability": "drain", "Labels": {"zone": "a", "nudge": "1"}}


def test_a_node_changed_again_and_again_is_given_up(server: Server, engine: DockerEngine) -> None:
    node = servers.answer(200, {"ID": "n1", "Version": {"Index": 3}, "Spec": {"Labels": None}})
    conflict = servers.engine_error(500, "rpc error: code = Unknown desc = update out of sequence")
    server.script = [node, conflict] * 20
    with pytest.raises(VersionConflict):
        engine.label_node(node_id="n1", key="nudge", value="1")
    assert 2 < len(server.requests) < 20


def test_a_refusal_stays_when_its_cause_can_not_be_read(server: Server, engine: DockerEngine) -> None:
    server.script = [servers.engine_error(400, "network x is in use by service y"), servers.reset]
    with pytest.raises(Refused, match="in use by service y"):
        engine.remove_network("x")


@pytest.mark.parametrize(
    "version", [{"Version": "19.03.15", "ApiVersion": "1.40"}, {"Version": "1", "ApiVersion": "1.9"}]
)
def test_an_engine_that_is_too_old_is_refused(server: Server, version: dict[str, str]) -> None:
    server.version = version
    with pytest.raises(Refused, match=r"20\.10 is the oldest"):
        connect(Endpoint(url=server.url), timeout_seconds=LIMIT)


@pytest.mark.parametrize("version", [{"Version": "20"}, {"Version": "20", "ApiVersion": "new"}, [], "1.41", None])
def test_what_is_no_engine_is_unreachable(server: Server, version: object) -> None:
    server.version = version
    with pytest.raises(EngineUnreachable, match="is not a Docker engine"):
        connect(Endpoint(url=server.url), timeout_seconds=LIMIT)


def test_a_missing_socket_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match=rf"no socket at {tmp_path}/none\.sock.*daemon is running"):
        connect(Endpoint(url=f"unix://{tmp_path}/none.sock"))


def test_a_socket_nobody_listens_on_is_said(tmp_path: Path) -> None:
    with servers.on_socket(tmp_path / "docker.sock"):
        pass
    with pytest.raises(EngineUnreachable, match="Nothing listens"):
        connect(Endpoint(url=f"unix://{tmp_path}/docker.sock"))


def test_a_port_nobody_listens_on_is_said() -> None:
    with servers.on_loopback() as gone:
        pass
    with pytest.raises(EngineUnreachable, match=f"Nothing listens at {gone.url}"):
        connect(Endpoint(url=gone.url))


def test_a_name_without_an_address_is_said() -> None:
    with pytest.raises(EngineUnreachable, match="has no address"):
        connect(Endpoint(url="tcp://nowhere.invalid:2375"), timeout_seconds=5)


def test_a_full_queue_of_connections_ends_at_the_limit(tmp_path: Path) -> None:
    import socket

    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(str(path))
            started = time.monotonic()
            with pytest.raises(EngineUnreachable):
                connect(Endpoint(url=f"unix://{path}"), timeout_seconds=LIMIT)
            assert time.monotonic() - started < LIMIT + patient(0.5)
