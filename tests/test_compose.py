"""What compose.yaml promises: it is valid, hardened, and only the worker and the watcher reach an engine."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

OWN = ("migrate", "web", "worker", "watch", "sweep")
LONG_RUNNING = ("web", "worker", "watch", "sweep", "redis", "postgres")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with its anchors and merges resolved."""
    loaded: dict[str, Any] = yaml.safe_load((settings.BASE_DIR / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.requires("compose")
def test_compose_accepts_the_file(folder: Path) -> None:
    for name in ("compose.yaml", "Makefile"):
        shutil.copy(settings.BASE_DIR / name, folder)
    subprocess.run(["make", "--silent", "secrets"], cwd=folder, check=True)

    done = subprocess.run(
        ["docker-compose", "--file", "compose.yaml", "config", "--quiet"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_secrets_are_made_once_and_fit_together(folder: Path) -> None:
    shutil.copy(settings.BASE_DIR / "Makefile", folder)
    subprocess.run(["make", "--silent", "secrets"], cwd=folder, check=True)

    again = subprocess.run(["make", "--silent", "secrets"], cwd=folder, check=False, capture_output=True)

    made = {path.name: path.read_text() for path in (folder / "secrets").iterdir()}
    assert again.returncode != 0
    assert set(made) == {"secret-key", "encryption-keys", "postgres-password", "database-url"}
    assert f":{made['postgres-password']}@postgres:" in made["database-url"]
    assert (folder / "secrets").stat().st_mode & 0o077 == 0


def test_every_container_is_hardened(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name in OWN or service["user"] in {"redis", "postgres"}, name
    dockerfile = (settings.BASE_DIR / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER 10001:10001\n" in dockerfile.partition("\nFROM ")[2]


def test_only_the_worker_and_the_watcher_reach_the_engine(compose: dict[str, Any]) -> None:
    with_socket = [name for name, service in compose["services"].items() if "docker.sock" in str(service)]

    assert with_socket == ["worker", "watch"]
    assert [name for name, row in compose["services"].items() if "engines" in row["networks"]] == with_socket


def test_redis_and_the_database_have_no_way_out(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"] == {"internal": True}
    for name in ("redis", "postgres"):
        assert compose["services"][name]["networks"] == ["inside"]
        assert "ports" not in compose["services"][name]


def test_whatever_runs_on_is_watched(compose: dict[str, Any]) -> None:
    assert all("healthcheck" in compose["services"][name] for name in LONG_RUNNING)


def test_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    for name in OWN:
        environment = compose["services"][name]["environment"]
        assert not {"DATABASE_URL", "OVERLAYWEB_SECRET_KEY", "OVERLAYWEB_ENCRYPTION_KEYS"} & set(environment), name
        assert all(value.startswith("/run/secrets/") for key, value in environment.items() if key.endswith("_FILE"))
