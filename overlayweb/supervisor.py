"""The programs that make up a running Overlayweb, and supervisord, which restarts whichever of them ends."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from overlayweb import brokers
from overlayweb.configuration import Configuration

WORKER_PROCESSES = 4
"""Slices mostly wait for an engine, so there are more of them than a small machine has cores."""

GROUP = "overlayweb"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One supervised program. `patience` is the seconds between the stop signal and the kill."""

    name: str
    command: tuple[str, ...]
    stop_signal: str = "TERM"
    patience: int = 5


def programs(
    *, given: Configuration, broker: brokers.Broker, base: Path, demo: Path | None = None
) -> tuple[Program, ...]:
    """The web process, the worker, the watcher and the sweep.

    With them the private Redis where that is the broker, and the demo Swarm where it has a socket.
    """
    own = (_web(given), _worker(), _watch(base), _sweep(base))
    redis = (_redis(given),) if broker.kind is brokers.Kind.PRIVATE_REDIS else ()
    return (*redis, *((_demo(demo),) if demo else ()), *own)


def _web(given: Configuration) -> Program:
    """One process serves all pages and streams. Open streams get two seconds to end when it stops."""
    proxies = ("--proxy-headers", "--forwarded-allow-ips", given.trusted_proxies)
    arguments = (
        *("--host", given.host, "--port", str(given.port)),
        *("--lifespan", "off", "--no-server-header", "--no-access-log", "--timeout-graceful-shutdown", "2"),
        # Who asks is told by the connection: anybody could send these headers to get around the sign-in limit.
        *(proxies if given.trusted_proxies else ("--no-proxy-headers",)),
    )
    return Program(name="web", command=(sys.executable, "-m", "uvicorn", "overlayweb.asgi:application", *arguments))


def _worker() -> Program:
    """One worker for both queues; QUIT gives slices under way a few seconds, then hands their messages back."""
    arguments = (
        *("--queues", "jobs,reads", "--pool", "prefork", "--concurrency", str(WORKER_PROCESSES)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
    )
    command = (sys.executable, "-m", "celery", "--app", "tasks.app", "worker", *arguments)
    return Program(name="worker", command=command, stop_signal="QUIT", patience=8)


def _sweep(base: Path) -> Program:
    """The clusters that come by themselves are registered before it starts, by whoever starts it."""
    return Program(name="sweep", command=(sys.executable, str(base / "manage.py"), "sweep", "--registered"))


def _watch(base: Path) -> Program:
    """Follows every cluster; it ends when the engines have answered what they are asked just then."""
    return Program(name="watch", command=(sys.executable, str(base / "manage.py"), "watch"))


def _demo(socket: Path) -> Program:
    """The demo Swarm, which begins anew whenever it is started."""
    command = (sys.executable, "-m", "overlayweb.simulator", "--socket", str(socket), "--content", "demo")
    return Program(name="demo", command=command)


def _redis(given: Configuration) -> Program:
    """A Redis without persistence, on a socket that only this user may open: it holds nothing worth keeping."""
    program = shutil.which(given.redis_program) or given.redis_program
    socket = ("--port", "0", "--unixsocket", str(given.data / "redis.sock"), "--unixsocketperm", "700")
    memory_only = ("--save", "", "--appendonly", "no", "--dir", str(given.data))
    return Program(name="redis", command=(program, *socket, *memory_only))


def configuration_file(*, programs: Iterable[Program], data: Path, base: Path) -> str:
    """The text of supervisord's configuration file."""
    programs = tuple(programs)
    together = ",".join(program.name for program in programs if program.name != "redis")
    sections = [
        f"""\
[supervisord]
nodaemon=true
silent=true
umask=077
logfile={_escaped(data / "logs" / "supervisord.log")}
pidfile={_escaped(data / "supervisord.pid")}
directory={_escaped(base)}

; One group, so that its programs are stopped at the same time. A Redis outside of it starts first and stops last.
[group:{GROUP}]
programs={together}
priority=10
""",
        *(_section(program, data) for program in programs),
    ]
    return "\n".join(sections)


def _section(program: Program, data: Path) -> str:
    """A program that is restarted whenever it ends, in a process group of its own, with its log in the data folder."""
    launcher = (sys.executable, "-m", "overlayweb.processes", "SIGKILL")
    return f"""\
[program:{program.name}]
command={_escaped(shlex.join((*launcher, *program.command)))}
autorestart=true
startsecs=1
startretries=1000000
stopsignal={program.stop_signal}
stopwaitsecs={program.patience}
killasgroup=true
redirect_stderr=true
stdout_logfile={_escaped(data / "logs" / f"{program.name}.log")}
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=3
priority=1
"""


def _escaped(text: object) -> str:
    """supervisord expands %(name)s everywhere in its file."""
    return str(text).replace("%", "%%")


def start(*, config: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start supervisord apart from the terminal's Ctrl-C; it stops in good order should this process be killed."""
    command = ("-m", "overlayweb.processes", "SIGTERM", sys.executable, "-m", "supervisor.supervisord", "-c")
    return subprocess.Popen(
        [sys.executable, *command, str(config)],
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
