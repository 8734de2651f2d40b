"""Where everything is."""

from django.urls import URLPattern, URLResolver, path

from overlayweb.web import frame, health

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", health.health, name="health"),
    path("theme", frame.theme, name="theme"),
]
