"""The Docker Engine, behind typed calls. The only package that imports ``docker``."""
