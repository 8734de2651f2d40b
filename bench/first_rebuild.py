"""From the one command to the finished rebuild, on a clean checkout: ``python -m bench.first_rebuild [--rounds N]``.

Each round clones this repository's last commit into an empty folder, says ``make demo`` there, opens the printed link
in Chromium and asks for, approves and follows the rebuild that the first page proposes. A script clicks, without a
person's time to think. Needs Chromium and the package registries, as a first user does.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from bench import machine
from tests.browser.people import PASSWORD, chromium, person
from tests.support import ports

REPOSITORY = Path(__file__).parents[1]
LIMIT_SECONDS = 300.0
JOB_MS = 180_000
MARKS = ("link printed", "first page", "asked for", "approved", "finished")


def main() -> int:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_rebuild", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds, loads = parser.parse_args().rounds, [machine.load()]
    taken: list[dict[str, float]] = []
    with chromium() as browser:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="ow-first-") as folder:
                taken.append(_round(browser, Path(folder) / "overlayweb"))
            loads.append(machine.load())
    print(_table(taken, loads))
    return 0


def _round(browser: Browser, checkout: Path) -> dict[str, float]:
    """Seconds from the command to each mark."""
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(checkout)], check=True)
    began, marks = time.monotonic(), iter(MARKS)
    taken: dict[str, float] = {}

    def mark() -> None:
        taken[next(marks)] = time.monotonic() - began

    with _demo(checkout) as link, person(browser, "ana") as ana:
        mark()
        ana.page.goto(link)
        ana.page.get_by_label("Password", exact=True).fill(PASSWORD)
        ana.page.get_by_label("Password again").fill(PASSWORD)
        ana.page.get_by_role("button", name="come in").click()
        move = ana.page.get_by_role("link", name=re.compile(r"^Move the ingress to"))
        move.wait_for()
        mark()
        move.click()
        ana.page.get_by_role("button", name="Ask for approval").click()
        approve = ana.page.get_by_role("button", name=re.compile("Approve plan"))
        approve.wait_for()
        mark()
        approve.click()
        ana.page.wait_for_url(re.compile(r"/jobs/\d+/$"))
        mark()
        expect(ana.page.locator("#job-state")).to_contain_text("Done", timeout=JOB_MS)
        mark()
    return taken


@contextmanager
def _demo(checkout: Path) -> Iterator[str]:
    """``make demo`` in the checkout, and the link that it prints for its administrator."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OVERLAYWEB_", "DJANGO_", "MAKE"))}
    env["OVERLAYWEB_PORT"] = str(ports.free_port())
    command = ["make", "--silent", "demo", f"PYTHON={sys.executable}"]
    log = checkout / "demo.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=checkout, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
        )
    try:
        yield _link(log, process)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)


def _link(log: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        text = log.read_text()
        found = re.search(r"administrator\s+(http\S+/setup/\S+)", text)
        if found and "Overlayweb runs at" in text:
            return found.group(1)
        time.sleep(0.1)
    raise SystemExit(f"make demo printed no link:\n{log.read_text()}")


def _table(taken: list[dict[str, float]], loads: list[float]) -> str:
    command = " ".join(["python -m bench.first_rebuild", *sys.argv[1:]])
    lines = [
        f"{machine.look(now=datetime.now(UTC))}; load average {machine.loads_text(loads)}; {len(taken)} rounds.",
        f"`{command}`",
        "",
        "| Since the command, s | Median | Slowest |",
        "| --- | ---: | ---: |",
    ]
    for name in MARKS:
        seconds = [one[name] for one in taken]
        lines.append(f"| {name} | {statistics.median(seconds):.0f} | {max(seconds):.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
