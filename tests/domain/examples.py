"""How many examples a property is tried with.

``make test-quick`` takes 100; ``OVERLAYWEB_EXAMPLES=10000`` is the long run.
"""

import os

EXAMPLES = int(os.environ.get("OVERLAYWEB_EXAMPLES", "300"))
