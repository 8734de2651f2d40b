"""The checks before an ingress rebuild, one module for each thing they look at."""
