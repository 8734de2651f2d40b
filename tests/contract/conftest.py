"""Each fact is asked of simulated Swarms of every engine that is imitated, and of a real one: its own is the truth.

LAB_ENGINE names the real one, as for all tests with real engines; by default it is the machine's own.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.engines import BY_RELEASE, FACTS, Facts
from tests.contract.grounds import Ground, LabGround, SimulatedGround, Use
from tests.lab import Lab
from tests.lab.engines import ENGINE_VARIABLE, INSTALLED
from tests.support.simulator import simulated

SPEED = 20.0
USES = {"fresh": Use.DEEDS, "idle": Use.SERVICES}
"""What a test does with a Swarm by the fixture that it asks for."""
QUICKLY = "28.5"
"""The one that is asked where there is little time, too."""
_SIMULATED = [
    pytest.param(name, id=f"simulated-{name}", marks=[] if name == QUICKLY else pytest.mark.slow) for name in FACTS
]
_REAL = pytest.param("lab", id="real", marks=pytest.mark.requires("dockerd", "root"))


@pytest.fixture(scope="module", params=[*_SIMULATED, _REAL])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """A Swarm as the last test left it that only looked."""
    if request.param == "lab":
        lab: Lab = request.getfixturevalue("lab")
        made = LabGround(lab, BY_RELEASE[os.environ.get(ENGINE_VARIABLE) or INSTALLED])
        made.reset()
        yield made
    else:
        yield from _simulated(request.param, FACTS[request.param])


@pytest.fixture(autouse=True)
def _prepared(request: pytest.FixtureRequest) -> None:
    if "ground" in request.fixturenames:
        use = next((use for name, use in USES.items() if name in request.fixturenames), Use.LOOKS)
        request.getfixturevalue("ground").prepare(use)


@pytest.fixture
def fresh(ground: Ground) -> Ground:
    """An empty Swarm to do something on. The next test gets another: a wedge is not its matter."""
    return ground


@pytest.fixture
def idle(ground: Ground) -> Ground:
    """A Swarm without services, to make some on, which are removed before the next test."""
    return ground


def _simulated(engine: str, facts: Facts) -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="ow-contract-"))
    with simulated(folder / "docker.sock", engine=engine, speed=SPEED) as running:
        yield SimulatedGround(running, facts, speed=SPEED)
    shutil.rmtree(folder)
