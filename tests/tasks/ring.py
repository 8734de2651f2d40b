"""Ring once, in a process of an installation's own: `python -m tests.tasks.ring TASK ARGUMENT...`."""

import json
import sys

import django

django.setup()

from tests.tasks import probe  # noqa: E402  # models of Django are ready only now

if __name__ == "__main__":
    rung = getattr(probe, sys.argv[1]).ring(*map(json.loads, sys.argv[2:]))
    sys.exit(0 if rung else 3)
