"""The same schema on both databases, and nothing in the models that no migration makes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support import installations
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture
def data() -> Iterator[Path]:
    yield from installations.data_folder()


@pytest.mark.requires("postgres")
def test_postgresql_takes_every_migration(data: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()

    done = installations.run("migrate", "--no-input", data=data, DATABASE_URL=url)

    assert done.returncode == 0, done.stderr
    with psycopg.connect(url) as connection:
        tables = {row[0] for row in connection.execute("SELECT tablename FROM pg_tables")}
    assert {"auth_user", "overlayweb_job"} <= tables
    assert not (data / "db.sqlite3").exists()


@pytest.mark.requires("postgres")
def test_two_machines_may_migrate_at_once(data: Path, postgres_server: PostgresServer) -> None:
    environment = installations.environment(data, DATABASE_URL=postgres_server.new_database())
    command = installations.command("migrate", "--no-input")
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said


@pytest.mark.requires("postgres")
def test_a_commit_is_on_the_disk_whatever_the_servers_default_is(data: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchall() == [("off",)]

    asked = "from django.db import connection as c; k = c.cursor(); k.execute('SHOW synchronous_commit'); print(*k)"
    done = installations.run("shell", "--command", asked, data=data, DATABASE_URL=url)

    assert done.stdout.splitlines()[-1] == "('on',)", done.stderr


@pytest.mark.slow
@pytest.mark.requires("postgres")
def test_what_is_sorted_filtered_and_paged_answers_alike_on_postgresql(postgres_server: PostgresServer) -> None:
    """Orders with NULLs, searches in text and JSON: what the two databases do differently."""
    pages = [f"tests/web/test_{name}.py" for name in ("lists", "networks", "history")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *pages],
        env={**os.environ, "DATABASE_URL": postgres_server.new_database()},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_migration_is_missing(data: Path) -> None:
    done = installations.run("makemigrations", "--check", "--dry-run", data=data)

    assert done.returncode == 0, done.stdout
