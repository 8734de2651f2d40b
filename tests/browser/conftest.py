"""The demo, for the files of tests that people it."""

from collections.abc import Iterator

import pytest

from tests.support import installations, ports
from tests.support.installations import Installation


@pytest.fixture(scope="module")
def demo() -> Iterator[Installation]:
    """A demo of its own for all tests of a file."""
    for data in installations.data_folder():
        with installations.up(data, ports.free_port(), OVERLAYWEB_DEMO="1") as running:
            running.wait_for("Overlayweb runs at")
            yield running
