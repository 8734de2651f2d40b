"""What the environment says, read once and judged: a bad value becomes a problem with an id, not a traceback.

Every name may be given as NAME_FILE instead, naming a file that holds the value (a mounted secret).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import environ
from environ.fileaware_mapping import FileAwareMapping

from overlayweb import keys

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})
LAST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One value of the environment that cannot be used as it is."""

    id: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The environment, typed. Where a value is unusable its default stands here and `problems` names it.

    `demo`: whether `up` brings the demo Swarm; None: where there is nothing else. `no_manager`: what `up` tells its
    programs of an engine at the local socket that is no manager, or "".
    """

    data: Path
    database: dict[str, Any] = field(repr=False)
    redis_url: str = field(repr=False)
    redis_program: str
    docker_host: str
    docker_host_given: bool
    demo: bool | None
    no_manager: str
    host: str
    port: int
    allowed_hosts: tuple[str, ...]
    trusted_proxies: str
    debug: bool
    secure: bool
    secret_key: str = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)
    static_root: Path
    problems: tuple[Problem, ...]


class _FileAwareEnv(environ.FileAwareEnv):  # type: ignore[misc]  # django-environ ships no types
    """django-environ over a mapping of our choice, so that tests need not touch the process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self.ENVIRON = FileAwareMapping(env=environment)


class _Reader:
    """Reads single values and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._env = _FileAwareEnv(environment)
        self.problems: list[Problem] = []

    def problem(self, number: str, message: str, hint: str) -> None:
        """Note a problem under the check id `overlayweb.<number>`."""
        self.problems.append(Problem(id=f"overlayweb.{number}", message=message, hint=hint))

    def text(self, name: str, default: str = "") -> str:
        """The value without surrounding white space (files end in a newline); the default if empty."""
        try:
            return str(self._env.str(name, default=default)).strip() or default
        except OSError as error:
            self.problem("E001", f"{name}_FILE cannot be read: {error}.", "Name a file that this user can read.")
            return default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no; anything else is a problem and counts as the default."""
        word = self.text(name, "1" if default else "0").lower()
        if word not in TRUE_WORDS | FALSE_WORDS:
            self.problem("E002", f"{name} is neither yes nor no: {word!r}.", f"Set {name} to 1 or 0.")
            return default
        return word in TRUE_WORDS

    def choice(self, name: str) -> bool | None:
        """A yes or no, or None where nothing is said."""
        return self.flag(name) if self.text(name) else None

    def port(self, name: str, default: int) -> int:
        """A TCP port, 1 to 65535."""
        word = self.text(name, str(default))
        if word.isascii() and word.isdigit() and 1 <= int(word) <= LAST_PORT:
            return int(word)
        self.problem("E003", f"{name} is not a TCP port: {word!r}.", f"Set {name} to a number from 1 to 65535.")
        return default

    def url(self, number: str, name: str, schemes: tuple[str, ...], default: str = "") -> str:
        """A URL of one of the schemes. The value itself is never shown: it may hold a password."""
        value = self.text(name, default)
        scheme = value.partition("://")[0]
        if value and (scheme not in schemes or "://" not in value):
            known = ", ".join(f"{scheme}://" for scheme in schemes)
            self.problem(number, f"{name} does not start with one of {known}.", f"Change {name} or leave it out.")
            return default
        return value


def read(*, environment: Mapping[str, str], base: Path) -> Configuration:
    """Read the whole configuration. `base` is the checkout; a relative data folder lies in the working directory."""
    reader = _Reader(environment)
    data = Path(reader.text("OVERLAYWEB_DATA", str(base / "data"))).expanduser().absolute()
    host = reader.text("OVERLAYWEB_HOST", "127.0.0.1")
    secure, debug = reader.flag("OVERLAYWEB_SECURE"), reader.flag("OVERLAYWEB_DEBUG")
    if secure and debug:
        reader.problem(
            "W001",
            "OVERLAYWEB_DEBUG shows source code and settings to visitors while OVERLAYWEB_SECURE says production.",
            "Set OVERLAYWEB_DEBUG to 0.",
        )
    return Configuration(
        data=data,
        database=_database(reader, data),
        redis_url=reader.url("E006", "REDIS_URL", ("redis", "rediss", "unix")),
        redis_program=reader.text("OVERLAYWEB_REDIS_SERVER", "redis-server"),
        docker_host=reader.url("E007", "DOCKER_HOST", ("unix", "tcp", "ssh"), "unix:///var/run/docker.sock"),
        docker_host_given=bool(reader.text("DOCKER_HOST")),
        demo=reader.choice("OVERLAYWEB_DEMO"),
        no_manager=reader.text("OVERLAYWEB_NO_MANAGER"),
        host=host,
        port=reader.port("OVERLAYWEB_PORT", 8000),
        allowed_hosts=_allowed_hosts(reader, host),
        trusted_proxies=reader.text("OVERLAYWEB_TRUSTED_PROXIES"),
        debug=debug,
        secure=secure,
        secret_key=_secret_key(reader, data),
        encryption_keys=_encryption_keys(reader, data),
        static_root=Path(reader.text("OVERLAYWEB_STATIC_ROOT", str(data / "static"))),
        problems=tuple(dict.fromkeys(reader.problems)),
    )


