"""Settings of the test process: the product's own, over a data folder that goes away with the run.

Whatever the developer's shell says about an installation is replaced first, so that no test can touch it.
DATABASE_URL is the exception: with it the same tests run on PostgreSQL.
"""

import os
import tempfile
from pathlib import Path

os.environ["OVERLAYWEB_DATA"] = str(Path(tempfile.gettempdir()) / f"overlayweb-tests-{os.getpid()}")
os.environ["OVERLAYWEB_SECRET_KEY"] = "only-for-tests-" * 4
os.environ["OVERLAYWEB_ENCRYPTION_KEYS"] = "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtMzI="
for _name in ("REDIS_URL", "DOCKER_HOST", "OVERLAYWEB_SECURE", "OVERLAYWEB_DEBUG", "OVERLAYWEB_STATIC_ROOT"):
    os.environ.pop(_name, None)

from overlayweb.settings import *  # noqa: E402, F403  # settings are one module built on another
from overlayweb.settings import DATABASES, OVERLAYWEB_DATA, STORAGES  # noqa: E402  # after the environment

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in production: an in-memory database shared by threads ignores the busy timeout.
    DATABASES["default"]["TEST"] = {"NAME": str(OVERLAYWEB_DATA / "test.sqlite3")}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast; nothing here is secret
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
