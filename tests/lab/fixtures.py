"""Fixtures that hand a test a real Swarm; named as a plugin in the root conftest."""

from collections.abc import Iterator

import pytest

from tests.lab.swarm import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One Swarm of three nodes for the whole run, as the last test left it."""
    with Lab(thrifty=True) as made:
        yield made


@pytest.fixture
def swarm(lab: Lab) -> Lab:
    """The run's Swarm, empty and with a fresh ingress."""
    lab.reset()
    return lab
