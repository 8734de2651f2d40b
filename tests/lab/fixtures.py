"""Fixtures that hand a test a real Swarm; named as a plugin in the root conftest."""

from collections.abc import Iterator

import pytest

from tests.lab.swarm import Lab

_MADE: pytest.StashKey[Lab] = pytest.StashKey()


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One Swarm of three nodes for the whole run, as the last test of the folder left it; off for the first one."""
    with Lab(thrifty=True) as made:
        request.config.stash[_MADE] = made
        yield made


@pytest.fixture
def swarm(lab: Lab) -> Lab:
    """The run's Swarm, empty and with a fresh ingress."""
    lab.reset()
    return lab


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Switch the engines off when the tests of a folder are done: at rest they cost, and who comes next resets them."""
    made = item.config.stash.get(_MADE, None)
    if made is not None and (nextitem is None or nextitem.path.parent != item.path.parent):
        made.switch_off()
