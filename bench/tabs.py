"""What a quiet cluster's engine is asked while nobody looks at its pages, and while many do.

``python -m bench.tabs [--tabs N] [--minutes N] [--markdown]`` needs root and takes about eight minutes. The
installation reaches a lab's manager through a relay that counts requests. A tab does what a browser's does on the
overview: it gets the page, asks every ten seconds whether it still holds, and gets it again where it does not.
"""

import argparse
import contextlib
import re
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests

from bench import machine, stand
from tests.lab.services import create_mix
from tests.lab.swarm import Lab
from tests.support import ports

if TYPE_CHECKING:
    from bench.product import Team

TABS, MINUTES = 50, 3
ASK_SECONDS = 10.0
SETTLE_SECONDS = 75.0
"""After services have come to rest: what still moved is followed for a minute."""
_REQUEST = re.compile(rb"^(?:GET|POST|DELETE|HEAD) (?:/v[0-9.]+)?(/[a-z_]+)(\S*) HTTP/1.1\r\n")
_QUESTION = re.compile(r'hx-get="(/clusters/[^"]+/frame\?known=[^"]+)"')


@dataclass
class Relay:
    """Between an installation and a manager's socket. ``calls``: how often each was asked; ``streams``: open now."""

    manager: str
    calls: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        """Until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(self.manager)
        threading.Thread(target=_pump, args=(engine, client), daemon=True).start()
        streams = 0
        while block := _received(client):
            if found := _REQUEST.match(block):
                kind, rest = (part.decode() for part in found.groups())
                streams += kind == "/events"
                with self._lock:
                    self.calls["all tasks" if (kind, rest) == ("/tasks", "") else kind] += 1
                    self.streams += kind == "/events"
            with contextlib.suppress(OSError):
                engine.sendall(block)
        with self._lock:
            self.streams -= streams
        _end(engine)


@dataclass(frozen=True, slots=True)
class Row:
    """What was asked in one stretch: calls and listings a minute, streams of events open at its end."""

    tabs: int
    calls: float
    listings: float
    streams: int
    pages: float


def main() -> None:
    """Measure without tabs and with them; print the table."""
    options = _options()
    with Lab() as lab, _relayed(lab) as (relay, docker_host), stand.data(docker_host) as data:
        create_mix(lab)
        engine = str(lab.manager.request("GET", "/version")["Version"])
        port = ports.free_port()
        with stand.installation(docker_host, data, port) as team:
            time.sleep(SETTLE_SECONDS)
            rows = [_stretch(relay, team, port, tabs, options.minutes) for tabs in (0, options.tabs)]
    command = f"`python -m bench.tabs --tabs {options.tabs} --minutes {options.minutes} --markdown`"
    text = _table(f"{machine.look(now=datetime.now(UTC), engine=engine)}. {command}", rows, options.minutes)
    print(text if options.markdown else text.replace("*", "").replace("`", ""))


def _stretch(relay: Relay, team: "Team", port: int, tabs: int, minutes: int) -> Row:
    from django.conf import settings

    from tests.web import live

    cookies = {settings.SESSION_COOKIE_NAME: live.session_of(team.author)}
    end = time.monotonic() + 60 * minutes
    page = f"http://127.0.0.1:{port}/clusters/{team.cluster.name}/"
    relay.calls.clear()
    with ThreadPoolExecutor(max(tabs, 1)) as pool:
        looking = [pool.submit(_tab, page, cookies, end) for _ in range(tabs)]
        time.sleep(max(end - time.monotonic(), 0.0))
        calls, streams = relay.calls.copy(), relay.streams
        asked = sum(tab.result() for tab in looking)
    return Row(
        tabs=tabs,
        calls=calls.total() / minutes,
        listings=calls["all tasks"] / minutes,
        streams=streams,
        pages=asked / minutes,
    )


def _tab(page: str, cookies: dict[str, str], end: float) -> int:
    """Look at the page until the end; how many requests that took."""
    requests_made = 0
    with requests.Session() as session:
        session.cookies.update(cookies)
        question = ""
        while time.monotonic() < end:
            answer = session.get(urljoin(page, question), timeout=30) if question else None
            if answer is None or "HX-Trigger" in answer.headers:
                fresh = session.get(page, timeout=30)
                fresh.raise_for_status()
                found = _QUESTION.search(fresh.text)
                assert found, "the page does not follow"
                question = found[1]
                requests_made += 1
            requests_made += answer is not None
            time.sleep(max(min(ASK_SECONDS, end - time.monotonic()), 0.0))
    return requests_made


def _table(ran: str, rows: list[Row], minutes: int) -> str:
    lines = [
        "## Engine load",
        "",
        ran,
        "",
        f"What a manager of three nodes and eleven services is asked in {minutes} minutes in which nothing happens.",
        "A listing reads all tasks; the other calls go with it. Target: one stream of events and one listing a minute,",
        "with 50 open tabs.",
        "",
        "| Tabs | Listings a minute | Calls a minute, all | Streams of events | Requests of the tabs a minute |",
        "| ---: | ---: | ---: | ---: | ---: |",
        *(f"| {r.tabs} | {r.listings:.1f} | {r.calls:.1f} | {r.streams} | {r.pages:.0f} |" for r in rows),
    ]
    return "\n".join(lines)


@contextmanager
def _relayed(lab: Lab) -> Iterator[tuple[Relay, str]]:
    """A relay to the lab's manager, and the address of its socket."""
    with tempfile.TemporaryDirectory(prefix="ow-relay-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "docker.sock"
        listener.bind(str(path))
        listener.listen(64)
        relay = Relay(lab.manager.socket.removeprefix("unix://"))
        threading.Thread(target=relay.serve, args=(listener,), daemon=True).start()
        yield relay, f"unix://{path}"


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := _received(source):
            target.sendall(block)
    _end(target)


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(1 << 16)
    except OSError:
        return b""


def _end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.tabs", description=__doc__)
    parser.add_argument("--tabs", type=int, default=TABS, help=f"how many are open ({TABS})")
    parser.add_argument("--minutes", type=int, default=MINUTES, help=f"how long each way ({MINUTES})")
    parser.add_argument("--markdown", action="store_true", help="print the section for docs/benchmarks.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
