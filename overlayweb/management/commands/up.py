"""`manage.py up`: everything of an installation on one machine, until Ctrl-C."""

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from overlayweb import checks, processes, supervisor
from overlayweb.configuration import Configuration

if TYPE_CHECKING:
    from overlayweb.demo.start import Start

START_LIMIT = 60  # seconds until the web process must answer
STOP_LIMIT = 15  # seconds until what did not stop is killed


class Command(BaseCommand):
    """Migrates, starts the web process, worker, watcher, sweep and broker, and stops them all together."""

    help = "Run Overlayweb: web, worker, watcher, sweep and broker under one supervisor. Ctrl-C stops all of it."
    requires_system_checks = checks.AT_START

    def handle(self, *_: Any, **__: Any) -> None:
        """Prepare the data folder, start everything, say where it runs, wait for the end."""
        from overlayweb.demo import start

        given: Configuration = settings.OVERLAYWEB_CONFIGURATION
        (given.data / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        with _only_one(given.data):
            _check_port(given)
            call_command("migrate", interactive=False, verbosity=0)
            if not settings.DEBUG:
                call_command("collectstatic", interactive=False, verbosity=0)
            self.stdout.write(settings.OVERLAYWEB_BROKER.reason)
            begun = start.prepare(given)
            with _running(given, begun) as run:
                if run.answers():
                    self._say_where(given, begun)
                run.wait()
        self.stdout.write(f"Stopped. The data stays in {given.data}.")

    def _say_where(self, given: Configuration, begun: "Start") -> None:
        """Print what was decided about the demo, the one-time links of who has no account yet, and the address."""
        from overlayweb.services import installation

        address = _address(given)
        for line in begun.said:
            self.stdout.write(line)
        for line in begun.invitations(address):
            self.stdout.write(line)
        if not begun.has_people and (link := installation.first_setup_link()):
            self.stdout.write(f"Make the first account (the link works once): {urljoin(address, link)}")
        self.stdout.write(f"Overlayweb runs at {address} · logs in {given.data / 'logs'} · Ctrl-C stops it")
        self.stdout.flush()


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the data folder's lock, which the kernel gives back however this process ends."""
    with (data / "up.lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(_held_by(file, data)) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _held_by(file: IO[str], data: Path) -> str:
    file.seek(0)
    return (
        f"Overlayweb already runs with the data in {data} (process {file.read() or 'unknown'}). "
        "Stop it first, or set OVERLAYWEB_DATA to another folder and OVERLAYWEB_PORT to another port."
    )


def _check_port(given: Configuration) -> None:
    """Bind the port once, so that a taken one is a sentence here and not a restart loop in a log."""
    family, _, _, _, address = socket.getaddrinfo(given.host, given.port, type=socket.SOCK_STREAM)[0]
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise CommandError(
                f"Port {given.port} on {given.host} cannot be used: {error.strerror}. "
                f"Set OVERLAYWEB_PORT to a free port, for example OVERLAYWEB_PORT={given.port + 1} make up."
            ) from error


class _Run:
    """Supervisord with all programs, and whether somebody asked for their end."""

    def __init__(self, given: Configuration, demo: Path | None, supervisord: subprocess.Popen[bytes]) -> None:
        self._given = given
        self._demo = demo
        self._supervisord = supervisord
        self._asked_to_stop = False

    def stop_on_signals(self) -> None:
        """Ctrl-C, a closed terminal or a plain kill: each stops supervisord, and with it this command ends."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop = True
        self._supervisord.terminate()

    def answers(self) -> bool:
        """Wait until the web process, and the demo Swarm, accept connections; False if everything ended before."""
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if self._supervisord.poll() is not None:
                return False
            if _accepts(self._given) and (self._demo is None or self._demo.is_socket()):
                return True
            time.sleep(0.1)
        log = self._given.data / "logs" / "web.log"
        raise CommandError(f"The web process does not answer after {START_LIMIT} seconds. The end of {log} says why.")

    def wait(self) -> None:
        """Wait for the end; an end that nobody asked for is an error."""
        self._supervisord.wait()
        if not self._asked_to_stop:
            log = self._given.data / "logs" / "supervisord.log"
            raise CommandError(f"The supervisor ended by itself, so everything is stopped. The end of {log} says why.")

    def end(self) -> None:
        """Stop what still runs, in good order while that lasts no longer than STOP_LIMIT; leave no process."""
        self._supervisord.terminate()
        try:
            self._supervisord.wait(timeout=STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._supervisord.kill()
            self._supervisord.wait()
        processes.kill_children()


@contextmanager
def _running(given: Configuration, begun: "Start") -> Iterator[_Run]:
    """Everything started; on the way out nothing of it is left, however it ended."""
    demo, broker = begun.socket, settings.OVERLAYWEB_BROKER
    programs = supervisor.programs(given=given, broker=broker, base=settings.BASE_DIR, demo=demo)
    config = given.data / "supervisord.conf"
    text = supervisor.configuration_file(programs=programs, data=given.data, base=settings.BASE_DIR)
    config.write_text(text, encoding="utf-8")
    processes.adopt_orphans()
    run = _Run(given, demo, supervisor.start(config=config, environment=_environment(given, begun)))
    run.stop_on_signals()
    try:
        yield run
    finally:
        run.end()


def _environment(given: Configuration, begun: "Start") -> dict[str, str]:
    """Our own environment, with the data folder as an absolute path since programs start in the checkout.

    With it goes what was found at the local socket: only this command looks there, and pages say it too.
    """
    return os.environ | {
        "OVERLAYWEB_DATA": str(given.data),
        "OVERLAYWEB_NO_MANAGER": begun.no_manager,
        "CELERY_SKIP_CHECKS": "1",  # done here; the worker's would load every page, which none of its processes needs
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "overlayweb.settings"),
        "PYTHONUNBUFFERED": "1",
    }


def _reachable_host(given: Configuration) -> str:
    """The host to connect to for what listens on `given.host`: a listener everywhere is also on loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(given.host, given.host)  # noqa: S104  # compared, not bound


def _accepts(given: Configuration) -> bool:
    try:
        with socket.create_connection((_reachable_host(given), given.port), timeout=1):
            return True
    except OSError:
        return False


def _address(given: Configuration) -> str:
    """Where people open it: by the proxy's name when that ends https, else straight at the port."""
    if given.secure:
        return f"https://{given.allowed_hosts[0]}/"
    host = _reachable_host(given)
    return f"http://[{host}]:{given.port}/" if ":" in host else f"http://{host}:{given.port}/"
