"""The process that runs are forked from: ``python -m tests.faults.nursery`` answers scenarios on standard input.

Loading everything takes seconds, once, as does making a stage; each run after that is a fork.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.scenario import Scenario
    from tests.faults.stage import Template

MEMORY = Path("/dev/shm")  # noqa: S108  # where there is one: that a disk keeps what it says it keeps is not tested here


@dataclass(kw_only=True)
class Report:
    """How a run went. ``problems``: the promises that it broke; ``points``: those passed, where it was recorded.

    ``told``: what the job said, where a promise was broken.
    """

    scenario: str
    problems: list[str] = field(default_factory=list)
    status: str = ""
    outcome: str = ""
    done: list[str] = field(default_factory=list)
    visits: list[str] = field(default_factory=list)
    resumed_after: list[float] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    passed: int = 0
    virtual_seconds: float = 0.0
    seconds: float = 0.0


class Nursery:
    """Forks a process for each run and gives back its report."""

    def __init__(self, folder: Path) -> None:
        import django

        os.environ.update(
            DJANGO_SETTINGS_MODULE="overlayweb.settings",
            OVERLAYWEB_DATA=str(folder / "data"),
            OVERLAYWEB_REDIS_SERVER="none",
            OVERLAYWEB_SECRET_KEY="only-for-tests-" * 4,
        )
        django.setup()
        from tests.faults import templates, verdict

        self._problems = verdict.problems
        self._folder = folder
        (folder / "stages").mkdir()
        self._templates = templates.Templates(folder / "stages")
        self._count = 0

    def run(self, scenario_text: str) -> Report:
        """Play one scenario from beginning to end, in a child that takes everything it made with it."""
        from tests.faults import crew
        from tests.faults.scenario import Scenario

        scenario = Scenario.from_json(scenario_text)
        template = self._templates[scenario.stage]
        self._count += 1
        folder = self._folder / f"run{self._count}"
        folder.mkdir()
        pid = crew.fork(lambda: self._play(scenario, template, folder))
        _, status = os.waitpid(pid, 0)
        answer = folder / "report.json"
        try:
            if answer.exists():
                return Report(**json.loads(answer.read_text()))
            return Report(scenario=scenario_text, problems=[f"the run ended with {os.waitstatus_to_exitcode(status)}"])
        finally:
            shutil.rmtree(folder)

    def _play(self, scenario: "Scenario", template: "Template", folder: Path) -> None:
        from tests.faults.director import Run

        began = time.monotonic()
        sys.stderr = (folder / "log").open("w")
        os.dup2(sys.stderr.fileno(), 2)
        run = Run(scenario, template, folder)
        report = Report(scenario=scenario.to_json())
        try:
            story = run.play()
            report.problems = story.problems or self._problems(run)
            report.status, report.outcome, report.done = story.status, run.job().outcome, story.done
            report.visits, report.resumed_after = story.visits, story.resumed_after
            report.told = [*map(str, run.job().events.order_by("seq"))] if report.problems else []
        except Exception:  # noqa: BLE001  # a run that breaks is a run that failed
            report.problems = [traceback.format_exc()]
        finally:
            run.close()
        points = folder / "points.txt"
        report.points = points.read_text().splitlines() if points.exists() else []
        report.passed = run.shared.passed
        report.virtual_seconds = round(run.shared.seconds - template.simulation.world.now, 2)
        report.seconds = round(time.monotonic() - began, 3)
        if report.problems and (log := os.environ.get("OVERLAYWEB_FAULTS_LOG")):
            shutil.copy(folder / "log", log)
        (folder / "report.json").write_text(json.dumps(asdict(report)))


@contextlib.contextmanager
def opened() -> Iterator[Nursery]:
    """A nursery in this process, which must have no threads and no Django yet."""
    where = str(MEMORY) if MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="ow-f-", dir=where))
    try:
        yield Nursery(folder)
    finally:
        shutil.rmtree(folder)


class RemoteNursery:
    """A nursery in a process of its own, for whoever has threads or a Django already."""

    def __init__(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "OVERLAYWEB_"))}
        clean.pop("DATABASE_URL", None)
        clean.pop("DJANGO_SETTINGS_MODULE", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=Path(__file__).parents[2],
            env=clean,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, scenario_text: str) -> Report:
        """Play one scenario."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(scenario_text + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the nursery ended with {self._process.wait()}"
        return Report(**json.loads(line))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def main() -> None:
    """Answer each line of standard input by one of standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed does not get between the answers
    with opened() as nursery:
        for line in sys.stdin:
            answers.write(json.dumps(asdict(nursery.run(line.strip()))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
