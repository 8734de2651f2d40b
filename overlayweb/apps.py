"""The one Django app of the project."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class OverlaywebConfig(AppConfig):
    """Registers the system checks that judge the configuration."""

    name = "overlayweb"
    label = "overlayweb"
    verbose_name = "Overlayweb"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what `manage.py check` and every start ask about the configuration."""
        from overlayweb import checks  # reads settings, which are complete only now

        register(checks.configuration, Tags.security)
