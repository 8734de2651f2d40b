"""TLS to an engine over TCP: verified by the given CA alone, and nothing of the key left on disk."""

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from overlayweb.engine.connection import Endpoint, InvalidEndpoint, connect
from overlayweb.engine.errors import EngineUnreachable
from tests.engine import servers
from tests.engine.certificates import Authority
from tests.engine.servers import Server


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a stranger CA, certificates for an engine here, an engine elsewhere, and a client."""
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder, "ca")
    Authority(folder, "stranger")
    authority.issue("here", address="127.0.0.1")
    authority.issue("elsewhere", address="127.0.0.2")
    authority.issue("client")
    authority.issue("locked", passphrase=b"x")
    return folder


@pytest.fixture(params=["here"])
def server(request: pytest.FixtureRequest, pki: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / f"{request.param}.pem", pki / f"{request.param}.key")
    context.load_verify_locations(pki / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with servers.on_loopback(context) as made:
        made.script = [servers.answer(200, [])]
        yield made


def _endpoint(server: Server, pki: Path, *, ca: str = "ca.pem", key: str = "client.key") -> Endpoint:
    return Endpoint(
        url=server.url, tls_ca=str(pki / ca), tls_certificate=str(pki / "client.pem"), tls_key=str(pki / key)
    )


def test_files_are_taken(server: Server, pki: Path) -> None:
    with connect(_endpoint(server, pki), timeout_seconds=5) as engine:
        assert engine.nodes() == ()


def test_text_is_taken_and_the_key_leaves_no_file(
    server: Server, pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ca, certificate, key = ((pki / name).read_text() for name in ("ca.pem", "client.pem", "client.key"))
    endpoint = Endpoint(url=server.url, tls_ca=ca, tls_certificate=certificate, tls_key=key)
    with connect(endpoint, timeout_seconds=5) as engine:
        assert list(tmp_path.iterdir()) == []
        assert engine.nodes() == ()


def test_another_ca_is_not_accepted(server: Server, pki: Path) -> None:
    with pytest.raises(EngineUnreachable, match=r"is not accepted.*Check that the CA"):
        connect(_endpoint(server, pki, ca="stranger.pem"), timeout_seconds=5)
    assert server.requests == []


def test_bundles_of_the_environment_are_not_trusted(server: Server, pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(pki / "ca.pem"))
    with pytest.raises(EngineUnreachable, match="is not accepted"):
        connect(_endpoint(server, pki, ca="stranger.pem"), timeout_seconds=5)


@pytest.mark.parametrize("server", ["elsewhere"], indirect=True)
def test_a_certificate_for_another_host_is_not_accepted(server: Server, pki: Path) -> None:
    with pytest.raises(EngineUnreachable, match=r"is not accepted.*names this host"):
        connect(_endpoint(server, pki), timeout_seconds=5)


def test_the_engine_wants_a_client_certificate(server: Server, pki: Path) -> None:
    with pytest.raises(EngineUnreachable, match="accepts the client certificate"):
        connect(Endpoint(url=server.url, tls_ca=str(pki / "ca.pem")), timeout_seconds=5)


def test_a_plain_port_is_said(pki: Path) -> None:
    with servers.on_loopback() as plain, pytest.raises(EngineUnreachable, match="TLS port"):
        connect(_endpoint(plain, pki), timeout_seconds=5)


@pytest.mark.parametrize(("ca", "key"), [("none.pem", "client.key"), ("ca.key", "client.key"), ("ca.pem", "here.key")])
def test_material_that_does_not_fit_is_refused(server: Server, pki: Path, ca: str, key: str) -> None:
    with pytest.raises(InvalidEndpoint, match="can not be used"):
        connect(_endpoint(server, pki, ca=ca, key=key), timeout_seconds=5)


def test_a_key_with_a_passphrase_is_refused_without_asking(server: Server, pki: Path) -> None:
    with pytest.raises(InvalidEndpoint, match="passphrase"):
        connect(_endpoint(server, pki, key="locked.key"), timeout_seconds=5)
