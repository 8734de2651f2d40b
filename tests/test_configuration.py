"""What the environment says becomes settings, and what it says wrongly a check with an id and a hint."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from overlayweb import configuration, keys
from tests.support import installations

LONG_KEY = "k" * 50


def read(folder: Path, **environment: str) -> configuration.Configuration:
    return configuration.read(environment={"OVERLAYWEB_DATA": str(folder), **environment}, base=folder)


def problem_ids(folder: Path, **environment: str) -> list[str]:
    return [problem.id for problem in read(folder, **environment).problems]


def test_an_empty_environment_is_a_whole_configuration(folder: Path) -> None:
    given = configuration.read(environment={}, base=folder)

    assert given.problems == ()
    assert given.data == folder / "data"
    assert (given.host, given.port) == ("127.0.0.1", 8000)
    assert given.docker_host == "unix:///var/run/docker.sock"
    assert not given.debug
    assert not given.secure
    assert given.database["NAME"] == str(folder / "data" / "db.sqlite3")


def test_keys_are_made_once_and_kept_from_others(folder: Path) -> None:
    first, second = read(folder), read(folder)

    assert first.secret_key == second.secret_key
    assert first.encryption_keys == second.encryption_keys
    assert len(first.secret_key) >= keys.SECRET_KEY_LENGTH
    for name in ("secret-key", "encryption-keys"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_the_key(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from overlayweb import keys;"
        "print(keys.kept(path=Path(sys.argv[1]), make=keys.new_secret_key))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder / "key")], cwd=settings.BASE_DIR, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    outputs = {process.communicate()[0] for process in started}

    assert len(outputs) == 1
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_a_secret_may_come_from_a_file(folder: Path) -> None:
    path = folder / "mounted"
    path.write_text(f"{LONG_KEY}\n", encoding="ascii")

    assert read(folder, OVERLAYWEB_SECRET_KEY_FILE=str(path)).secret_key == LONG_KEY


def test_secrets_are_not_in_the_representation(folder: Path) -> None:
    given = read(
        folder,
        OVERLAYWEB_SECRET_KEY=LONG_KEY,
        DATABASE_URL="postgres://u:db-canary@h/n",
        REDIS_URL="redis://:redis-canary@h",
    )

    assert not any(word in repr(given) for word in (LONG_KEY, "db-canary", "redis-canary", given.encryption_keys[0]))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OVERLAYWEB_SECRET_KEY_FILE": "/no/such/file"}, "overlayweb.E001"),
        ({"OVERLAYWEB_DEBUG": "maybe"}, "overlayweb.E002"),
        ({"OVERLAYWEB_PORT": "80x"}, "overlayweb.E003"),
        ({"OVERLAYWEB_PORT": "65536"}, "overlayweb.E003"),
        ({"OVERLAYWEB_PORT": "0"}, "overlayweb.E003"),
        ({"OVERLAYWEB_HOST": "0.0.0.0"}, "overlayweb.E004"),  # noqa: S104  # the mistake under test
        ({"OVERLAYWEB_ALLOWED_HOSTS": "*"}, "overlayweb.E004"),
        ({"DATABASE_URL": "mysql://host/name"}, "overlayweb.E005"),
        ({"DATABASE_URL": "db.example.org"}, "overlayweb.E005"),
        ({"REDIS_URL": "localhost:6379"}, "overlayweb.E006"),
        ({"DOCKER_HOST": "10.0.0.1:2376"}, "overlayweb.E007"),
        ({"OVERLAYWEB_SECRET_KEY": "short"}, "overlayweb.E008"),
        ({"OVERLAYWEB_DATA": "/proc/nowhere"}, "overlayweb.E009"),
        ({"OVERLAYWEB_ENCRYPTION_KEYS": "not-a-fernet-key"}, "overlayweb.E010"),
        ({"OVERLAYWEB_SECURE": "1", "OVERLAYWEB_DEBUG": "1"}, "overlayweb.W001"),
    ],
)
def test_a_bad_value_is_one_problem_with_a_remedy(folder: Path, environment: dict[str, str], expected: str) -> None:
    problems = read(folder, **environment).problems

    assert [problem.id for problem in problems] == [expected]
    assert problems[0].hint


def test_all_problems_come_at_once(folder: Path) -> None:
    found = problem_ids(folder, OVERLAYWEB_PORT="x", REDIS_URL="x", DOCKER_HOST="x")

    assert sorted(found) == ["overlayweb.E003", "overlayweb.E006", "overlayweb.E007"]


def test_a_url_with_a_password_is_not_repeated(folder: Path) -> None:
    problems = read(folder, DATABASE_URL="mysql://root:hunter2@host/name").problems

    assert "hunter2" not in repr(problems)


def test_rotated_encryption_keys_keep_their_order(folder: Path) -> None:
    new, old = keys.new_encryption_key(), keys.new_encryption_key()

    assert read(folder, OVERLAYWEB_ENCRYPTION_KEYS=f"{new}, {old}").encryption_keys == (new, old)


def test_only_named_hosts_and_loopback_are_believed(folder: Path) -> None:
    given = read(folder, OVERLAYWEB_HOST="0.0.0.0", OVERLAYWEB_ALLOWED_HOSTS="swarm.example.org")  # noqa: S104

    assert given.problems == ()
    assert given.allowed_hosts == ("swarm.example.org", "127.0.0.1", "localhost", "[::1]")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    yield from installations.data_folder()


def test_the_deploy_check_has_nothing_to_say_in_production(data: Path) -> None:
    done = installations.run(
        *("check", "--deploy", "--fail-level", "WARNING"),
        data=data,
        OVERLAYWEB_SECURE="1",
        OVERLAYWEB_ALLOWED_HOSTS="swarm.example.org",
    )

    assert done.returncode == 0, done.stderr


def test_the_deploy_check_does_complain_without_https(data: Path) -> None:
    done = installations.run("check", "--deploy", "--fail-level", "WARNING", data=data)

    assert done.returncode == 1
    assert "security.W012" in done.stderr


@pytest.mark.parametrize("command", ["check", "up", "sweep", "watch"])
def test_bad_configuration_stops_a_command_with_id_and_hint(data: Path, command: str) -> None:
    done = installations.run(command, data=data, OVERLAYWEB_PORT="eighty")

    assert done.returncode == 1
    assert "overlayweb.E003" in done.stderr
    assert "HINT: Set OVERLAYWEB_PORT to a number from 1 to 65535." in done.stderr
    assert "Traceback" not in done.stderr


def test_what_runs_for_ever_loads_no_page(data: Path) -> None:
    code = (
        "import sys; from django.core.management import load_command_class as load\n"
        "for name in ('up', 'sweep', 'watch'):\n"
        "    found = load('overlayweb', name); found.check(tags=found.requires_system_checks)\n"
        "print(sorted(name for name in sys.modules if name.startswith('overlayweb.web.')))"
    )
    done = installations.run("shell", "--no-imports", "--command", code, data=data)

    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_sqlite_keeps_what_it_has_committed(data: Path) -> None:
    code = (
        "from django.db import connection as c; k = c.cursor();"
        "print([k.execute(f'PRAGMA {n}').fetchone()[0] for n in"
        " ('journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout')], c.transaction_mode)"
    )
    done = installations.run("shell", "--no-imports", "--command", code, data=data)

    assert done.stdout.strip() == "['wal', 2, 1, 20000] IMMEDIATE", done.stderr  # synchronous 2 is FULL


def test_this_process_works_on_a_folder_of_its_own() -> None:
    assert os.environ["OVERLAYWEB_DATA"] == str(settings.OVERLAYWEB_DATA)
    assert str(os.getpid()) in settings.OVERLAYWEB_DATA.name
