"""A nursery for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.faults.nursery import RemoteNursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[RemoteNursery]:
    """Plays scenarios; see tests/faults/nursery.py."""
    found = RemoteNursery()
    yield found
    found.close()
