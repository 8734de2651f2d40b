"""What the adapter's tests find on the Swarm."""

import pytest

from tests.lab import services
from tests.lab.swarm import Lab


@pytest.fixture(scope="package")
def mix(lab: Lab) -> dict[str, str]:
    """The lab's mix of services, running; service ids by name. Tests leave them as they find them."""
    lab.reset()
    return services.create_mix(lab)
