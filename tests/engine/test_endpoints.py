"""Which addresses are taken, and which engine is the local one."""

from pathlib import Path

import pytest

from overlayweb.engine.connection import Endpoint, InvalidEndpoint, local_endpoint

PEM = "-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("tcp://manager", "http://manager:2375"),
        ("tcp://10.0.0.5:2377", "http://10.0.0.5:2377"),
        ("tcp://[fd00::5]:2375/", "http://[fd00::5]:2375"),
        ("tcp://node-1.example.org:1", "http://node-1.example.org:1"),
    ],
)
def test_a_tcp_address_is_taken(url: str, base_url: str) -> None:
    endpoint = Endpoint(url=url)
    assert (endpoint.base_url, endpoint.socket_path, endpoint.secure) == (base_url, "", False)


def test_tls_changes_scheme_and_port() -> None:
    assert Endpoint(url="tcp://manager", tls_ca=PEM).base_url == "https://manager:2376"


def test_a_socket_is_taken() -> None:
    assert Endpoint(url="unix:///run/user/1000/docker.sock").socket_path == "/run/user/1000/docker.sock"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/var/run/docker.sock",
        "manager:2376",
        "http://manager:2375",
        "https://manager:2376",
        "ssh://root@manager",
        "npipe:////./pipe/docker_engine",
        "file:///etc/passwd",
        "unix://",
        "unix://docker.sock",
        "unix:///run/../etc/docker.sock",
        "unix:///run/docker.sock?x=1",
        "unix:///run/docker.sock\n",
        "unix:///" + "x" * 120,
        "tcp://",
        "tcp://:2375",
        "tcp://manager:0",
        "tcp://manager:99999",
        "tcp://manager:port",
        "tcp://user:secret@manager:2375",
        "tcp://manager:2375/v1.41",
        "tcp://manager:2375?x=1",
        "tcp://manager:2375#x",
        "tcp://mana ger:2375",
        "tcp://[::1:2375",
        "tcp://-manager",
        "TCP://manager",
    ],
)
def test_anything_else_is_not(url: str) -> None:
    with pytest.raises(InvalidEndpoint) as caught:
        Endpoint(url=url)
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("url", "material"),
    [
        ("tcp://manager", {"tls_ca": PEM, "tls_certificate": PEM}),
        ("tcp://manager", {"tls_ca": PEM, "tls_key": PEM}),
        ("tcp://manager", {"tls_certificate": PEM, "tls_key": PEM}),
        ("unix:///run/docker.sock", {"tls_ca": PEM}),
    ],
)
def test_tls_material_comes_whole(url: str, material: dict[str, str]) -> None:
    with pytest.raises(InvalidEndpoint):
        Endpoint(url=url, **material)


def test_the_key_is_not_shown() -> None:
    endpoint = Endpoint(url="tcp://manager", tls_ca=PEM, tls_certificate=PEM, tls_key="-----BEGIN canary")
    assert "canary" not in f"{endpoint!r} {endpoint}"


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "unix:///var/run/docker.sock"),
        ({"DOCKER_HOST": ""}, "unix:///var/run/docker.sock"),
        ({"DOCKER_HOST": "unix:///run/other.sock", "DOCKER_TLS_VERIFY": "1"}, "unix:///run/other.sock"),
        ({"DOCKER_HOST": "tcp://manager:2375"}, "tcp://manager:2375"),
    ],
)
def test_the_local_engine_is_the_docker_commands(environment: dict[str, str], url: str) -> None:
    assert local_endpoint(environment) == Endpoint(url=url)


def test_the_local_engine_with_tls() -> None:
    found = local_endpoint({"DOCKER_HOST": "tcp://manager", "DOCKER_CERT_PATH": "/certs"})
    assert found == Endpoint(
        url="tcp://manager",
        tls_ca="/certs/ca.pem",
        tls_certificate="/certs/cert.pem",
        tls_key="/certs/key.pem",
    )


def test_the_local_engine_with_tls_of_the_home_folder() -> None:
    found = local_endpoint({"DOCKER_HOST": "tcp://manager", "DOCKER_TLS_VERIFY": "1"})
    assert found.tls_ca == str(Path.home() / ".docker/ca.pem")


def test_ssh_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidEndpoint, match=r"tcp://host:2376 with TLS"):
        local_endpoint({"DOCKER_HOST": "ssh://root@manager"})
