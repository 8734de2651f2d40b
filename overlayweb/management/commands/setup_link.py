"""`manage.py setup_link`: the one-time link for the first account, where no terminal shows it."""

from typing import Any

from django.core.management.base import BaseCommand

from overlayweb.services import installation


class Command(BaseCommand):
    """Prints the path of a fresh link; the ones before it open nothing any more."""

    help = "Print the path of a one-time link for the first account, to be opened at this installation's address."

    def handle(self, *_: Any, **__: Any) -> None:
        """Print the path, or that there is an account."""
        self.stdout.write(installation.first_setup_link() or "There is an account already: sign in with it.")
