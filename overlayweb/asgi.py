"""The ASGI application that the web process serves."""

import os

from django.core.asgi import get_asgi_application

from overlayweb import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "overlayweb.settings")

garbage.seldom()
application = get_asgi_application()
