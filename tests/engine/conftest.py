"""A Swarm for the adapter's tests."""

from collections.abc import Iterator

import pytest

from tests.lab import services
from tests.lab.swarm import Lab


@pytest.fixture(scope="package")
def running_lab() -> Iterator[Lab]:
    """A Swarm of three nodes, up for all tests of this folder."""
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="package")
def mix(running_lab: Lab) -> dict[str, str]:
    """The lab's mix of services, running; service ids by name. Tests leave them as they find them."""
    return services.create_mix(running_lab)
