"""The ASGI application that the web process serves."""

import os

from django.core.asgi import get_asgi_application
from django.urls import get_resolver

from overlayweb import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "overlayweb.settings")

garbage.seldom()
application = get_asgi_application()
get_resolver().url_patterns  # noqa: B018  # loads every view, before the port opens and somebody waits for a page