def _database(reader: _Reader, data: Path) -> dict[str, Any]:
    """Django's settings of the default database, each engine with the options that keep a committed row."""
    url = reader.url("E005", "DATABASE_URL", ("sqlite", "postgres", "postgresql"))
    config: dict[str, Any] = (
        environ.Env.db_url_config(url)
        if url
        else {"ENGINE": "django.db.backends.sqlite3", "NAME": str(data / "db.sqlite3")}
    )
    options = _SQLITE if config["ENGINE"].endswith("sqlite3") else _POSTGRESQL
    return {**config, "OPTIONS": {**options, **config.get("OPTIONS", {})}}


# IMMEDIATE: a transaction that will write takes the write lock at once, so two writers queue (up to
# `timeout` seconds) instead of failing when a reader turns writer. WAL: readers never wait for a writer.
# FULL: a commit is on the disk before it is reported, because intents are recorded before effects.
_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
}

# Seconds to connect, and milliseconds after which unanswered data closes the connection: a database
# that vanished without a goodbye is noticed before a job's lease runs out.
# idle_in_transaction_session_timeout: a worker frozen inside a transaction must not keep its locks from the one that
# takes over; the server ends its session before the lease (10 s) is long gone.
# synchronous_commit: as FULL above, whatever the server's default is. An intent lost in a crash makes our own write
# look like somebody else's edit.
_POSTGRESQL = {
    "connect_timeout": 5,
    "tcp_user_timeout": 8000,
    "options": "-c idle_in_transaction_session_timeout=8000 -c synchronous_commit=on",
}


def _allowed_hosts(reader: _Reader, host: str) -> tuple[str, ...]:
    """Host names that requests may carry. Loopback always may: health checks use it, and no attacker can own it."""
    named = tuple(name.strip() for name in reader.text("OVERLAYWEB_ALLOWED_HOSTS").split(",") if name.strip())
    everywhere = host in {"0.0.0.0", "::"}  # noqa: S104  # compared, not bound
    if "*" in named or (everywhere and not named):
        reader.problem(
            "E004",
            "OVERLAYWEB_ALLOWED_HOSTS does not name the hosts that people use, so any name would be believed.",
            "Set OVERLAYWEB_ALLOWED_HOSTS to the names in the browser's address line, with commas between.",
        )
    own = () if everywhere else (host,)
    return tuple(dict.fromkeys((*(name for name in named if name != "*"), *own, *LOOPBACK)))


def _secret_key(reader: _Reader, data: Path) -> str:
    """The key of sessions and tokens: from the environment, else from the data folder, made there on first use."""
    key = reader.text("OVERLAYWEB_SECRET_KEY")
    if not key:
        return _kept(reader, data / "secret-key", keys.new_secret_key).strip()
    if len(key) < keys.SECRET_KEY_LENGTH:
        reader.problem(
            "E008",
            f"OVERLAYWEB_SECRET_KEY has {len(key)} characters, {keys.SECRET_KEY_LENGTH} are the least.",
            "Leave it out, and a key is made in the data folder, or set a longer random one.",
        )
    return key


def _encryption_keys(reader: _Reader, data: Path) -> tuple[str, ...]:
    """The keys of what is encrypted in the database, newest first: that one encrypts, all of them decrypt."""
    text = reader.text("OVERLAYWEB_ENCRYPTION_KEYS")
    source = "OVERLAYWEB_ENCRYPTION_KEYS" if text else str(data / "encryption-keys")
    text = text or _kept(reader, data / "encryption-keys", keys.new_encryption_key)
    found = tuple(text.replace(",", " ").split())
    if found and all(keys.is_encryption_key(key) for key in found):
        return found
    reader.problem(
        "E010",
        f"{source} holds something that is not a Fernet key (32 bytes in url-safe base64).",
        "Put the keys back as they were: what they encrypted cannot be read without them.",
    )
    return tuple(filter(keys.is_encryption_key, found)) or (keys.new_encryption_key(),)


def _kept(reader: _Reader, path: Path, make: Callable[[], str]) -> str:
    """A key file of the data folder; where the folder cannot be used, a problem and a key for this process only."""
    try:
        return keys.kept(path=path, make=make)
    except OSError as error:
        reader.problem(
            "E009",
            f"The data folder {path.parent} cannot be used: {error.strerror}.",
            "Set OVERLAYWEB_DATA to a folder that this user may write.",
        )
        return make()
