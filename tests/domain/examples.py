"""How many examples a property is tried with: ``OVERLAYWEB_EXAMPLES=10000`` for the long run."""

import os

EXAMPLES = int(os.environ.get("OVERLAYWEB_EXAMPLES", "300"))
