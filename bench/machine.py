"""What a benchmark ran on: enough to judge its numbers by."""

import os
import platform
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Versions and size of the machine, and the day. ``engine`` is "" where no engine took part."""

    date: str
    python: str
    kernel: str
    cores: int
    engine: str = ""

    def __str__(self) -> str:
        engine = [f"Docker Engine {self.engine}"] if self.engine else []
        return ", ".join([self.date, *engine, f"Python {self.python}", f"Linux {self.kernel}", f"{self.cores} cores"])


def look(*, now: datetime, engine: str = "") -> Machine:
    """This machine, now."""
    return Machine(
        date=now.date().isoformat(),
        python=platform.python_version(),
        kernel=platform.release(),
        cores=os.cpu_count() or 0,
        engine=engine,
    )


def load() -> float:
    """How many processes wanted a core during the last minute, on average."""
    return round(os.getloadavg()[0], 1)


def loads_text(loads: list[float]) -> str:
    """The span of load averages that a run has seen."""
    return f"{min(loads):.1f} to {max(loads):.1f}"
