"""System checks: bad configuration stops `check`, `migrate` and `up` with an id and a hint, not with a traceback."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from overlayweb.configuration import Problem

AT_START = (checks.Tags.security,)
"""What a command that runs for ever has checked at its start. The other checks are about the code, load every page,
and are asked by the tests."""


def configuration(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Turn each problem of the environment into a message of Django's check framework."""
    return [_message(problem) for problem in settings.OVERLAYWEB_CONFIGURATION.problems]


def _message(problem: Problem) -> checks.CheckMessage:
    kind = checks.Warning if problem.id.startswith("overlayweb.W") else checks.Error
    return kind(problem.message, hint=problem.hint, id=problem.id)
