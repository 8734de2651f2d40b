"""Fixtures that every test may use, and the rules of the run."""

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from playwright.sync_api import Browser

from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer

pytest_plugins = ["tests.support.requirements"]
if importlib.util.find_spec("tests.lab.fixtures"):
    pytest_plugins.append("tests.lab.fixtures")

hypothesis.settings.register_profile("overlayweb", deadline=None)  # timings are no tests
hypothesis.settings.load_profile("overlayweb")

LONGEST_FIRST = (
    "tests/faults/test_schedules",
    "tests/browser/test_main_job",
    "tests/workflows/",
    "tests/faults/",
    "tests/browser/",
    "tests/test_up",
    "tests/contract/",
    "tests/lab/",
    "tests/tasks/",
    "tests/engine/",
    "tests/web/test_stream",
    "tests/domain/test_specs",
    "tests/test_databases",
    "tests/services/",
    "tests/web/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that processes that share the files end at about the same time."""
    items.sort(
        key=lambda item: next((n for n, f in enumerate(LONGEST_FIRST) if item.nodeid.startswith(f)), len(LONGEST_FIRST))
    )


@pytest.fixture(scope="session", autouse=True)
def _data_folder() -> Iterator[None]:
    """The data folder of the test process, for as long as the run lasts."""
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # empty; whitenoise warns where it is missing
    yield
    shutil.rmtree(settings.OVERLAYWEB_DATA, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder with a short path: a unix socket's may have at most 107 bytes, and pytest's own are long."""
    path = Path(tempfile.mkdtemp(prefix="ow-"))
    path.chmod(0o755)  # PostgreSQL's user must get through
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a file. Needs `requires("chromium")`."""
    from tests.browser.people import chromium

    with pytest.MonkeyPatch.context() as patch, chromium() as browser:
        # Playwright's loop runs in this thread, and Django would refuse to ask the database beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield browser


@pytest.fixture(scope="session")
def _redis() -> Iterator[RedisServer]:
    path = Path(tempfile.mkdtemp(prefix="ow-redis-"))
    server = RedisServer(path)
    yield server
    server.stop()
    shutil.rmtree(path)


@pytest.fixture
def redis_server(_redis: RedisServer) -> RedisServer:
    """A running, empty, private Redis. Whatever the last test did to it is undone. Needs `requires("redis")`."""
    _redis.thaw()
    _redis.start()
    _redis.flush()
    return _redis


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running private PostgreSQL; `new_database()` makes a place for one test. Needs `requires("postgres")`."""
    path = Path(tempfile.mkdtemp(prefix="ow-postgres-"))
    path.chmod(0o755)
    server = PostgresServer(path / "cluster")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(path)
