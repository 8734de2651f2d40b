"""The small parts of every page: icons, status words, times, durations."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.contrib.auth.models import AbstractUser
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from overlayweb.domain.plans import IngressPlan, IngressSettings
from overlayweb.domain.policy import ROLE_WORDS, Role
from overlayweb.models import Cluster
from overlayweb.web import frame

register = template.Library()

_CODE = re.compile("`([^`]+)`")

MINUTE, HOUR, DAY = 60, 3600, 86400
JUST_NOW_SECONDS = 2

STATUSES: dict[str, tuple[str, str, str]] = {
    # changes
    "pending": ("waiting", "clock", "Waits for approval"),
    "approved": ("good", "check", "Approved"),
    "rejected": ("danger", "cross", "Rejected"),
    "withdrawn": ("quiet", "minus", "Withdrawn"),
    "stale": ("warning", "warning", "Stale"),
    # jobs and their steps
    "queued": ("waiting", "clock", "Queued"),
    "running": ("accent", "half", "Running"),
    "succeeded": ("good", "check", "Succeeded"),
    "failed": ("danger", "cross", "Failed"),
    "errored": ("danger", "cross", "Errored"),
    "cancelled": ("quiet", "minus", "Cancelled"),
    "needs_operator": ("warning", "warning", "Needs a person"),
    "todo": ("quiet", "circle", "To do"),
    "skipped": ("quiet", "minus", "Skipped"),
    # services of a job
    "waiting": ("quiet", "circle", "Not touched yet"),
    "releasing": ("warning", "half", "Stopping"),
    "off": ("danger", "moon", "Dark"),
    "starting": ("accent", "half", "Starting"),
    "gone": ("warning", "warning", "Gone"),
    # nodes
    "ready": ("good", "check", "Ready"),
    "down": ("danger", "cross", "Down"),
    "unknown": ("warning", "warning", "Unknown"),
    "disconnected": ("danger", "cross", "Disconnected"),
    # the ingress on a node
    "mesh-present": ("good", "check", "Present"),
    "mesh-stale": ("danger", "cross", "Stale"),
    "mesh-absent": ("warning", "warning", "Absent"),
    "mesh-unknown": ("quiet", "circle", "Not checked"),
    # findings
    "blocker": ("danger", "cross", "Blocks"),
    "warning": ("warning", "warning", "Warning"),
    "notice": ("quiet", "info", "Good to know"),
}
"""What people read for each status word: its tone (a colour), its icon, its word."""


@register.simple_tag
def icon(name: str) -> SafeString:
    """One icon of the sprite, for eyes only: a word always stands beside it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name)


@register.inclusion_tag("parts/status.html")
def status(name: str, word: str = "") -> dict[str, str]:
    """A status by icon, word and colour. ``word`` replaces the usual one."""
    tone, icon_name, usual = STATUSES.get(name, ("quiet", "circle", name))
    return {"tone": tone, "icon_name": icon_name, "word": word or usual}


@register.inclusion_tag("parts/copy.html")
def copy(value: Any, shown: str = "") -> dict[str, str]:
    """A value in monospace that a click copies; ``shown`` is a shorter form of it."""
    return {"value": str(value), "shown": shown or str(value)}


@register.inclusion_tag("parts/command.html")
def command(lines: Sequence[str], most: int | None = None) -> dict[str, Any]:
    """The docker equivalent: lines of a shell, comments set back, all of it copied by one click.

    Of more lines than ``most`` the first are shown; a part of them is nothing to copy and run.
    """
    set_back = format_html_join(
        "\n", '<span class="{}">{}</span>', (("comment" * line.startswith("#"), line) for line in lines[:most])
    )
    return {"lines": set_back, "text": "\n".join(lines) if most is None or len(lines) <= most else ""}


@register.inclusion_tag("parts/diff.html")
def settings_diff(plan: IngressPlan) -> dict[str, Any]:
    """Old and new settings, one row each: (name, old, new). What stays is there too, set back."""
    old, new = _shown(plan.before), _shown(plan.after)
    return {"rows": [(name, old[name], new[name]) for name in new], "nothing_before": not plan.ingress_id}


@register.simple_tag
def described(field: BoundField, *, refused: bool) -> SafeString:
    """The field, told to screen readers together with what is said beside it."""
    attrs: dict[str, str | bool] = {"aria-describedby": f"verdict-{field.html_name}"}
    if refused:
        attrs["aria-invalid"] = "true"
    return field.as_widget(attrs=attrs)


@register.simple_tag
def control(field: BoundField, starts: object) -> SafeString:
    """The field's input. The focus is in a form's first wrong one; before anything is sent, in one that ``starts``."""
    form = field.form
    first = next((name for name in form.fields if name in form.errors), "") if form.is_bound else starts and field.name
    return field.as_widget(attrs={"autofocus": True}) if first == field.name else field.as_widget()


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """ "3 min ago", with the exact time in the title, where a script goes on counting; "never" for None."""
    if at is None:
        return "never"
    exact = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" data-form="ago" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        f"{exact:%Y-%m-%d %H:%M:%S %Z}",
        _ago((timezone.now() - at).total_seconds()),
    )


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds for people: "0.3 s", "14.0 s", "2 min 05 s", "1 h 04 min"; "" for None."""
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min {int(seconds % MINUTE):02} s"
    return f"{int(seconds // HOUR)} h {int(seconds % HOUR // MINUTE):02} min"


@register.filter
def thousands(number: int) -> str:
    """ "65,534"."""
    return f"{number:,}"


@register.filter
def coded(text: str) -> SafeString:
    """A sentence with what stands between backticks as code."""
    return mark_safe(_CODE.sub(r"<code>\1</code>", conditional_escape(text)))  # noqa: S308  # escaped just here


@register.filter
def lines(text: str) -> list[str]:
    """The lines of a text."""
    return text.splitlines()


@register.filter
def known(cluster: Cluster) -> str:
    """The last look at the cluster that ended, as its page names it to ask for a newer one."""
    return frame.known(cluster)


@register.filter
def role(name: str) -> str:
    """What a role is called: "administrator", "member", "reader"."""
    return ROLE_WORDS[Role(name)]


@register.filter
def a_role(name: str) -> str:
    """The role with its article: "an administrator", "a member"."""
    word = role(name)
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


@register.filter
def person(user: AbstractUser) -> str:
    """What a person is called: the name, else the user name."""
    return user.get_full_name() or user.get_username()


def _ago(seconds: float) -> str:
    if seconds < JUST_NOW_SECONDS:
        return "just now"
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def _shown(settings: IngressSettings) -> dict[str, str]:
    return {
        "Name": settings.name,
        "Subnet": settings.subnet,
        "Gateway": settings.gateway,
        "MTU": str(settings.mtu or "unset"),
        "IP range": settings.ip_range or "unset",
        "Labels": " ".join(f"{key}={value}" for key, value in settings.labels) or "none",
    }
