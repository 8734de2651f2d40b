"""A real Docker Swarm on this machine, for the tests."""

from tests.lab.daemon import Node
from tests.lab.swarm import Lab

__all__ = ["Lab", "Node"]
