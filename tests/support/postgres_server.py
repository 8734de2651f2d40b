"""A private PostgreSQL in a folder of its own."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import psycopg

from tests.support import ports, tools

USER = "overlayweb"
START_LIMIT = 30  # seconds


class PostgresServer:
    """A cluster on a free port of loopback that trusts whoever connects. `url` names its first database."""

    def __init__(self, folder: Path) -> None:
        self._programs = tools.postgres_programs()
        self._folder = folder
        self._port = ports.free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self._url("postgres")

    def start(self) -> None:
        """Make the cluster on first use, start it, and return when it accepts connections."""
        if not (self._folder / "PG_VERSION").exists():
            self._initialise()
        quick = ("-c", "fsync=off", "-c", "synchronous_commit=off")  # the test's data need not outlive a power cut
        where = ("-D", str(self._folder), "-p", str(self._port), "-c", "listen_addresses=127.0.0.1", "-k", "")
        self._process = subprocess.Popen(
            [str(self._program("postgres")), *where, *quick],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as_user(),
        )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it at once, connections and all."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def new_database(self) -> str:
        """Make an empty database and answer its URL."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return self._url(name)

    def _wait_until_ready(self) -> None:
        """It accepts connections before it serves any: `the database system is starting up`."""
        deadline = time.monotonic() + START_LIMIT
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _initialise(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        subprocess.run(
            [self._program("initdb"), "-D", self._folder, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_user(),
        )

    def _program(self, name: str) -> Path:
        if self._programs is None:
            raise FileNotFoundError(name)
        return self._programs / name

    def _as_user(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root; Debian's package has made a user for it."""
        apart = {"user": "postgres", "group": "postgres", "extra_groups": []}
        return {"cwd": "/", **(apart if os.geteuid() == 0 else {})}

    def _url(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{database}"
